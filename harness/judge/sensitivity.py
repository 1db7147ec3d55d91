"""How small a change of a weight would have flipped a verdict: what it can show.

Where outputs are saturated, or bounds wide, a weight can be far off and pass.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.judge.arithmetic import Float64
from harness.judge.cells import step
from harness.judge.certify import Certificate
from harness.judge.decode import fed
from harness.judge.trajectory import Steps, row_lengths, trajectory
from harness.spec import Array, Outcome, Problem

_CHANGE = 2.0**-20
"""Large beside float64's roundings, 2**-53, and small beside what bends a curve."""

_LARGEST = 1.0
"""Beyond a weight's own size a slope says nothing."""

Slopes = Mapping[str, Array]
"""Weight, by its full name → what a step's outputs move by as all of it grows, relative
to itself, `[B, T, R * directions]`."""


def slopes(problem: Problem, truth: Outcome) -> Slopes:
    """Give how one step of each kind of weight moves outputs, from the true states.

    Args:
        problem: The problem.
        truth: Its float64 outcome.

    """
    if "tokens" in truth:
        problem = fed(problem, truth["tokens"])
    outputs, last = truth["outputs"], f"layer{problem.case.layers - 1}."
    with np.errstate(all="ignore"):
        own = trajectory(Float64(), problem, outputs).steps
        found = {}
        for name in problem.case.weight_shapes():
            if not name.startswith("layer"):
                continue
            grown = problem[name].astype(np.float64) * (1 + _CHANGE)
            if name.startswith(last):
                steps = _with_weight(problem, own, name, grown)
            else:
                other = replace(problem, arrays={**problem.arrays, name: grown})
                below = trajectory(Float64(), other, outputs).steps
                steps = [_Steps(a.x, b) for a, b in zip(below, own, strict=True)]
            found[name] = (_outputs(problem, steps) - outputs) / _CHANGE
        return found


class _Steps(NamedTuple):
    """Steps of a pass from the true states, of a network that is changed."""

    x: Array
    true: Steps[Array]
    weights: Mapping[str, Array] | None = None

    def taken(self, cell: str) -> Array:
        """Take them all, `[B, T, R]`."""
        weights = self.weights or self.true.weights
        return step(Float64(), cell, self.x, self.true.before, weights)["h"]


def _with_weight(
    problem: Problem, steps: Sequence[Steps[Array]], name: str, grown: Array
) -> list[_Steps]:
    """Change a weight of the last layer, in its own direction."""
    _, way, short = name.split(".")
    return [
        _Steps(of.x, of, {**of.weights, short: grown} if way == direction else None)
        for direction, of in zip(problem.case.directions, steps, strict=True)
    ]


def _outputs(problem: Problem, steps: Sequence[_Steps]) -> Array:
    """Put what passes give in the order of time, zeros past the end."""
    valid = np.arange(problem.case.steps) < row_lengths(problem)[:, np.newaxis]
    parts = []
    for of in steps:
        made = np.where(valid[..., np.newaxis], of.taken(problem.case.cell), 0.0)
        parts.append(np.take_along_axis(made, of.true.order[..., np.newaxis], axis=1))
    return np.concatenate(parts, axis=-1)


def smallest_changes(
    slopes: Slopes, certificate: Certificate
) -> dict[str, float | None]:
    """Give the smallest relative change of each kind of weight that would have failed.

    All elements of one array change by the same factor. Of a kind, of all recurrent
    kernels for example, it is the array whose change shows least.

    Args:
        slopes: Of the same problem.
        certificate: What a backend's outcome was held to, which passed.

    Returns:
        Kind of weight → change; None where not even twice the weight would have
        failed for what it does to outputs.

    """
    least: dict[str, float] = {}
    for name, change in _changes(slopes, certificate):
        kind = name.rpartition(".")[2]
        least[kind] = max(change, least.get(kind, 0.0))
    return {kind: c if c < _LARGEST else None for kind, c in least.items()}


def _changes(slopes: Slopes, certificate: Certificate) -> Iterator[tuple[str, float]]:
    room = certificate.bound - np.abs(certificate.residual)
    for name, slope in slopes.items():
        moved = np.abs(slope)
        # What float64 itself makes of a change is no sign of one.
        shows = moved * _CHANGE > 2.0**-50 * np.abs(certificate.state)
        changes = np.divide(
            room, moved, out=np.full(room.shape, np.inf), where=shows & (moved > 0)
        )
        yield name, float(changes.min(initial=np.inf))
