"""The notebook's four cases on one framework, as somebody would write it for once.

`python notebook.py BACKEND PROBLEMS` imports the framework, computes each case by its
own layer, cell or operations, and prints the largest deviation from the tables that
the notebook printed. PROBLEMS is a folder of `.npz`. Nothing of rnn-parity is imported:
this is what its run is measured against.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
Layer = Callable[[str, Array, Array, Array, Array, Array], Array]
"""Variant, inputs, initial state, kernel, recurrent kernel and bias to outputs."""


def numpy_layer() -> Layer:
    """Give a loop over steps."""

    def layer(_: str, x: Array, h: Array, w: Array, u: Array, b: Array) -> Array:
        outputs = []
        for step in x.swapaxes(0, 1):
            h = np.tanh(step @ w + h @ u + b)
            outputs.append(h)
        return np.stack(outputs, axis=1)

    return layer


def keras_layer() -> Layer:
    """Give Keras' cells and layers on TensorFlow."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    def layer(variant: str, x: Array, h: Array, w: Array, u: Array, b: Array) -> Array:
        x, units, batch = tf.constant(x), u.shape[0], x.shape[0]
        if variant == "basic":
            w, u, b, outputs = tf.constant(w), tf.constant(u), tf.constant(b), []
            state = tf.constant(h)
            for t in range(x.shape[1]):
                state = tf.tanh(x[:, t] @ w + state @ u + b)
                outputs.append(state)
            return tf.stack(outputs, axis=1).numpy()
        if variant == "static":
            cell = keras.layers.SimpleRNNCell(units)
            cell.build((batch, x.shape[2]))
            cell.set_weights([w, u, b])
            outputs, states = [], [tf.constant(h)]
            for t in range(x.shape[1]):
                output, states = cell(x[:, t], states)
                outputs.append(output)
            return tf.stack(outputs, axis=1).numpy()
        if variant == "static_single":
            cell = keras.layers.SimpleRNNCell(units)
            made = keras.layers.RNN(cell, return_sequences=True, unroll=True)
        else:
            made = keras.layers.SimpleRNN(units, return_sequences=True)
        made.build(x.shape)
        made.set_weights([w, u, b])
        return made(x, initial_state=tf.constant(h)).numpy()

    return layer


def graph_layer() -> Layer:
    """Give TensorFlow 1's cells in a graph and a session."""
    import tensorflow as tf
    from tf_keras.src.layers.rnn.legacy_cells import BasicRNNCell

    v1 = tf.compat.v1

    def layer(variant: str, x: Array, h: Array, w: Array, u: Array, b: Array) -> Array:
        with tf.Graph().as_default(), v1.Session() as session:
            fed = v1.placeholder(x.dtype, [None, *x.shape[1:]])
            initial = v1.placeholder(h.dtype, [None, *h.shape[1:]])
            steps = tf.unstack(fed, axis=1)
            if variant == "basic":
                found, state = [], initial
                weights = [v1.Variable(array) for array in (w, u, b)]
                for step in steps:
                    state = tf.tanh(step @ weights[0] + state @ weights[1] + weights[2])
                    found.append(state)
                outputs = tf.stack(found, axis=1)
                session.run(v1.global_variables_initializer())
            else:
                cell = BasicRNNCell(u.shape[0], dtype=x.dtype)
                if variant == "dynamic":
                    outputs, _ = v1.nn.dynamic_rnn(cell, fed, initial_state=initial)
                else:
                    found, _ = v1.nn.static_rnn(cell, steps, initial_state=initial)
                    outputs = tf.stack(found, axis=1)
                session.run(v1.global_variables_initializer())
                cell.variables[0].load(np.concatenate([w, u]), session)
                cell.variables[1].load(b, session)
            return session.run(outputs, {fed: x, initial: h})

    return layer


def torch_layer() -> Layer:
    """Give PyTorch's `nn.RNNCell` and `nn.RNN`."""
    import torch
    from torch import nn

    def load(module: Any, suffix: str, w: Array, u: Array, b: Array) -> None:
        given = {"weight_ih": w.T, "weight_hh": u.T, "bias_ih": b, "bias_hh": 0 * b}
        state = {name + suffix: torch.tensor(array) for name, array in given.items()}
        module.load_state_dict(state)

    @torch.inference_mode()
    def layer(variant: str, x: Array, h: Array, w: Array, u: Array, b: Array) -> Array:
        units, features = u.shape[0], x.shape[2]
        inputs, state = torch.tensor(x), torch.tensor(h)
        if variant == "dynamic":
            rnn = nn.RNN(features, units, batch_first=True)
            load(rnn, "_l0", w, u, b)
            return rnn(inputs, state.unsqueeze(0))[0].numpy()
        if variant == "basic":
            kernel, recurrent, bias = (torch.tensor(array) for array in (w, u, b))
            step: Any = lambda x, h: torch.tanh(x @ kernel + h @ recurrent + bias)  # noqa: E731
        else:
            step = nn.RNNCell(features, units)
            load(step, "", w, u, b)
        outputs = []
        for now in inputs.unbind(1):
            state = step(now, state)
            outputs.append(state)
        return torch.stack(outputs, dim=1).numpy()

    return layer


def jax_layer(*, jit: bool) -> Layer:
    """Give a cell, unrolled or in `lax.scan`; compiled, or dispatched op by op."""
    import jax
    import jax.numpy as jnp

    def unrolled(x: Array, h: Array, w: Array, u: Array, b: Array) -> Array:
        outputs = []
        for step in jnp.unstack(x, axis=1):
            h = jnp.tanh(step @ w + h @ u + b)
            outputs.append(h)
        return jnp.stack(outputs, axis=1)

    def scanned(x: Array, h: Array, w: Array, u: Array, b: Array) -> Array:
        def body(h: Array, step: Array) -> tuple[Array, Array]:
            h = jnp.tanh(step @ w + h @ u + b)
            return h, h

        return jax.lax.scan(body, h, x.swapaxes(0, 1))[1].swapaxes(0, 1)

    def layer(variant: str, *arrays: Array) -> Array:
        function = scanned if variant == "dynamic" else unrolled
        # Each variant is another program to its author, and a new one to JAX.
        compute = jax.jit(partial(function)) if jit else function
        return np.asarray(compute(*map(jnp.asarray, arrays)))

    return layer


LAYERS: dict[str, Callable[[], Layer]] = {
    "numpy": numpy_layer,
    "tensorflow": keras_layer,
    "tensorflow:v1": graph_layer,
    "torch": torch_layer,
    "jax": lambda: jax_layer(jit=True),
    "jax:eager": lambda: jax_layer(jit=False),
}
"""Backend of rnn-parity → what does the same without it."""


def main() -> None:
    """Compute all cases on one framework."""
    layer, worst = LAYERS[sys.argv[1]](), 0.0
    paths = sorted(Path(sys.argv[2]).glob("*.npz"))
    if not paths:
        sys.exit(f"{sys.argv[2]} holds no problem")
    for path in paths:
        problem = np.load(path)
        outputs = layer(
            path.stem,
            problem["inputs"],
            problem["initial_h"],
            *(problem[name] for name in ("kernel", "recurrent_kernel", "bias")),
        )
        worst = max(worst, float(np.abs(outputs - problem["published"]).max()))
    print(f"{sys.argv[1]}: {worst:.1e} from the printed tables")
    if worst > 1e-6:  # noqa: PLR2004 - as the notebook's tables are judged
        sys.exit(1)


if __name__ == "__main__":
    main()
