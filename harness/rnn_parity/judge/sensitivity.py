"""How small a change of a weight would have flipped a verdict: what it can show.

Where outputs are saturated, or bounds wide, a weight can be far off and pass.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.certify import Certificate, reference
from rnn_parity.judge.decode import fed
from rnn_parity.judge.equations import step
from rnn_parity.judge.estimate import FACTOR, Spread, error_of
from rnn_parity.judge.trajectory import Steps, row_lengths, trajectory
from rnn_parity_core import Array, Outcome, Problem
from rnn_parity_core.layers import one_layer

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


def sensitivity(slopes: Slopes, certificate: Certificate) -> dict[str, float | None]:
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


def changes_in_layers(certificate: Certificate) -> dict[str, float | None]:
    """Give the same where each layer was certified by itself."""
    whole = certificate.problem
    dtype, lower = whole.case.dtype, certificate.below[-1].state
    last = one_layer(whole, whole.case.layers - 1, lower.astype(dtype))
    found: list[dict[str, float | None]] = []
    for own in (*certificate.below, certificate._replace(problem=last)):
        moved = slopes(own.problem, reference(own.problem))
        found.append(sensitivity(moved, own))
    return {kind: _largest([of[kind] for of in found]) for kind in found[0]}


def _largest(changes: list[float | None]) -> float | None:
    numbers = [change for change in changes if change is not None]
    return max(numbers) if len(numbers) == len(changes) else None


def changes_by_estimate(spread: Spread, outcome: Outcome) -> dict[str, float | None]:
    """Give the same of an outcome that is consistent: what moves no output beyond it.

    Here a change goes through the whole network, and is held to how far right ones
    spread, times the factor.
    """
    problem, least = spread.problem, dict[str, float]()
    names = [name for name in spread.exact if name in outcome]
    with np.errstate(all="ignore"):
        room = {
            name: FACTOR * spread.size[name] - np.abs(error_of(spread, name, outcome))
            for name in names
        }
        for weight in problem.case.weight_shapes():
            grown = problem[weight].astype(np.float64) * (1 + _CHANGE)
            other = replace(problem, arrays={**problem.arrays, weight: grown})
            made = reference(other)
            change = min(
                float(_until(room[n], (made[n] - spread.exact[n]) / _CHANGE))
                for n in names
            )
            kind = weight.rpartition(".")[2]
            least[kind] = max(change, least.get(kind, 0.0))
    return {kind: c if c < _LARGEST else None for kind, c in least.items()}


def _until(room: Array, slope: Array) -> float:
    moved = np.abs(slope)
    shows = moved * _CHANGE > 2.0**-40
    changes = np.divide(room, moved, out=np.full(room.shape, np.inf), where=shows)
    return float(np.nan_to_num(changes, nan=np.inf).min(initial=np.inf))


def _changes(slopes: Slopes, certificate: Certificate) -> Iterator[tuple[str, float]]:
    room = certificate.bound - np.abs(certificate.residual)
    for name, slope in slopes.items():
        moved = np.abs(slope)
        # What float64 itself makes of a change is no sign of one.
        shows = moved * _CHANGE > 2.0**-50 * np.abs(certificate.state)
        with np.errstate(over="ignore"):  # of what hardly moves anything, none is seen
            changes = np.divide(
                room, moved, out=np.full(room.shape, np.inf), where=shows & (moved > 0)
            )
        yield name, float(changes.min(initial=np.inf))
