"""All layers, directions and steps of a problem, in any of the arithmetics.

With `observed` outputs the state `h` before each step of the last layer is not what the
step before gave, but what the backend returned: each step then stands for itself.
"""

from typing import Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.judge.cells import Operations, State, Value, prepared, step
from harness.judge.terms import AS_PUBLISHED, Terms
from harness.spec import CELLS, Array, Problem


class Trajectory(NamedTuple, Generic[Value]):
    """What a problem's network computes."""

    outputs: Value
    """`[B, T, R * directions]`"""
    finals: dict[str, list[Value]]
    """State → one value `[B, R]` or `[B, H]` for each layer and direction."""


def trajectory(
    ops: Operations[Value],
    problem: Problem,
    observed: Array | None = None,
    terms: Terms = AS_PUBLISHED,
) -> Trajectory[Value]:
    """Go through a problem.

    Args:
        ops: The arithmetic.
        problem: The problem.
        observed: Outputs of a backend, `[B, T, R * directions]`, float64.
        terms: Terms of the equations.

    """
    case = problem.case
    size = case.recurrent_size
    finals: dict[str, list[Value]] = {state: [] for state in CELLS[case.cell].states}
    x = ops.exactly(problem["inputs"], "inputs")
    for layer in range(case.layers):
        outputs = []
        for number, way in enumerate(case.directions):
            seen = None
            if observed is not None and layer == case.layers - 1:
                seen = observed[..., number * size : (number + 1) * size]
            made, final = _pass(ops, problem, (layer, way), x, seen, terms)
            outputs.append(made)
            for state, value in final.items():
                finals[state].append(value)
        x = ops.concatenate(outputs)
    return Trajectory(x, finals)


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


def _pass(
    ops: Operations[Value],
    problem: Problem,
    which: tuple[int, str],
    x: Value,
    seen: Array | None,
    terms: Terms,
) -> tuple[Value, State[Value]]:
    """One direction of one layer: outputs `[B, T, R]` by time, and final states."""
    case, lengths = problem.case, row_lengths(problem)
    order = processing_order(lengths, case.steps, which[1])
    index = (np.arange(case.batch)[:, np.newaxis], order)
    wide = prepared(case.cell, problem.weights(*which))
    prefix = f"layer{which[0]}.{which[1]}."
    weights = {
        name: array if name == "units" else ops.weight(array, prefix + name)
        for name, array in wide.items()
    }
    initial = problem.initial(*which)
    before = None
    if seen is not None:
        start = initial["h"].astype(np.float64)[:, np.newaxis]
        before = np.concatenate([start, seen[index][:, :-1]], axis=1)
    number = case.passes.index(which)
    state = {
        name: ops.exactly(array, f"initial_{name}.{number}")
        for name, array in initial.items()
    }
    steps = ops.take(x, index)
    zeros = ops.exactly(np.zeros((case.batch, case.recurrent_size)))
    outputs = []
    for s in range(case.steps):
        if before is not None:
            seen_h = ops.seen(before[:, s], state["h"])
            start_of_step = {**state, "h": seen_h}
        else:
            start_of_step = state
        now = ops.take(steps, (slice(None), s))
        taken = step(ops, case.cell, now, start_of_step, weights, terms)
        valid = (s < lengths)[:, np.newaxis]
        state = {name: ops.where(valid, taken[name], state[name]) for name in state}
        outputs.append(ops.where(valid, taken["h"], zeros))
    return ops.take(ops.stack(outputs), index), state
