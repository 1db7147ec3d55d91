"""What a case's task asks of a Keras network, op by op or compiled."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
from msgspec.structs import replace

from rnn_parity_backends.on_tensorflow import decoding, drawing, training
from rnn_parity_backends.on_tensorflow.operations import OPS, Tensors
from rnn_parity_backends.with_keras.networks import Network
from rnn_parity_backends.with_keras.training import Trainer
from rnn_parity_core import Array, Case, Outcome, Problem
from rnn_parity_core.graph import Graph

_Compile = Callable[[Callable[..., Any]], Callable[..., Any]]


def eagerly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave a function as it is: TensorFlow runs its operations one by one."""
    return function


def in_a_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Trace a function, as it is shown; nothing is compiled by XLA."""
    return tf.function(function, autograph=False)


class Program:
    """A case's network, and the function that computes what is asked of it.

    Args:
        case: A case; its seed does not matter.
        compiled: What to make of the function from tensors to tensors.

    """

    def __init__(self, case: Case, compiled: _Compile = eagerly) -> None:
        self._case = case
        self._network = Network(case, OPS, decoding.in_a_graph)
        self._trainer = Trainer(self._network) if case.trains else None
        self.function = compiled(self._tensors_to_tensors)

    def run(self, problem: Problem) -> Outcome:
        """Load the weights of a problem of the case's shape, and compute it."""
        self._network.load(problem)
        tensors = tensors_of(problem)
        if self._trainer:
            return self._trained(self._trainer, problem, tensors)
        outcome, gradients = self.function(tensors)
        arrays = _arrays(outcome)
        if gradients is not None:
            arrays |= training.gradient_arrays(self._case, gradients)
        return arrays

    def graph(self, problem: Problem, note: str = "") -> Graph:
        """Give the graph of the function, which must have been compiled."""
        tensors = tensors_of(problem)
        traced = self.function.get_concrete_function(tensors)  # type: ignore[attr-defined]
        outcome, gradients = traced.structured_outputs
        outputs = dict(outcome)
        for number, gradient in enumerate(tf.nest.flatten(gradients or [])):
            outputs[f"gradient {number}"] = gradient
        names = _names(tensors)
        named = {t.op.name: n for t, n in zip(traced.graph.inputs, names, strict=False)}
        held = {id(variable.handle): variable.name for variable in traced.variables}
        for outside, inside in traced.graph.captures:
            named[inside.op.name] = held.get(id(outside), inside.op.name)
        return drawing.graph_of(traced.graph, outputs, named, note)

    def _tensors_to_tensors(self, tensors: dict[str, Any]) -> Any:
        given = Problem(self._case, tensors)
        if self._trainer:
            return training.update(self._network, self._trainer, given), None
        if self._case.task == "gradient":
            return training.with_gradients(self._network, given)
        return self._network(given), None

    def _trained(
        self, trainer: Trainer, problem: Problem, tensors: dict[str, Any]
    ) -> Outcome:
        """Give an outcome of the first batch, and the weights after each update."""
        trainer.start()
        outcomes, after = [], []
        for number, inputs in enumerate([problem["inputs"], *problem["later_inputs"]]):
            trainer.prepare(number + 1)
            fed = {**tensors, "inputs": inputs_of(self._case, inputs)}
            outcomes.append(self.function(fed)[0])
            after.append(self._network.weights())
        trained = {f"trained_{n}": np.stack([of[n] for of in after]) for n in after[0]}
        return _arrays(outcomes[0]) | trained


def program(case: Case, compiled: _Compile) -> Program:
    """Build, or find again, the program that all cases of this shape have in common."""
    return _built(replace(case, seed=None, zero_length=False), compiled)


@lru_cache(maxsize=16)
def _built(shape: Case, compiled: _Compile) -> Program:
    return Program(shape, compiled)


def inputs_of(case: Case, inputs: Array) -> Any:
    """Make tensors of inputs `[B, T, D]` as the variant takes them."""
    if case.variant == "static":
        return [tf.constant(x) for x in inputs.swapaxes(0, 1)]
    return tf.constant(inputs.swapaxes(0, 1) if case.time_major else inputs)


def tensors_of(problem: Problem) -> dict[str, Any]:
    """Make tensors of all arrays but the weights, which variables hold."""
    apart = {*problem.case.weight_shapes(), "inputs", "later_inputs"}
    tensors = {n: tf.constant(a) for n, a in problem.arrays.items() if n not in apart}
    if "inputs" in problem.arrays:
        tensors["inputs"] = inputs_of(problem.case, problem["inputs"])
    return tensors


def _names(tensors: dict[str, Any]) -> list[str]:
    """Name tensors in the order in which a function takes them: that of their names."""
    names = []
    for name, found in sorted(tensors.items()):
        several = isinstance(found, list)
        names += [f"{name} {t}" for t in range(len(found))] if several else [name]
    return names


def _arrays(tensors: dict[str, Tensors]) -> dict[str, Array]:
    return {name: tensor.numpy().copy() for name, tensor in tensors.items()}
