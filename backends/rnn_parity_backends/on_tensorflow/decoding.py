"""Networks that feed themselves: one `tf.while_loop`, with the cells of either API."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from rnn_parity_backends import equations
from rnn_parity_backends.on_tensorflow.operations import Tensors
from rnn_parity_core import Case

Decode = Callable[[dict[str, Tensors], list[equations.State]], dict[str, Tensors]]
_Carry = dict[str, Any]


def decoded(
    case: Case,
    arrays: Mapping[str, Tensors],
    steps: list[equations.Step],
    initial: list[equations.State],
) -> dict[str, Tensors]:
    """Loop until every row has said stop; the carry holds what has been said so far.

    Args:
        case: A case of `variable_output`.
        arrays: Those that are `DECODED_FROM`.
        steps: The cell of each layer, built already: a loop's body makes no variables.
        initial: The initial states of each layer; the batch may be left open.

    """
    start, stop = tf.unstack(arrays["start_stop"])
    times = tf.range(case.steps)

    def going_on(carry: _Carry) -> Tensors:
        return (carry["t"] < case.steps) & tf.reduce_any(carry["running"])

    def body(carry: _Carry) -> list[_Carry]:
        running, states = carry["running"], []
        keep = running[:, tf.newaxis]
        x = tf.gather(arrays["embedding"], carry["token"])
        for step, old in zip(steps, carry["states"], strict=True):
            taken = step(x, old)
            states.append({n: tf.where(keep, taken[n], old[n]) for n in old})
            x = taken["h"]
        logits = x @ arrays["readout"] + arrays["readout_bias"]
        token = tf.argmax(logits, axis=1, output_type=tf.int32)
        said = tf.where(running, token, stop)
        given = tf.where(keep, x, tf.zeros_like(x))
        # In a graph of TensorFlow 1 `==` asks whether it is the same object.
        now = tf.equal(times, carry["t"])
        following = {
            "t": carry["t"] + 1,
            "token": token,
            "running": running & tf.not_equal(token, stop),
            "states": states,
            "tokens": tf.where(now, said[:, tf.newaxis], carry["tokens"]),
            "outputs": tf.where(
                now[:, tf.newaxis], given[:, tf.newaxis], carry["outputs"]
            ),
        }
        return [following]

    carry = _at_first(case, start, stop, initial)
    (done,) = tf.while_loop(going_on, body, [carry])
    finals = equations.final_arrays(done["states"], tf.stack)
    return {"tokens": done["tokens"], "outputs": done["outputs"], **finals}


def in_a_graph(case: Case, steps: list[equations.Step]) -> Decode:
    """Give the loop as one graph."""
    return tf.function(
        lambda arrays, initial: decoded(case, arrays, steps, initial),
        autograph=False,
    )


def _at_first(
    case: Case, start: Tensors, stop: Tensors, initial: list[equations.State]
) -> _Carry:
    """Give the carry before the first step: all stop tokens, all zeros."""
    batch = tf.shape(initial[0]["h"])[0]
    return {
        "t": tf.constant(0),
        "token": tf.fill([batch], start),
        "running": tf.fill([batch], value=True),
        "states": initial,
        "tokens": tf.fill([batch, case.steps], stop),
        "outputs": tf.zeros([batch, case.steps, case.output_size], case.dtype),
    }
