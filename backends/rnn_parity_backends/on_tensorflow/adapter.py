"""Every cell that Keras has, by its layers on TensorFlow; all of them by hand."""

import os

# A user's ~/.keras/keras.json may name another backend; this adapter speaks of one.
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from rnn_parity_backends.on_tensorflow.programs import Program, in_a_graph, program
from rnn_parity_backends.on_tensorflow.settings import configure, tensorflow_settings
from rnn_parity_backends.with_keras import engine
from rnn_parity_core import Outcome, Problem, Scalar
from rnn_parity_core.graph import Graph


class KerasBackend:
    """Runs on the CPU; the layers' loops are Keras' own.

    Args:
        function: Whether `tf.function` traces what is run, once for each shape; without
            it TensorFlow runs operation by operation.
        options: Settings of TensorFlow; see `configure`.

    """

    def __init__(self, *, function: Scalar = False, **options: Scalar) -> None:
        engine.check("tensorflow")
        configure(**options)
        self._function = bool(function)

    def versions(self) -> dict[str, str]:
        """Versions of TensorFlow and Keras."""
        return {"tensorflow": tf.__version__, "keras": keras.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report precision, kernels and threads."""
        keras_settings = {"keras_backend": keras.backend.backend()}
        return {**keras_settings, "function": self._function, **tensorflow_settings()}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        if self._function:
            return program(problem.case, in_a_graph).run(problem)
        return Program(problem.case).run(problem)

    def graph(self, problem: Problem) -> Graph:
        """Give the graph of what `run` calls, traced by `tf.function`."""
        note = "traced by tf.function"
        if not self._function:
            note += "; run eagerly, one operation after the other"
        return Program(problem.case, in_a_graph).graph(problem, note)
