"""All layers, directions and steps of a problem, in any of the arithmetics.

With `observed` outputs the state `h` before each step of the last layer is not what the
step before gave, but what the backend returned: each step then stands for itself, and
all are taken at once.
"""

from typing import Any, Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_parity.judge.carrying import Carrying, over
from rnn_parity.judge.equations import (
    AS_PUBLISHED,
    Equations,
    State,
    Weights,
    prepared,
    step,
)
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_core.operations import Operations, Value


class Steps(NamedTuple, Generic[Value]):
    """All steps of one observed pass, in the order of processing, `[B, T, …]`."""

    x: Value
    before: State[Value]
    """The states before each step."""
    h: Value
    """What each step gives; past a row's end as well."""
    weights: Weights
    order: NDArray[np.int64]
    """The time index of each step, `[B, T]`."""


class Trajectory(NamedTuple, Generic[Value]):
    """What a problem's network computes."""

    outputs: Value
    """`[B, T, R * directions]`"""
    finals: dict[str, list[Value]]
    """State → one value `[B, R]` or `[B, H]` for each layer and direction."""
    steps: tuple[Steps[Value], ...] = ()
    """Of each direction of the last layer, if all its steps were observed at once."""
    below: tuple[Value, ...] = ()
    """Outputs of each layer below the last."""


def trajectory(  # noqa: PLR0913 - all that a backend may have shown, and how to go
    ops: Operations[Value],
    problem: Problem,
    observed: Array | None = None,
    equations: Equations = AS_PUBLISHED,
    *,
    one_by_one: bool = False,
    at_once: int | None = None,
    below: Array | None = None,
) -> Trajectory[Value]:
    """Go through a problem.

    Args:
        ops: The arithmetic.
        problem: The problem.
        observed: Outputs of a backend, `[B, T, R * directions]`, float64.
        equations: Terms in place of the published ones.
        one_by_one: Whether observed steps follow one another too, for what flows back.
        at_once: How many observed steps are taken at once, so that what is computed of
            them stays in a processor's cache; None: all of them.
        below: What a backend's layers gave the next one in their only step, where there
            is no other, `[L * directions, B, R]`.

    """
    case = problem.case
    size = case.recurrent_size
    finals: dict[str, list[Value]] = {state: [] for state in CELLS[case.cell].states}
    steps: list[Steps[Value]] = []
    lower: list[Value] = []
    x = ops.constant(problem["inputs"], "inputs")
    for layer in range(case.layers):
        outputs = []
        for number, way in enumerate(case.directions):
            this = _Pass(ops, problem, (layer, way), equations)
            if observed is None or layer < case.layers - 1:
                made, final = this.free_running(x)
                if below is not None:
                    shown = below[len(finals["h"])][:, np.newaxis]
                    # What goes on may have been computed once more, from equal sums.
                    same = _Pass(ops.of_same_sums(), problem, (layer, way), equations)
                    again, _ = same.free_running(x)
                    made = ops.handed_on(shown, again)
            else:
                seen = observed[..., number * size : (number + 1) * size]
                if one_by_one:
                    made, final = this.free_running(x, seen)
                else:
                    made, final, taken = this.teacher_forced(x, seen, at_once)
                    steps += taken
            outputs.append(made)
            for state, value in final.items():
                finals[state].append(value)
        x = ops.detach(ops.concatenate(outputs))
        lower.append(x)
    return Trajectory(x, finals, tuple(steps), tuple(lower[:-1]))


def row_lengths(problem: Problem) -> NDArray[np.int64]:
    """Count the valid steps of each row, `[B]`."""
    case = problem.case
    full = np.full(case.batch, case.steps, dtype=np.int64)
    return problem.arrays.get("lengths", full).astype(np.int64)


def processing_order(lengths: Array, steps: int, direction: str) -> NDArray[np.int64]:
    """Give the time index that a pass comes to as its s-th, `[B, T]`.

    The reverse pass starts at a row's last valid step; what lies past it stays.
    The order is its own inverse.
    """
    forward = np.tile(np.arange(steps), (len(lengths), 1))
    if direction == "forward":
        return forward
    last = lengths[:, np.newaxis] - 1
    return np.where(forward <= last, last - forward, forward)


class _Pass(Generic[Value]):
    """One direction of one layer: outputs `[B, T, R]` by time, and final states."""

    def __init__(
        self,
        ops: Operations[Value],
        problem: Problem,
        which: tuple[int, str],
        equations: Equations,
    ) -> None:
        self._ops, self._equations, self._case = ops, equations, problem.case
        case = problem.case
        self._lengths = row_lengths(problem)
        self._order = processing_order(self._lengths, case.steps, which[1])
        # By time to by order of processing, and back.
        self._index: Any = (np.arange(case.batch)[:, np.newaxis], self._order)
        if which[1] == "forward":
            self._index = ...  # copies nothing
        self._valid = np.arange(case.steps) < self._lengths[:, np.newaxis]
        prefix = f"layer{which[0]}.{which[1]}."
        self._weights = {
            name: ops.weight(array, prefix + name)
            for name, array in prepared(problem, which).items()
        }
        self._initial = problem.initial(*which)
        number = case.passes.index(which)
        self._start = {
            name: ops.constant(array, f"initial_{name}.{number}")
            for name, array in self._initial.items()
        }

    def free_running(
        self, x: Value, seen: Array | None = None
    ) -> tuple[Value, State[Value]]:
        """Take one step after the other, from where the last one or a backend was.

        Args:
            x: What the layer reads, `[B, T, I]`.
            seen: What a backend returned, `[B, T, R]`.

        """
        ops, case, state = self._ops, self._case, self._start
        before = None
        if seen is not None and "h" in state:
            before = self._before(seen[self._index])
        steps = ops.take(x, self._index)
        zeros = self._zeros(case.batch)
        outputs = []
        for s in range(case.steps):
            start = state
            if before is not None:
                start = {**state, "h": ops.observe(before[:, s], state["h"])}
            now = ops.take(steps, (slice(None), s))
            taken = step(ops, case.cell, now, start, self._weights, self._equations)
            valid = self._valid[:, s]
            state = {
                name: ops.where(over(valid, taken[name]), taken[name], old)
                for name, old in state.items()
            }
            outputs.append(ops.where(valid[:, np.newaxis], taken["h"], zeros))
        return ops.take(ops.stack(outputs), self._index), state

    def teacher_forced(
        self, x: Value, seen: Array, at_once: int | None
    ) -> tuple[Value, State[Value], list[Steps[Value]]]:
        """Take many steps at once, each from where a backend was before it."""
        ops, case = self._ops, self._case
        ordered, shown = ops.take(x, self._index), seen[self._index]
        states = None
        if "h" in self._start:
            states = ops.observe(self._before(shown), None)
        carrying = Carrying(ops, self._equations, case.cell, self._weights, self._start)
        pieces, many = [], at_once or case.steps
        for first in range(0, case.steps, many):
            at = slice(None), slice(first, first + many)
            now = ops.take(ordered, at)
            start = None if states is None else ops.take(states, at)
            before, h = carrying.piece(now, start, shown[at], self._valid[at])
            pieces.append(Steps(now, before, h, self._weights, self._order))
        h = ops.concatenate([piece.h for piece in pieces], axis=1)
        last = np.arange(case.batch), np.maximum(self._lengths - 1, 0)
        began = (self._lengths > 0)[:, np.newaxis]
        final = dict(carrying.states)
        if states is not None:
            own = ops.where(began, ops.take(h, last), self._start["h"])
            final = {"h": own, **final}
        outputs = self._if(self._valid, h, self._zeros(case.batch, case.steps))
        return ops.take(outputs, self._index), final, pieces if not at_once else []

    def _if(self, valid: Array, taken: Value, otherwise: Value) -> Value:
        """Take what steps give where they are valid, which mostly all are."""
        if valid.all():
            return taken
        return self._ops.where(valid[..., np.newaxis], taken, otherwise)

    def _before(self, shown: Array) -> Array:
        """Give what a backend had before each step, `[B, T, R]`."""
        start = self._initial["h"].astype(np.float64)[:, np.newaxis]
        return np.concatenate([start, shown[:, :-1]], axis=1)

    def _zeros(self, *axes: int) -> Value:
        return self._ops.constant(np.zeros((*axes, self._case.recurrent_size)))
