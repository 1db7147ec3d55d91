"""The tanh RNN by Keras' layers on TensorFlow."""

import os
from collections.abc import Callable
from typing import Any

# A user's ~/.keras/keras.json may name another backend; this adapter speaks of one.
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from backends.on_tensorflow import layout
from backends.on_tensorflow.settings import tensorflow_settings
from harness.backend import Scalar
from harness.spec import Outcome, Problem

Tensors = Any  # `tf.Tensor`, or what Keras makes of one


class KerasBackend:
    """Runs on the CPU, eagerly; the layers' loops are Keras' own."""

    def versions(self) -> dict[str, str]:
        """Versions of TensorFlow and Keras."""
        return {"tensorflow": tf.__version__, "keras": keras.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report precision, kernels and threads."""
        return {"keras_backend": keras.backend.backend(), **tensorflow_settings()}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `apis` for the means."""
        variant = {
            "basic": _basic,
            "static": _static,
            "static_single": _static_single,
            "dynamic": _dynamic,
        }[problem.case.variant]
        x = tf.constant(problem["inputs"])
        outputs, final = variant(problem, x, tf.constant(problem["initial_h"]))
        return {"outputs": outputs.numpy().copy(), "final_h": final.numpy().copy()}


def _basic(problem: Problem, x: Tensors, h: Tensors) -> tuple[Tensors, Tensors]:
    kernel = tf.constant(problem["kernel"])
    recurrent_kernel = tf.constant(problem["recurrent_kernel"])
    steps = []
    for t in range(problem.case.steps):
        products = tf.matmul(h, recurrent_kernel) + tf.matmul(x[:, t], kernel)
        h = tf.tanh(products + problem["bias"])
        steps.append(h)
    return tf.stack(steps, axis=1), h


def _loaded(make: Callable[..., Any], problem: Problem) -> Any:
    """Build a Keras layer or cell, and set its weights from the problem's."""
    case = problem.case
    layer = make(case.units, dtype=case.dtype)
    layer.build((case.batch, case.steps, case.features))
    layer.set_weights(layout.to_keras(problem.arrays))
    return layer


def _cell(units: int, dtype: str) -> Any:
    return keras.layers.SimpleRNNCell(units, dtype=dtype)


def _unrolled(units: int, dtype: str) -> Any:
    return keras.layers.RNN(
        _cell(units, dtype),
        return_sequences=True,
        return_state=True,
        unroll=True,
        dtype=dtype,
    )


def _looped(units: int, dtype: str) -> Any:
    return keras.layers.SimpleRNN(
        units, return_sequences=True, return_state=True, dtype=dtype
    )


def _static(problem: Problem, x: Tensors, h: Tensors) -> tuple[Tensors, Tensors]:
    cell, outputs = _loaded(_cell, problem), []
    for x_t in tf.unstack(x, axis=1):
        output, [h] = cell(x_t, [h])
        outputs.append(output)
    return tf.stack(outputs, axis=1), h


def _static_single(problem: Problem, x: Tensors, h: Tensors) -> tuple[Tensors, Tensors]:
    outputs, final = _loaded(_unrolled, problem)(x, initial_state=[h])
    return outputs, final


def _dynamic(problem: Problem, x: Tensors, h: Tensors) -> tuple[Tensors, Tensors]:
    outputs, final = _loaded(_looped, problem)(x, initial_state=[h])
    return outputs, final
