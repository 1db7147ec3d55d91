"""Every cell that TensorFlow 1 had, as the 2017 notebook ran it: a graph, a session.

`compat.v1.nn.rnn_cell` asks for a process-wide switch to Keras 2; the same cells are in
`tf_keras`, and need none. Eager mode stays on outside the graph.
"""

import gc
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from msgspec.structs import replace

from rnn_parity_backends.on_tensorflow import drawing, graphs, layout
from rnn_parity_backends.on_tensorflow.operations import Tensors
from rnn_parity_backends.on_tensorflow.settings import configure, tensorflow_settings
from rnn_parity_backends.on_tensorflow.training_v1 import Updates
from rnn_parity_backends.with_keras.gradients import epsilon_hat, named_gradients
from rnn_parity_core import CELLS, Array, Case, Outcome, Problem, Scalar
from rnn_parity_core.graph import Graph

v1 = tf.compat.v1


class GraphBackend:
    """Builds one graph and session for each shape, and feeds many problems to it.

    Args:
        options: Settings of TensorFlow; see `configure`.

    """

    def __init__(self, **options: Scalar) -> None:
        configure(**options)
        # Graphs are full of cycles. Looking for dead ones goes through everything that
        # lives, and the 290,000 objects of the imports will live on.
        gc.freeze()

    def versions(self) -> dict[str, str]:
        """Versions of TensorFlow and of the package that keeps its legacy cells."""
        return {"tensorflow": tf.__version__, "tf_keras": tf_keras.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report precision, kernels and threads."""
        return {"eager_outside": tf.executing_eagerly(), **tensorflow_settings()}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        return _program_of(problem).run(problem)

    def graph(self, problem: Problem) -> Graph:
        """Give the whole `tf.Graph` that a session runs, what sets it up included."""
        return _program_of(problem).graph()


class _Program:
    """A case's graph and the session that runs it."""

    def __init__(self, case: Case, forget_offset: float) -> None:
        with tf.Graph().as_default() as graph:
            self._ends = graphs.build(case, forget_offset)
            # An optimiser's variables are among them: each problem starts afresh.
            self._start = v1.global_variables_initializer()
            self._session = v1.Session(graph=graph)

    def run(self, problem: Problem) -> Outcome:
        """Load the weights of a problem of the case's shape, and compute it."""
        case, ends = problem.case, self._ends
        native = layout.native_weights(problem)
        # What `Variable.load` does, for all at once.
        initial = [variable.initializer.inputs[1] for variable in ends.variables]
        self._session.run(self._start, dict(zip(initial, native, strict=True)))
        if ends.updates:
            outcome = self._trained(ends.updates, problem)
        else:
            outcome, gradients = self._session.run(
                [ends.outcome, ends.gradients], self._feed(problem)
            )
            if gradients:
                outcome |= _named(case, gradients)
        if case.time_major:
            outcome["outputs"] = outcome["outputs"].swapaxes(0, 1)
        return {name: array.copy() for name, array in outcome.items()}

    def graph(self) -> Graph:
        """Give the session's graph."""
        ends = self._ends
        named = {tensor.op.name: name for name, tensor in ends.fed.others.items()}
        inputs = ends.fed.inputs
        for number, tensor in enumerate(inputs):
            named[tensor.op.name] = f"inputs {number}" if inputs[1:] else "inputs"
        for number, states in enumerate(ends.fed.initial):
            named |= {t.op.name: f"initial_{n} {number}" for n, t in states.items()}
        outputs = dict(ends.outcome)
        for number, gradient in enumerate(tf.nest.flatten(ends.gradients)):
            outputs[f"gradient {number}"] = gradient
        return drawing.graph_of(self._session.graph, outputs, named)

    def _trained(self, updates: Updates, problem: Problem) -> dict[str, Array]:
        """Give an outcome of the first batch, and the weights after each update."""
        outcomes, after = [], []
        for number, inputs in enumerate([problem["inputs"], *problem["later_inputs"]]):
            arrays = {**problem.arrays, "inputs": inputs}
            feed = self._feed(Problem(problem.case, arrays))
            feed[updates.epsilon] = epsilon_hat(number + 1)
            outcome, native = self._session.run(
                [self._ends.outcome, updates.variables], feed
            )
            outcomes.append(outcome)
            after.append(layout.canonical_weights(problem, native))
        trained = {f"trained_{n}": np.stack([of[n] for of in after]) for n in after[0]}
        return outcomes[0] | trained

    def _feed(self, problem: Problem) -> dict[Tensors, Any]:
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


def _named(case: Case, gradients: dict[str, Any]) -> dict[str, Array]:
    """Give a graph's gradients by canonical names."""
    weights = layout.canonical_gradients(case, gradients["variables"])
    states = {
        name: np.stack([state[name] for state in gradients["initial"]])
        for name in CELLS[case.cell].states
    }
    return named_gradients(case, gradients["inputs"], states, weights)


def _program_of(problem: Problem) -> _Program:
    """Give the program of a problem, which others of one shape have in common."""
    shape = replace(problem.case, seed=None, given="", trained="", zero_length=False)
    return _program(shape, layout.forget_offset(problem))


@lru_cache(maxsize=16)
def _program(shape: Case, forget_offset: float) -> _Program:
    """Build, or find again, the program for a shape."""
    return _Program(shape, forget_offset)
