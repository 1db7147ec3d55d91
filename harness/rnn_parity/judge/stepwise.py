"""One exact step from every state that a backend returned, with what it may err by.

Rows do not touch each other, so that they are taken in blocks, side by side: every
processor has something to do. Of steps so many are taken at once as a processor's cache
holds; only where samples are wanted all of a row's are kept. So memory is linear in
what a backend returned.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from threadpoolctl import threadpool_limits

from rnn_parity.judge.bounded import Bounded, together
from rnn_parity.judge.bounds import ratio
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.systematic import Drift, Samples, drifts, most_samples, sampled
from rnn_parity.judge.trajectory import row_lengths, trajectory
from rnn_parity_core import CELLS, Accuracy, Array, Problem

_AT_ONCE = 2**17
"""Values of one kind that are bounded at once: few enough for a cache to hold them, and
enough for calls of NumPy, and for going through weights, not to matter."""
_ROWS_AT_ONCE = 16
_ROWS_OF_SAMPLES = 2
"""Rows that take a processor as long as samples of one do, besides that one."""


_Wanted = tuple[slice, int]
"""Rows, and how many of their steps are wanted as samples."""


class Stepwise(NamedTuple):
    """What a right backend returns from the same states, and how far one is from it."""

    outputs: Bounded
    """`[B, T, R * directions]`, as are the next two."""
    residual: Array
    """What the backend returned minus that."""
    ratio: Array
    """|residual| / its bound."""
    finals: dict[str, Bounded]
    """State → `[L * directions, B, R or H]`"""
    samples: list[Samples]
    """Some steps of each direction of the last layer."""
    systematic: list[dict[str, Drift]]
    """What the errors of these say of each of its weights, by short name."""


class _Part(NamedTuple):
    """What some rows' final states and samples are."""

    finals: dict[str, Bounded]
    samples: list[Samples]


def stepwise(
    problem: Problem,
    outputs: Array,
    accuracy: Accuracy,
    final_h: Array | None = None,
) -> Stepwise:
    """Take one step from each state.

    Args:
        problem: The problem.
        outputs: What a backend returned, `[B, T, R * directions]`, float64.
        accuracy: What it may err by.
        final_h: Final states that it returned, `[L * directions, B, R]`: where every
            row has one step, they are what each layer gave to the next.

    """
    one_step = bool(problem.case.steps == 1 and row_lengths(problem).all())
    below = final_h if one_step else None
    value, error, residual, ratios = (np.empty(outputs.shape) for _ in range(4))

    def of_rows(wanted: _Wanted) -> _Part:
        # Into its place at once: to put large arrays together takes as long as a gate.
        rows, seen = wanted[0], outputs[wanted[0]]
        made, part = _of_rows(problem, seen, accuracy, wanted, below)
        value[rows], error[rows] = made.value, made.error
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(seen, made.value, out=residual[rows])
        ratio(residual[rows], made.error, out=ratios[rows])
        return part

    blocks = list(_blocks(problem))
    with _processors(len(blocks)) as begin:
        begun = [begin(of_rows, wanted) for wanted in blocks]
        sampled_first = [
            made() for made, (_, most) in zip(begun, blocks, strict=True) if most
        ]
        joined = zip(*(part.samples for part in sampled_first), strict=True)
        samples = [Samples.joined(of) for of in joined]
        # While other rows are at work.
        systematic = [drifts(problem.case, of, accuracy) for of in samples]
        parts = [made() for made in begun]
    finals = {
        name: _joined([part.finals[name] for part in parts])
        for name in CELLS[problem.case.cell].states
    }
    return Stepwise(
        Bounded(value, error), residual, ratios, finals, samples, systematic
    )


def _joined(parts: list[Bounded]) -> Bounded:
    """Put final states of blocks of rows together."""
    return Bounded(
        np.concatenate([part.value for part in parts], axis=1),
        np.concatenate([part.error for part in parts], axis=1),
    )


def _at_once(
    of_rows: Callable[[_Wanted], _Part], wanted: _Wanted
) -> Callable[[], _Part]:
    part = of_rows(wanted)
    return lambda: part


@contextmanager
def _processors(blocks: int) -> Iterator[Callable[..., Callable[[], _Part]]]:
    """Give what begins a block of rows, a processor each, and returns what ends it."""
    if blocks == 1:
        yield _at_once
        return
    # Threads that each start threads for their products would wait for one another.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        yield lambda *asked: pool.submit(*asked).result


def _blocks(problem: Problem) -> Iterator[_Wanted]:
    """Cut the batch into blocks of rows: small ones, until there are enough samples.

    What is left is cut into one for each processor. Layers below the last are gone
    through step by step, which takes no longer for many rows than for one.
    """
    case, lengths = problem.case, row_lengths(problem)
    fewest = 1 if case.layers == 1 else _ROWS_AT_ONCE
    rows = max(_AT_ONCE // (case.steps * case.units), fewest)
    most, start = most_samples(case), 0
    while most and start < case.batch:
        yield slice(start, start + rows), most
        most = max(most - int(lengths[start : start + rows].sum()), 0)
        start += rows
    share = case.batch - start + _ROWS_OF_SAMPLES * min(start, case.batch)
    rows = max(-(-share // (os.cpu_count() or 1)), fewest)
    for first in range(start, case.batch, rows):
        yield slice(first, first + rows), 0


def _of_rows(
    problem: Problem,
    seen: Array,
    accuracy: Accuracy,
    wanted: _Wanted,
    below: Array | None,
) -> tuple[Bounded, _Part]:
    rows, most = wanted
    shown = None if below is None else below[:, rows]
    part = rows_of(problem, rows)
    # All steps are kept where some of them are wanted.
    many = None if most else max(_AT_ONCE // (part.case.batch * part.case.units), 1)
    with np.errstate(all="ignore"):  # a bound that is no number says so itself
        exact = trajectory(
            Rounded(accuracy), part, observed=seen, at_once=many, below=shown
        )
        lengths, size = row_lengths(part), part.case.recurrent_size
        samples = [
            sampled(steps, seen[..., k * size : (k + 1) * size], lengths, most)
            for k, steps in enumerate(exact.steps)
        ]
        finals = {
            name: together(lambda *of: np.stack(of), *values)
            for name, values in exact.finals.items()
        }
    return exact.outputs, _Part(finals, samples)


def rows_of(problem: Problem, rows: slice) -> Problem:
    """Give the problem of some rows alone, without what is for other tasks."""
    arrays = {
        name: array
        for name, array in problem.arrays.items()
        if name.startswith("layer")
    }
    arrays["inputs"] = problem["inputs"][rows]
    if "lengths" in problem.arrays:
        arrays["lengths"] = problem["lengths"][rows]
    for state in CELLS[problem.case.cell].states:
        arrays[f"initial_{state}"] = problem[f"initial_{state}"][:, rows]
    case = replace(problem.case, batch=len(arrays["inputs"]), task="forward")
    return Problem(case, arrays)
