"""The Keras adapter with every variant compiled by XLA, as one program.

With `jit_compile` TensorFlow raises where XLA cannot compile something; it never falls
back to running operations one by one. Outcomes, gradients and updates of weights, an
optimiser's own step included, are of one program each.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import tensorflow as tf
from msgspec.structs import replace

from backends.on_tensorflow.adapter import KerasBackend
from backends.on_tensorflow.programs import Program
from harness.backend import Scalar
from harness.graph import Graph
from harness.spec import Case, Outcome, Problem


class XlaBackend(KerasBackend):
    """Compiles once for each shape, and feeds many problems to what comes of it."""

    def settings(self) -> dict[str, Scalar]:
        """Report also what the compiler is told."""
        flags = {name.lower(): os.environ.get(name) for name in _FLAGS}
        return {**super().settings(), "jit_compile": True, **flags}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        return program(_shape(problem.case)).run(problem)

    def graph(self, problem: Problem) -> Graph:
        """Give the graph that XLA is given."""
        return program(_shape(problem.case)).graph(
            problem, "compiled by XLA as a whole"
        )


def _shape(case: Case) -> Case:
    """Give what two cases of one program have in common."""
    return replace(case, seed=None, zero_length=False)


_FLAGS = ("XLA_FLAGS", "TF_XLA_FLAGS")


@lru_cache(maxsize=16)
def program(shape: Case) -> Program:
    """Build, or find again, the compiled program for a shape."""
    return Program(shape, _compiled)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return tf.function(function, autograph=False, jit_compile=True)
