"""All layers, directions and steps of a problem, in any of the arithmetics.

With `observed` outputs the state `h` before each step of the last layer is not what the
step before gave, but what the backend returned: each step then stands for itself, and
all are taken at once.
"""

from typing import Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.judge.cells import (
    EQUATIONS,
    Late,
    State,
    Weights,
    carried,
    prepared,
    returned,
    step,
)
from harness.judge.operations import Operations, Value
from harness.judge.terms import AS_PUBLISHED, Terms
from harness.spec import CELLS, Array, Problem


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
    """Of each direction of the last layer, if that was observed."""


def trajectory(
    ops: Operations[Value],
    problem: Problem,
    observed: Array | None = None,
    terms: Terms = AS_PUBLISHED,
    *,
    one_by_one: bool = False,
) -> Trajectory[Value]:
    """Go through a problem.

    Args:
        ops: The arithmetic.
        problem: The problem.
        observed: Outputs of a backend, `[B, T, R * directions]`, float64.
        terms: Terms of the equations.
        one_by_one: Whether observed steps follow one another too, for what flows back.

    """
    case = problem.case
    size = case.recurrent_size
    finals: dict[str, list[Value]] = {state: [] for state in CELLS[case.cell].states}
    steps: list[Steps[Value]] = []
    x = ops.exactly(problem["inputs"], "inputs")
    for layer in range(case.layers):
        outputs = []
        for number, way in enumerate(case.directions):
            this = _Pass(ops, problem, (layer, way), terms)
            if observed is None or layer < case.layers - 1:
                made, final = this.followed(x)
            else:
                seen = observed[..., number * size : (number + 1) * size]
                if one_by_one:
                    made, final = this.followed(x, seen)
                else:
                    made, final, taken = this.observed(x, seen)
                    steps.append(taken)
            outputs.append(made)
            for state, value in final.items():
                finals[state].append(value)
        x = ops.past(ops.concatenate(outputs))
    return Trajectory(x, finals, tuple(steps))


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
        terms: Terms,
    ) -> None:
        self._ops, self._terms, self._case = ops, terms, problem.case
        case = problem.case
        self._lengths = row_lengths(problem)
        self._order = processing_order(self._lengths, case.steps, which[1])
        self._index = (np.arange(case.batch)[:, np.newaxis], self._order)
        self._valid = np.arange(case.steps) < self._lengths[:, np.newaxis]
        prefix = f"layer{which[0]}.{which[1]}."
        self._weights = {
            name: array if name == "units" else ops.weight(array, prefix + name)
            for name, array in prepared(case.cell, problem.weights(*which)).items()
        }
        self._initial = problem.initial(*which)
        number = case.passes.index(which)
        self._start = {
            name: ops.exactly(array, f"initial_{name}.{number}")
            for name, array in self._initial.items()
        }

    def followed(
        self, x: Value, seen: Array | None = None
    ) -> tuple[Value, State[Value]]:
        """Take one step after the other, from where the last one or a backend was.

        Args:
            x: What the layer reads, `[B, T, I]`.
            seen: What a backend returned, `[B, T, R]`.

        """
        ops, case, state = self._ops, self._case, self._start
        before = None if seen is None else self._before(seen)
        steps = ops.take(x, self._index)
        zeros = self._zeros(case.batch)
        outputs = []
        for s in range(case.steps):
            start = state
            if before is not None:
                start = {**state, "h": ops.seen(before[:, s], state["h"])}
            now = ops.take(steps, (slice(None), s))
            taken = step(ops, case.cell, now, start, self._weights, self._terms)
            valid = self._valid[:, s, np.newaxis]
            state = {name: ops.where(valid, taken[name], state[name]) for name in state}
            outputs.append(ops.where(valid, taken["h"], zeros))
        return ops.take(ops.stack(outputs), self._index), state

    def observed(
        self, x: Value, seen: Array
    ) -> tuple[Value, State[Value], Steps[Value]]:
        """Take all steps at once, each from where a backend was before it."""
        ops, case, weights = self._ops, self._case, self._weights
        steps = ops.take(x, self._index)
        before = {"h": ops.seen(self._before(seen), None)}
        early = EQUATIONS[case.cell].early(
            ops, steps, before["h"], weights, self._terms
        )
        after, final = None, dict(self._start)
        if "c" in final:
            before["c"], after, final["c"] = self._carried(early, seen[self._index])
        late = Late(before, after, weights)
        h = returned(ops, case.cell, early, late, self._terms)
        at = np.arange(case.batch), np.maximum(self._lengths - 1, 0)
        began = (self._lengths > 0)[:, np.newaxis]
        final["h"] = ops.where(began, ops.take(h, at), self._start["h"])
        valid = self._valid[..., np.newaxis]
        outputs = ops.where(valid, h, self._zeros(case.batch, case.steps))
        taken = Steps(steps, before, h, weights, self._order)
        return ops.take(outputs, self._index), final, taken

    def _carried(self, early: State[Value], h: Array) -> tuple[Value, Value, Value]:
        """Go through c step by step: before and after each, and at the end.

        Where what a backend returned tells c more exactly than the steps before it do,
        that is what the next step starts from. Peepholes and projections hide it.
        """
        ops, c = self._ops, self._start["c"]
        rebuilt = None
        if self._case.cell == "lstm" and self._terms is AS_PUBLISHED:
            rebuilt = ops.rebuilt(early["o"], h)
        start, before, after = c, [], []
        for s in range(self._case.steps):
            at = (slice(None), s)
            now = {name: ops.take(early[name], at) for name in "ifg"}
            taken = carried(
                ops, self._case.cell, now, start, self._weights, self._terms
            )
            before.append(start)
            after.append(taken)
            c = ops.where(self._valid[:, s, np.newaxis], taken, c)
            start = ops.past(c)
            if rebuilt is not None:
                start = ops.nearer(ops.take(rebuilt, at), start)
        return ops.stack(before), ops.stack(after), c

    def _before(self, seen: Array) -> Array:
        """Give what a backend had before each step, `[B, T, R]`."""
        start = self._initial["h"].astype(np.float64)[:, np.newaxis]
        return np.concatenate([start, seen[self._index][:, :-1]], axis=1)

    def _zeros(self, *axes: int) -> Value:
        return self._ops.exactly(np.zeros((*axes, self._case.recurrent_size)))
