"""One step of a cell, as published or with other terms, in any of the arithmetics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_core.cell import PUBLISHED, Changes, Step
from rnn_parity_core.operations import Operations, Value

Weights = Mapping[str, Any]
State = dict[str, Value]


@dataclass(frozen=True)
class Equations:
    """What stands in place of published terms."""

    changes: tuple[tuple[str, Any], ...] = ()
    """Keywords of a cell's step, and the terms."""
    store_state: Callable[[Any, Any], Any] | None = None
    """What becomes of a state at the end of a step, of operations and the state."""

    @staticmethod
    def of(changes: Changes = PUBLISHED) -> "Equations":
        """Return those with some terms."""
        return Equations(tuple(changes.items()))

    def step(self, cell: str) -> Step:
        """Return a cell's step with these terms."""
        return CELLS[cell].changed(dict(self.changes))


AS_PUBLISHED = Equations()


def step(
    ops: Operations[Value],
    cell: str,
    x: Value,
    state: State[Value],
    weights: Weights,
    equations: Equations = AS_PUBLISHED,
) -> State[Value]:
    """Take one step of a cell with weights from `prepared`."""
    made: State[Value] = equations.step(cell)(ops, x, state, weights)
    if (store := equations.store_state) is not None:
        made = {name: store(ops, value) for name, value in made.items()}
    return made


def prepared(problem: Problem, which: tuple[int, str]) -> dict[str, Array]:
    """Widen the weights of a pass to float64; biases that a case lacks are zeros."""
    given = problem.weights(*which).items()
    wide = {name: array.astype(np.float64) for name, array in given}
    return {**problem.case.no_biases(), **wide}
