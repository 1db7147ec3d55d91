"""One pass of a recurrent layer over time, by each framework's own layer or cell.

Every function takes a cell, whether it is unrolled step by step, weights in this
project's layout, inputs `[B, T, D]`, initial states and lengths or None, and gives
outputs and final states. Each call builds what it needs, as in a test that stands by
itself; only what JAX compiles is kept by JAX, for equal shapes.
"""

import os
from functools import partial
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"

import jax
import jax.numpy as jnp
import keras
import numpy as np
import tensorflow as tf
import torch
from tf_keras.src.layers.rnn import legacy_cells
from torch import nn

Array = Any
State = dict[str, Array]
Weights = dict[str, Array]

v1 = tf.compat.v1


def _gates(array: Array, order: list[int]) -> Array:
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[k] for k in order], axis=-1)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _step(
    ops: Any, sigmoid: Any, cell: str, x: Array, state: State, w: Weights
) -> State:
    """Take one step of a cell."""
    h, units = state["h"], state["h"].shape[-1]
    read = x @ w["kernel"] + w.get("bias", 0)
    if cell.startswith("rnn"):
        total = read + h @ w["recurrent_kernel"]
        return {"h": ops.tanh(total) if cell == "rnn_tanh" else ops.maximum(total, 0)}
    fed = h @ w["recurrent_kernel"]
    part = [slice(k * units, (k + 1) * units) for k in range(4)]
    if cell == "gru":
        r, z = (sigmoid((read + fed)[:, part[k]]) for k in (0, 1))
        n = ops.tanh(
            read[:, part[2]] + r * (fed[:, part[2]] + w.get("recurrent_bias", 0))
        )
        return {"h": (1 - z) * n + z * h}
    i, f, g, o = ((read + fed)[:, part[k]] for k in range(4))
    c = sigmoid(f) * state["c"] + sigmoid(i) * ops.tanh(g)
    return {"h": sigmoid(o) * ops.tanh(c), "c": c}


def numpy_pass(
    cell: str, _: bool, w: Weights, x: Array, state: State, lengths: Array | None
) -> tuple[Array, State]:
    """Give the reference, in float64."""
    w = {name: array.astype(np.float64) for name, array in w.items()}
    state, outputs = {n: a.astype(np.float64) for n, a in state.items()}, []
    for t in range(x.shape[1]):
        taken = _step(np, _sigmoid, cell, x[:, t].astype(np.float64), state, w)
        valid = (
            np.full((len(x), 1), 1, bool) if lengths is None else (t < lengths)[:, None]
        )
        state = {n: np.where(valid, taken[n], state[n]) for n in state}
        outputs.append(np.where(valid, taken["h"], 0))
    return np.stack(outputs, axis=1), state


def keras_pass(
    cell: str, unrolled: bool, w: Weights, x: Array, state: State, lengths: Array | None
) -> tuple[Array, State]:
    """Call a Keras layer, unrolled or in its own loop."""
    units, dtype = state["h"].shape[1], str(x.dtype)
    options = {"dtype": dtype, "use_bias": "bias" in w}
    looped = {"return_sequences": True, "return_state": True, "unroll": unrolled}
    order = {"lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}.get(cell, [0])
    native = [
        _gates(w[n], order) for n in ("kernel", "recurrent_kernel", "bias") if n in w
    ]
    if cell == "lstm":
        layer = keras.layers.LSTM(units, **options, **looped)
    elif cell == "gru":
        layer = keras.layers.GRU(units, **options, **looped)
        if "bias" in w:
            second = np.zeros_like(native[2])
            second[-units:] = w["recurrent_bias"]
            native[2] = np.stack([native[2], second])
    else:
        layer = keras.layers.SimpleRNN(units, activation=cell[4:], **options, **looped)
    layer.build(x.shape)
    layer.set_weights(native)
    mask = None if lengths is None else tf.sequence_mask(lengths, x.shape[1])
    initial = [tf.constant(state[name]) for name in ("h", "c") if name in state]
    outputs, *finals = layer(tf.constant(x), initial_state=initial, mask=mask)
    outputs = outputs.numpy()
    if mask is not None:  # Keras repeats the last output
        outputs = outputs * mask.numpy()[..., None]
    return outputs, dict(zip(("h", "c"), (f.numpy() for f in finals), strict=False))


def graph_pass(
    cell: str, unrolled: bool, w: Weights, x: Array, state: State, lengths: Array | None
) -> tuple[Array, State]:
    """Run TensorFlow 1's cell by `static_rnn` or `dynamic_rnn` in a session."""
    units = state["h"].shape[1]
    kernel = np.concatenate([w["kernel"], w["recurrent_kernel"]])
    bias = w.get("bias", np.zeros(kernel.shape[1], x.dtype))
    with tf.Graph().as_default(), v1.Session() as session:
        if cell == "lstm":
            made = legacy_cells.BasicLSTMCell(units, forget_bias=0.0, dtype=x.dtype)
            kernel, bias = (_gates(a, [0, 2, 1, 3]) for a in (kernel, bias))
        else:
            activation = tf.tanh if cell == "rnn_tanh" else tf.nn.relu
            made = legacy_cells.BasicRNNCell(
                units, activation=activation, dtype=x.dtype
            )
        fed = v1.placeholder(x.dtype, [None, *x.shape[1:]])
        initial = {name: v1.placeholder(x.dtype, [None, units]) for name in state}
        begin = initial["h"]
        if cell == "lstm":
            begin = legacy_cells.LSTMStateTuple(initial["c"], initial["h"])
        if unrolled:
            steps = tf.unstack(fed, axis=1)
            outputs, final = v1.nn.static_rnn(made, steps, initial_state=begin)
            outputs = tf.stack(outputs, axis=1)
        else:
            outputs, final = v1.nn.dynamic_rnn(
                made, fed, initial_state=begin, sequence_length=lengths
            )
        session.run(v1.global_variables_initializer())
        for variable, array in zip(made.variables, (kernel, bias), strict=True):
            variable.load(array, session)
        finals = {"h": final.h, "c": final.c} if cell == "lstm" else {"h": final}
        feed = {fed: x} | {initial[name]: state[name] for name in state}
        return session.run([outputs, finals], feed)


@torch.inference_mode()
def torch_pass(
    cell: str, unrolled: bool, w: Weights, x: Array, state: State, lengths: Array | None
) -> tuple[Array, State]:
    """Call `nn.RNN`, `nn.LSTM` or `nn.GRU`, or their cells step by step."""
    units, features = state["h"].shape[1], x.shape[2]
    inputs = torch.tensor(x)
    name = {"lstm": "LSTM", "gru": "GRU"}.get(cell, "RNN")
    options: dict[str, Any] = {"bias": "bias" in w, "dtype": inputs.dtype}
    if name == "RNN":
        options["nonlinearity"] = cell[4:]
    given = {"weight_ih": w["kernel"].T, "weight_hh": w["recurrent_kernel"].T}
    if "bias" in w:
        given |= {"bias_ih": w["bias"], "bias_hh": np.zeros_like(w["bias"])}
        if "recurrent_bias" in w:
            given["bias_hh"][-units:] = w["recurrent_bias"]
    native = {key: torch.tensor(array) for key, array in given.items()}
    states = tuple(torch.tensor(state[n]) for n in ("h", "c") if n in state)
    if unrolled:
        made = getattr(nn, name + "Cell")(features, units, **options)
        made.load_state_dict(native)
        outputs = []
        for now in inputs.unbind(1):
            taken = made(now, states if cell == "lstm" else states[0])
            states = taken if cell == "lstm" else (taken,)
            outputs.append(states[0])
        found = torch.stack(outputs, dim=1)
    else:
        layer = getattr(nn, name)(features, units, batch_first=True, **options)
        layer.load_state_dict({f"{key}_l0": a for key, a in native.items()})
        begin = tuple(s.unsqueeze(0) for s in states)
        fed: Any = inputs
        if lengths is not None:
            fed = nn.utils.rnn.pack_padded_sequence(
                inputs, torch.tensor(lengths), batch_first=True, enforce_sorted=False
            )
        found, final = layer(fed, begin if cell == "lstm" else begin[0])
        if lengths is not None:
            found, _ = nn.utils.rnn.pad_packed_sequence(
                found, batch_first=True, total_length=x.shape[1]
            )
        states = tuple(s[0] for s in (final if cell == "lstm" else (final,)))
    finals = dict(zip(("h", "c"), (s.numpy() for s in states), strict=False))
    return found.numpy(), finals


@partial(jax.jit, static_argnames=("cell", "unrolled"))
def _scanned(
    cell: str, unrolled: bool, w: Weights, x: Array, state: State, lengths: Array
) -> tuple[Array, State]:
    def body(state: State, now: tuple[Array, Array]) -> tuple[State, Array]:
        taken = _step(jnp, jax.nn.sigmoid, cell, now[0], state, w)
        valid = (now[1] < lengths)[:, None]
        state = {n: jnp.where(valid, taken[n], state[n]) for n in state}
        return state, jnp.where(valid, taken["h"], 0)

    steps = x.swapaxes(0, 1), jnp.arange(x.shape[1])
    state, outputs = jax.lax.scan(body, state, steps, unroll=unrolled)
    return outputs.swapaxes(0, 1), state


def jax_pass(
    cell: str, unrolled: bool, w: Weights, x: Array, state: State, lengths: Array | None
) -> tuple[Array, State]:
    """Compile a scan over a cell."""
    given = np.full(len(x), x.shape[1]) if lengths is None else lengths
    with jax.enable_x64(x.dtype == np.float64):
        found = _scanned(cell, unrolled, w, x, state, given)
        return jax.tree.map(np.asarray, found)


PASSES = {
    "tensorflow": keras_pass,
    "tensorflow:v1": graph_pass,
    "torch": torch_pass,
    "jax": jax_pass,
}
"""Backend of rnn-parity → the same without it."""
