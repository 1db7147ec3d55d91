"""Every cell that TensorFlow 1 had, as the 2017 notebook ran it: a graph, a session.

`compat.v1.nn.rnn_cell` asks for a process-wide switch to Keras 2; the same cells are in
`tf_keras`, and need none. Eager mode stays on outside the graph.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from msgspec.structs import replace

from backends.on_tensorflow import graphs, layout
from backends.on_tensorflow.gradients import named_gradients
from backends.on_tensorflow.operations import Tensors
from backends.on_tensorflow.settings import tensorflow_settings
from harness.backend import Scalar
from harness.spec import CELLS, Array, Case, Outcome, Problem

v1 = tf.compat.v1


class GraphBackend:
    """Builds one graph and session for each shape, and feeds many problems to it."""

    def versions(self) -> dict[str, str]:
        """Versions of TensorFlow and of the package that keeps its legacy cells."""
        return {"tensorflow": tf.__version__, "tf_keras": tf_keras.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report precision, kernels and threads."""
        return {"eager_outside": tf.executing_eagerly(), **tensorflow_settings()}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        # Neither moves a shape.
        shape = replace(problem.case, seed=None, zero_length=False)
        return _program(shape).run(problem)


class _Program:
    """A case's graph and the session that runs it."""

    def __init__(self, case: Case) -> None:
        with tf.Graph().as_default() as graph:
            self._ends = graphs.build(case)
            variables = [v for of in self._ends.variables for v in of]
            self._values = [
                v1.placeholder(v.dtype.base_dtype, v.shape) for v in variables
            ]
            self._assign = [
                v1.assign(variable, value)
                for variable, value in zip(variables, self._values, strict=True)
            ]
            self._session = v1.Session(graph=graph)

    def run(self, problem: Problem) -> Outcome:
        case = problem.case
        weights = [array for at in case.passes for array in _native(problem, *at)]
        self._session.run(self._assign, dict(zip(self._values, weights, strict=True)))
        outcome, gradients = self._session.run(
            [self._ends.outcome, self._ends.gradients], self._feed(problem)
        )
        if case.time_major:
            outcome["outputs"] = outcome["outputs"].swapaxes(0, 1)
        if gradients:
            outcome |= _named(case, gradients)
        return {name: array.copy() for name, array in outcome.items()}

    def _feed(self, problem: Problem) -> dict[Tensors, Array]:
        """Give what each placeholder is fed."""
        fed, case = self._ends.fed, problem.case
        feed = {fed.others[name]: problem[name] for name in fed.others}
        if case.time_major and "cotangent_outputs" in fed.others:
            swapped = problem["cotangent_outputs"].swapaxes(0, 1)
            feed[fed.others["cotangent_outputs"]] = swapped
        if fed.inputs:
            x = problem["inputs"]
            if len(fed.inputs[0].shape) < x.ndim:
                given = list(x.swapaxes(0, 1))
            else:
                given = [x.swapaxes(0, 1) if case.time_major else x]
            feed |= zip(fed.inputs, given, strict=True)
        for at, states in zip(case.passes, fed.initial, strict=True):
            initial = problem.initial(*at)
            feed |= {states[name]: initial[name] for name in states}
        return feed


def _named(case: Case, gradients: dict[str, Any]) -> Outcome:
    """Give a graph's gradients by canonical names."""
    weights = {}
    for at, native in zip(case.passes, gradients["variables"], strict=True):
        if case.variant == "basic":
            own = [n for n in CELLS[case.cell].weights if case.bias or "bias" not in n]
            weights[at] = dict(zip(own, native, strict=True))
        else:
            weights[at] = layout.gradients_to_canonical("v1", case.cell, native)
    states = {
        name: np.stack([state[name] for state in gradients["initial"]])
        for name in CELLS[case.cell].states
    }
    return named_gradients(case, gradients["inputs"], states, weights)


@lru_cache(maxsize=64)
def _program(shape: Case) -> _Program:
    """Build, or find again, the program for a shape."""
    return _Program(shape)


def _native(problem: Problem, layer: int, way: str) -> list[Array]:
    """Give one layer and direction's weights in the order of its variables."""
    cell, weights = problem.case.cell, problem.weights(layer, way)
    if problem.case.variant == "basic":
        return [weights[name] for name in CELLS[cell].weights if name in weights]
    return layout.to_v1(cell, weights)
