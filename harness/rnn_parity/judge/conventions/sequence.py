"""Steps, rows, lengths and initial states other than those that were given."""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from rnn_parity.judge.conventions.hypothesis import Arrays
from rnn_parity.judge.trajectory import row_lengths
from rnn_parity_core import CELLS, Array, Case, Problem

_Named = Iterator[tuple[str, Arrays]]


def flipped(array: Array, lengths: Array) -> Array:
    """Reverse the steps of each row within its length, `[B, T, …]`."""
    turned = array.copy()
    for row, length in zip(turned, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    return turned


def by_pass(case: Case, array: Array) -> Array:
    """Give states a layer and a direction axis: `[L, directions, B, …]`."""
    return array.reshape(case.layers, len(case.directions), *array.shape[1:])


PASSES: dict[str, Callable[[Array], Array]] = {
    "of directions swapped": lambda a: a[:, ::-1],
    "of layers in reverse order": lambda a: a[::-1],
    "by direction, then layer": lambda a: a.swapaxes(0, 1),
    "by layer taken for by direction": lambda a: a.reshape(
        a.shape[1], a.shape[0], *a.shape[2:]
    ).swapaxes(0, 1),
    "of rows shifted by one": lambda a: np.roll(a, 1, axis=2),
    "of rows shifted back by one": lambda a: np.roll(a, -1, axis=2),
    "of rows in reverse order": lambda a: a[:, :, ::-1],
    "of the first layer and direction everywhere": lambda a: np.broadcast_to(
        a[:1, :1], a.shape
    ),
    "of the last layer and direction everywhere": lambda a: np.broadcast_to(
        a[-1:, -1:], a.shape
    ),
}
"""What can happen to states, `[L, directions, B, …]`."""


def _initial_states(problem: Problem) -> _Named:
    states = {n: problem[f"initial_{n}"] for n in CELLS[problem.case.cell].states}
    for name, array in states.items():
        yield f"initial {name} dropped", {f"initial_{name}": np.zeros_like(array)}
    if len(states) > 1:
        zeros = {f"initial_{n}": np.zeros_like(a) for n, a in states.items()}
        yield "initial states dropped", zeros
        for one, other in combinations(states, 2):
            if states[one].shape == states[other].shape:
                swapped = {one: states[other], other: states[one]}
                yield (
                    f"initial {one} and {other} swapped",
                    {f"initial_{name}": array for name, array in swapped.items()},
                )
    for words, rearrange in PASSES.items():
        moved = {
            name: rearrange(by_pass(problem.case, a)).reshape(a.shape)
            for name, a in states.items()
        }
        whole = {f"initial_{name}": a for name, a in moved.items()}
        yield f"initial states {words}", whole
        for name in states if len(states) > 1 and "rows" in words else ():
            yield f"initial {name} {words}", {f"initial_{name}": moved[name]}


def _late(inputs: Array, by: int) -> Array:
    moved = np.zeros_like(inputs)
    if by > 0:
        moved[:, by:] = inputs[:, :-by]
    else:
        moved[:, :by] = inputs[:, -by:]
    return moved


def _last_left_out(inputs: Array) -> Array:
    """Read the step before the last one twice."""
    return np.concatenate([inputs[:, :-1], inputs[:, -2:-1]], axis=1)


def _inputs(problem: Problem) -> _Named:
    x, lengths = problem["inputs"], row_lengths(problem)
    batch, steps, *_ = x.shape
    padded = bool((lengths < steps).any())
    other = {"steps in reverse order": flipped(x, lengths)}
    if padded:
        other["steps in reverse order, padding included"] = x[:, ::-1]
    other |= {
        "rows in reverse order": x[::-1],
        "rows of inputs shifted by one": np.roll(x, 1, axis=0),
        "rows of inputs shifted back by one": np.roll(x, -1, axis=0),
        "inputs a step late": _late(x, 1),
        "inputs a step early": _late(x, -1),
    }
    if batch == steps:
        other["time-major inputs taken for batch-major"] = x.swapaxes(0, 1)
    transposed = x.swapaxes(0, 1).reshape(x.shape)
    other["memory of time-major inputs read as batch-major"] = transposed
    back = x.reshape(steps, batch, -1).swapaxes(0, 1)
    other["memory of batch-major inputs read as time-major"] = back
    if steps > 1:
        other["step before the last read twice"] = _last_left_out(x)
    yield from ((name, {"inputs": array}) for name, array in other.items())


def _lengths(problem: Problem) -> _Named:
    if "lengths" not in problem.arrays:
        return
    lengths, steps = problem["lengths"], problem.case.steps
    full = np.full_like(lengths, steps)
    other = {
        "lengths ignored": full,
        "lengths one too large": np.minimum(lengths + 1, steps),
        "lengths one too small": np.maximum(lengths - 1, 0),
        "lengths one too small, but not 0": np.where(lengths > 1, lengths - 1, lengths),
        "length 0 taken for full": np.where(lengths == 0, full, lengths),
        "length 0 taken for 1": np.maximum(lengths, 1),
        "lengths of rows in reverse order": lengths[::-1],
    }
    yield from ((name, {"lengths": array}) for name, array in other.items())


def sequence_conventions(problem: Problem) -> _Named:
    """Give everything that can happen to steps, rows, lengths and initial states."""
    yield from _initial_states(problem)
    yield from _inputs(problem)
    yield from _lengths(problem)
