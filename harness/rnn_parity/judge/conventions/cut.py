"""A small part of a problem on which most hypotheses fail already."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from rnn_parity.judge.trajectory import processing_order, row_lengths
from rnn_parity_core import Array, Problem


@dataclass(frozen=True)
class Cut:
    """Some rows, and as many steps from where a pass begins."""

    rows: tuple[int, ...]
    steps: int

    def pieces(
        self, problem: Problem, outputs: Array
    ) -> Iterator[tuple[Problem, Array]]:
        """Cut a problem and its outputs `[B, T, R * directions]`.

        Upper layers of both directions read all steps: only rows are left out there.
        """
        case = problem.case
        if len(case.directions) == 1:
            yield self._one_way(problem, outputs, case.direction)
        elif case.layers == 1:
            for number, way in enumerate(case.directions):
                size = case.recurrent_size
                own = outputs[..., number * size : (number + 1) * size]
                yield self._one_way(problem, own, way)
        else:
            times = np.tile(np.arange(case.steps), (len(self.rows), 1))
            yield self._taken(problem, outputs, times, row_lengths(problem))

    def _one_way(
        self, problem: Problem, outputs: Array, way: str
    ) -> tuple[Problem, Array]:
        """Cut one direction where it begins: at the first or the last valid step."""
        case, lengths = problem.case, row_lengths(problem)
        steps = min(self.steps, case.steps)
        start = np.maximum(lengths - steps, 0) if way == "reverse" else 0 * lengths
        times = start[list(self.rows), np.newaxis] + np.arange(steps)
        passes = [k for k, (_, other) in enumerate(case.passes) if other == way]
        arrays = {
            name: array[passes] if name.startswith("initial_") else array
            for name, array in problem.arrays.items()
            if not name.startswith("layer") or f".{way}." in name
        }
        of_way = Problem(msgspec.structs.replace(case, direction=way), arrays)
        return self._taken(of_way, outputs, times, np.minimum(lengths, steps))

    def _taken(
        self, problem: Problem, outputs: Array, times: Array, lengths: Array
    ) -> tuple[Problem, Array]:
        rows = list(self.rows)
        arrays = {
            name: array[:, rows] if name.startswith("initial_") else array
            for name, array in problem.arrays.items()
        }
        index = (np.array(rows)[:, np.newaxis], times)
        arrays |= {"inputs": problem["inputs"][index], "lengths": lengths[rows]}
        case = msgspec.structs.replace(
            problem.case, batch=len(rows), steps=times.shape[1]
        )
        return Problem(case, arrays), outputs[index]


def cut_at(problem: Problem, ratio: Array, rows: int, steps: int) -> Cut:
    """Cut after the step at which an outcome is outside its bounds first.

    Args:
        problem: The problem.
        ratio: |error| / bound of the outputs, `[B, T, R * directions]`.
        rows: Rows to take: the first bad one, and then the worst ones.
        steps: Steps to take at least.

    """
    case = problem.case
    lengths = row_lengths(problem)
    parts = np.split(ratio > 1, len(case.directions), axis=-1)
    first = np.full(case.batch, case.steps)
    for way, wrong in zip(case.directions, parts, strict=True):
        order = processing_order(lengths, case.steps, way)
        places = np.where(wrong.any(axis=-1), order, case.steps)
        first = np.minimum(first, places.min(axis=1, initial=case.steps))
    worst = ratio.max(axis=(1, 2), initial=0)
    few = lengths < steps
    chosen = sorted(
        range(case.batch), key=lambda row: (first[row], few[row], -worst[row])
    )
    last = int(first.min(initial=case.steps))
    return Cut(tuple(chosen[:rows]), min(max(last + 1, steps), case.steps))


def weights_gone_through(problem: Problem) -> float:
    """Count the weights that all steps of a problem take, each step anew."""
    sizes = [a.size for name, a in problem.arrays.items() if name.startswith("layer")]
    return problem.case.steps * float(sum(sizes))
