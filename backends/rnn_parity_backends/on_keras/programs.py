"""What a case's task asks of a Keras network, as a function without a state.

Whose engine computes it is the caller's to say, who compiles and differentiates it.
"""

from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from rnn_parity_backends.on_keras import decoding
from rnn_parity_backends.with_keras import layout
from rnn_parity_backends.with_keras.gradients import gradients_by_name
from rnn_parity_backends.with_keras.networks import Network, Tensors
from rnn_parity_backends.with_keras.training import Trainer
from rnn_parity_core import CELLS, Array, Case, Outcome, Problem

Moving = list[Any]
"""Keras' weights, inputs, initial states by name: what gradients are asked by."""
Forward = Callable[[Moving, dict[str, Tensors]], dict[str, Tensors]]
"""What moves, and a problem's other tensors, to an outcome."""
Differentiated = Callable[
    [Moving, dict[str, Tensors]], tuple[dict[str, Tensors], Moving]
]
"""The same to an outcome and its seeded sum's gradients."""


class Engine(Protocol):
    """What Keras computes by."""

    def forward(self, function: Forward) -> Forward:
        """Make a function one that is run, and not differentiated."""
        ...

    def differentiated(self, function: Forward) -> Differentiated:
        """Give a function's values and gradients, `cotangent_…` those of its values."""
        ...


class _Ops:
    def tanh(self, x: Tensors) -> Tensors:
        return ops.tanh(x)

    def sigmoid(self, x: Tensors) -> Tensors:
        return ops.sigmoid(x)

    def relu(self, x: Tensors) -> Tensors:
        return ops.relu(x)

    def clip(self, x: Tensors, low: float, high: float) -> Tensors:
        return ops.clip(x, low, high)

    def concatenate(self, tensors: list[Tensors]) -> Tensors:
        return ops.concatenate(tensors, axis=-1)


class Program:
    """A case's network, and the function that computes what is asked of it.

    Args:
        case: A case; its seed does not matter.
        engine: What compiles or differentiates.

    """

    def __init__(self, case: Case, engine: Engine) -> None:
        self._case = case
        self._network = Network(case, _Ops(), decoding.looped)
        self._trainer = Trainer(self._network) if case.trains else None
        self._forward = engine.forward(self._stateless)
        self._differentiated = engine.differentiated(self._stateless)

    def run(self, problem: Problem) -> Outcome:
        """Compute a problem of the case's shape."""
        moving, fixed = self._tensors(problem)
        if self._trainer:
            return self._trained(self._trainer, problem, moving, fixed)
        if self._case.task == "forward":
            return _arrays(self._forward(moving, fixed))
        outcome, gradients = self._differentiated(moving, fixed)
        native, inputs, initial = keras.tree.map_structure(_array, gradients)
        named = gradients_by_name(self._case, inputs, initial, native)
        return _arrays(outcome) | named

    def _stateless(
        self, moving: Moving, fixed: dict[str, Tensors]
    ) -> dict[str, Tensors]:
        native, inputs, initial = moving
        arrays = {**fixed, "inputs": inputs}
        arrays |= {f"initial_{name}": state for name, state in initial.items()}
        with keras.StatelessScope([*zip(self._network.variables, native, strict=True)]):
            return self._network(Problem(self._case, arrays))

    def _trained(
        self,
        trainer: Trainer,
        problem: Problem,
        moving: Moving,
        fixed: dict[str, Tensors],
    ) -> Outcome:
        """Give an outcome of the first batch, and the weights after each update."""
        self._network.load(problem)
        trainer.start()
        outcomes, after = [], []
        for number, inputs in enumerate([problem["inputs"], *problem["later_inputs"]]):
            held = [ops.stop_gradient(v.value) for v in self._network.variables]
            fed = [held, self._inputs(inputs), moving[2]]
            outcome, gradients = self._differentiated(fed, fixed)
            outcomes.append(outcome)
            trainer.prepare(number + 1)
            trainer.update(gradients[0])
            after.append(self._network.weights())
        trained = {f"trained_{n}": np.stack([of[n] for of in after]) for n in after[0]}
        return _arrays(outcomes[0]) | trained

    def _tensors(self, problem: Problem) -> tuple[Moving, dict[str, Tensors]]:
        states = CELLS[self._case.cell].states
        apart = {"inputs", "later_inputs", *self._case.weight_shapes()}
        apart |= {f"initial_{name}" for name in states}
        moving = [
            [_tensor(array) for array in layout.native_weights(problem)],
            self._inputs(problem.arrays.get("inputs")),
            {name: _tensor(problem[f"initial_{name}"]) for name in states},
        ]
        others = {n: _tensor(a) for n, a in problem.arrays.items() if n not in apart}
        return moving, others

    def _inputs(self, inputs: Array | None) -> Any:
        """Make tensors of inputs `[B, T, D]` as the variant takes them."""
        if inputs is None:
            return []
        if self._case.variant == "static":
            return [_tensor(x) for x in inputs.swapaxes(0, 1)]
        return _tensor(inputs.swapaxes(0, 1) if self._case.time_major else inputs)


def _tensor(array: Array) -> Tensors:
    return ops.convert_to_tensor(np.array(array), array.dtype.name)


def _array(tensor: Tensors) -> Array:
    return np.array(ops.convert_to_numpy(tensor))


def _arrays(tensors: dict[str, Tensors]) -> dict[str, Array]:
    return {name: _array(tensor) for name, tensor in tensors.items()}
