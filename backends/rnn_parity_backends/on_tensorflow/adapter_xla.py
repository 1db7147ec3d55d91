"""The Keras adapter with every variant compiled by XLA, as one program.

With `jit_compile` TensorFlow raises where XLA cannot compile something; it never falls
back to running operations one by one. Outcomes, gradients and updates of weights, an
optimiser's own step included, are of one program each.
"""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from rnn_parity_backends.on_tensorflow.adapter import KerasBackend
from rnn_parity_backends.on_tensorflow.programs import program
from rnn_parity_core import Outcome, Problem, Scalar
from rnn_parity_core.graph import Graph


class XlaBackend(KerasBackend):
    """Compiles once for each shape, and feeds many problems to what comes of it."""

    def settings(self) -> dict[str, Scalar]:
        """Report also what the compiler is told."""
        flags = {name.lower(): os.environ.get(name) for name in _FLAGS}
        return {**super().settings(), "jit_compile": True, **flags}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        return program(problem.case, compiled).run(problem)

    def graph(self, problem: Problem) -> Graph:
        """Give the graph that XLA is given."""
        note = "compiled by XLA as a whole"
        return program(problem.case, compiled).graph(problem, note)


_FLAGS = ("XLA_FLAGS", "TF_XLA_FLAGS")


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function as a whole, or raise."""
    return tf.function(function, autograph=False, jit_compile=True)
