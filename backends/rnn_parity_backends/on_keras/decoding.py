"""Networks that feed themselves: one `ops.while_loop`, whatever Keras makes of it."""

from typing import Any

from keras import ops

from rnn_parity_backends import equations
from rnn_parity_backends.with_keras.networks import Decode, Tensors
from rnn_parity_core import Case

_Carry = dict[str, Any]


def looped(case: Case, steps: list[equations.Step]) -> Decode:
    """Give the loop until every row has said stop."""
    times = ops.arange(case.steps, dtype="int32")

    def decode(
        arrays: dict[str, Tensors], initial: list[equations.State]
    ) -> dict[str, Tensors]:
        start, stop = ops.unstack(arrays["start_stop"])

        def going_on(carry: _Carry) -> Tensors:
            return ops.logical_and(carry["t"] < case.steps, ops.any(carry["running"]))

        def body(carry: _Carry) -> tuple[_Carry]:
            running, states = carry["running"], []
            keep = running[:, None]
            x = ops.take(arrays["embedding"], carry["token"], axis=0)
            for step, old in zip(steps, carry["states"], strict=True):
                taken = step(x, old)
                states.append({n: ops.where(keep, taken[n], old[n]) for n in old})
                x = taken["h"]
            logits = x @ arrays["readout"] + arrays["readout_bias"]
            token = ops.cast(ops.argmax(logits, axis=1), "int32")
            said = ops.where(running, token, stop)
            given = ops.where(keep, x, ops.zeros_like(x))
            now = (times == carry["t"])[None, :]
            following = {
                "t": carry["t"] + 1,
                "token": token,
                "running": ops.logical_and(running, token != stop),
                "states": states,
                "tokens": ops.where(now, said[:, None], carry["tokens"]),
                "outputs": ops.where(now[..., None], given[:, None], carry["outputs"]),
            }
            return (following,)

        rows = (case.batch,)
        carry = {
            "t": ops.zeros((), "int32"),
            "token": ops.broadcast_to(start, rows),
            "running": ops.ones(rows, "bool"),
            "states": initial,
            "tokens": ops.broadcast_to(stop, (case.batch, case.steps)),
            "outputs": ops.zeros((*rows, case.steps, case.output_size), case.dtype),
        }
        done = ops.while_loop(going_on, body, (carry,))[0]
        finals = equations.final_arrays(done["states"], ops.stack)
        return {"tokens": done["tokens"], "outputs": done["outputs"], **finals}

    return decode
