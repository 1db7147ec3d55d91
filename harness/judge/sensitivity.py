"""How small a change of a weight would have flipped a verdict: what it can show.

Where outputs are saturated, or bounds wide, a weight can be far off and pass.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from harness.judge.arithmetic import Float64
from harness.judge.certify import Certificate
from harness.judge.decode import fed
from harness.judge.trajectory import trajectory
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
    names = [name for name in problem.case.weight_shapes() if name.startswith("layer")]
    with np.errstate(all="ignore"):
        return {name: _slope(problem, truth["outputs"], name) for name in names}


def _slope(problem: Problem, outputs: Array, name: str) -> Array:
    grown = problem[name].astype(np.float64) * (1 + _CHANGE)
    other = replace(problem, arrays={**problem.arrays, name: grown})
    return (trajectory(Float64(), other, outputs).outputs - outputs) / _CHANGE


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
