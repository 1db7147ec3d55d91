"""The tanh RNN as the 2017 notebook wrote it: TensorFlow 1 in a graph and a session.

`compat.v1.nn.rnn_cell` asks for a process-wide switch to Keras 2; the same cells are in
`tf_keras`, and need none. Eager mode stays on outside the graph.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras
from tf_keras.src.layers.rnn import legacy_cells

from backends.on_tensorflow import layout
from backends.on_tensorflow.settings import tensorflow_settings
from harness.backend import Scalar
from harness.spec import Array, Case, Outcome, Problem

Tensors = Any  # symbolic `tf.Tensor`s

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
        """Compute the problem; see the package's `apis` for the means."""
        return _program(problem.case).run(problem)


class _Graph(NamedTuple):
    """The symbolic ends of a graph."""

    inputs: list[Tensors]  # one [B, T, D], or T of [B, D]
    initial: Tensors
    variables: list[Tensors]
    outputs: Tensors
    final: Tensors


class _Program:
    def __init__(self, case: Case) -> None:
        build = {
            "basic": _basic,
            "static": _static,
            "static_single": _static_single,
            "dynamic": _dynamic,
        }[case.variant]
        with tf.Graph().as_default() as graph:
            self._ends = build(case)
            self._values = [
                v1.placeholder(v.dtype, v.shape) for v in self._ends.variables
            ]
            self._assign = [
                v1.assign(variable, value)
                for variable, value in zip(
                    self._ends.variables, self._values, strict=True
                )
            ]
            self._session = v1.Session(graph=graph)

    def run(self, problem: Problem) -> Outcome:
        ends = self._ends
        weights = dict(zip(self._values, _native(problem), strict=True))
        self._session.run(self._assign, weights)
        x = problem["inputs"]
        single = ends.inputs[0].shape.rank == x.ndim
        fed = [x] if single else list(x.swapaxes(0, 1))
        feed = dict(zip(ends.inputs, fed, strict=True))
        feed[ends.initial] = problem["initial_h"]
        outputs, final = self._session.run([ends.outputs, ends.final], feed)
        return {"outputs": outputs.copy(), "final_h": final.copy()}


def _native(problem: Problem) -> list[Array]:
    if problem.case.variant == "basic":
        return layout.to_keras(problem.arrays)
    return layout.to_v1(problem.arrays)


def _program(case: Case) -> _Program:
    """Build, or find again, the program for a shape, whatever the seed."""
    shape = (case.batch, case.steps, case.features, case.units)
    return _cached_program(case.cell, case.variant, shape, case.dtype)


@lru_cache(maxsize=64)
def _cached_program(
    cell: str, variant: str, shape: tuple[int, int, int, int], dtype: str
) -> _Program:
    return _Program(Case(cell, variant, *shape, dtype, None))


def _placeholders(case: Case) -> tuple[list[Tensors], Tensors]:
    """Placeholders as the notebook has them: batch left open."""
    per_step = [
        v1.placeholder(case.dtype, [None, case.features]) for _ in range(case.steps)
    ]
    return per_step, v1.placeholder(case.dtype, [None, case.units])


def _basic(case: Case) -> _Graph:
    inputs, initial = _placeholders(case)
    kernel = v1.Variable(tf.zeros([case.features, case.units], case.dtype))
    recurrent_kernel = v1.Variable(tf.zeros([case.units, case.units], case.dtype))
    bias = v1.Variable(tf.zeros([case.units], case.dtype))
    h, outputs = initial, []
    for x in inputs:
        products = tf.matmul(h, recurrent_kernel) + tf.matmul(x, kernel)
        h = tf.tanh(products + bias)
        outputs.append(h)
    variables = [kernel, recurrent_kernel, bias]
    return _Graph(inputs, initial, variables, tf.stack(outputs, axis=1), h)


def _static(case: Case) -> _Graph:
    inputs, initial = _placeholders(case)
    cell = legacy_cells.BasicRNNCell(case.units, dtype=case.dtype)
    outputs, final = v1.nn.static_rnn(cell, inputs, initial_state=initial)
    return _Graph(inputs, initial, cell.variables, tf.stack(outputs, axis=1), final)


def _single_input(case: Case) -> tuple[Tensors, Tensors, Any]:
    x = v1.placeholder(case.dtype, [None, case.steps, case.features])
    initial = v1.placeholder(case.dtype, [None, case.units])
    return x, initial, legacy_cells.BasicRNNCell(case.units, dtype=case.dtype)


def _static_single(case: Case) -> _Graph:
    x, initial, cell = _single_input(case)
    inputs = tf.unstack(tf.transpose(x, perm=[1, 0, 2]))
    outputs, final = v1.nn.static_rnn(cell, inputs, initial_state=initial)
    stacked = tf.transpose(tf.stack(outputs), perm=[1, 0, 2])
    return _Graph([x], initial, cell.variables, stacked, final)


def _dynamic(case: Case) -> _Graph:
    x, initial, cell = _single_input(case)
    outputs, final = v1.nn.dynamic_rnn(cell, x, initial_state=initial)
    return _Graph([x], initial, cell.variables, outputs, final)
