"""Errors too small for any step to show, but the same at every step: a wrong weight.

Rounding errs up as often as down; a weight that is off errs the same way wherever it
is used. So for each weight of the last layer the errors of many steps are summed up,
each times the slope by which that weight moves it (Rao's score, 1948). What rounding
makes of such a sum grows with the root of the number of steps, a wrong weight with the
number itself. Whatever is not certain to be random is allowed in full: functions' ulps,
what c and layers below carry along, single roundings.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.judge.adjoint import Float64Adjoint, Outer, Placed, Rows, Through
from harness.judge.bounds import certain, ratio
from harness.judge.cells import step
from harness.judge.tape import Tape
from harness.judge.trajectory import Steps
from harness.spec import CELLS, HALF_DTYPES, Array, Case

_MULTIPLICATIONS = 2**27
"""Of a product of samples and slopes: steps are left out of large networks' sums."""
_FEWEST, _MOST = 256, 8192


class Samples(NamedTuple):
    """Steps of one pass over time, of all rows."""

    x: Array
    """`[N, I]`"""
    before: dict[str, Array]
    """The states before each, `[N, R or H]`."""
    residual: Array
    """What the backend returned, minus the exact step, `[N, R]`."""
    error: Array
    """What |residual| may be."""
    steady: Array
    """What of it may be off at every step alike."""
    sigma: Array
    """How widely the rest scatters."""
    weights: Mapping[str, Array]

    @staticmethod
    def joined(parts: Sequence["Samples"]) -> "Samples":
        """Put the samples of blocks of rows together."""
        first = parts[0]
        return Samples(
            np.concatenate([part.x for part in parts]),
            {
                name: np.concatenate([part.before[name] for part in parts])
                for name in first.before
            },
            np.concatenate([part.residual for part in parts]),
            np.concatenate([part.error for part in parts]),
            np.concatenate([part.steady for part in parts]),
            np.concatenate([part.sigma for part in parts]),
            first.weights,
        )


class Drift(NamedTuple):
    """What the errors of all steps say of each element of a weight."""

    ratio: Array
    """|their sum| / what it may be."""
    estimate: Array
    """By how much the element would have to be off, to first order."""
    explained: Array
    """How much of the squares of all errors / bounds it would then account for."""


def most_samples(case: Case) -> int:
    """Give how many steps are looked at, at most."""
    units = case.units * len(CELLS[case.cell].gates)
    reads = case.input_size(case.layers - 1) + case.recurrent_size
    return min(max(_MULTIPLICATIONS // (units * reads), _FEWEST), _MOST)


def sampled(steps: Steps[Any], seen: Array, lengths: Array, most: int) -> Samples:
    """Take valid steps of a pass, evenly spread.

    Args:
        steps: All of them, with bounds.
        seen: What the backend returned, by time, `[B, T, R]`.
        lengths: Valid steps of each row.
        most: How many to take, at most.

    """
    rows, places = np.nonzero(np.arange(seen.shape[1]) < lengths[:, np.newaxis])
    stride = max(-(-len(rows) // most), 1)
    at = rows[::stride], places[::stride]
    h = steps.h
    return Samples(
        steps.x.value[at],
        {name: of.value[at] for name, of in steps.before.items()},
        seen[at[0], steps.order[at]] - h.value[at],
        h.error[at],
        np.asarray(h.steady)[at],
        np.asarray(h.sigma)[at],
        steps.weights,
    )


@np.errstate(all="ignore")  # what is not a number fails by its steps
def drifts(case: Case, samples: Samples) -> dict[str, Drift]:
    """Say of each weight of a pass how far its errors add up, by short name.

    Half precisions are left out: their roundings can be as large as what is summed up,
    and then follow the data.
    """
    if case.dtype in HALF_DTYPES or not len(samples.x):
        return {}
    scores = _scores(case.cell, samples)
    repeated = max(_most_equal(samples.x), _most_equal(samples.before["h"]))
    if "c" in samples.before:
        repeated *= 2  # what c is rebuilt from errs in two steps
    tests = sum(score.signed.size for score in scores.values())
    scale = certain(tests) * math.sqrt(repeated)
    # Each is as large as its weight, several times: none is kept longer than needed.
    return {name: _drift(scores.pop(name), scale) for name in list(scores)}


def _drift(score: "_Score", scale: float) -> Drift:
    allowed = score.steady + scale * np.sqrt(score.square)
    estimate = np.where(score.power > 0, score.signed / score.power, 0.0)
    return Drift(ratio(score.signed, allowed), estimate, estimate * score.signed)


def _most_equal(rows: Array) -> int:
    """Count how often the most frequent row comes: its roundings are the same ones."""
    mixed = (rows * np.sqrt(np.arange(2, rows.shape[1] + 2))).sum(axis=1)
    return int(np.unique(mixed, return_counts=True)[1].max())


class _Score(NamedTuple):
    """Sums over steps, each times the slope by which something moves it."""

    signed: Array
    """Of residuals."""
    steady: Array
    """Of what they may be for other reasons than roundings of sums."""
    square: Array
    """Of the squares of how widely they scatter."""
    power: Array
    """Of the squared slopes alone."""

    def times(self, factor: Array) -> "_Score":
        squared = factor * factor
        return _Score(
            self.signed * factor,
            self.steady * np.abs(factor),
            self.square * squared,
            self.power * squared,
        )

    def through(self, left: Array | None, right: Array | None) -> "_Score":
        """Give `left.T @ score`, or `score @ right.T`."""

        def product(part: Array, form: Any) -> Array:
            made = form(left).T @ part if left is not None else part @ form(right).T
            return np.asarray(made)

        return _Score(
            product(self.signed, np.asarray),
            product(self.steady, np.abs),
            product(self.square, np.square),
            product(self.power, np.square),
        )


def _scores(cell: str, samples: Samples) -> dict[str, _Score]:
    """Go back from all steps to every weight."""
    weight = np.where(samples.error > 0, 1 / samples.error**2, 0.0)
    usable = np.isfinite(weight) & np.isfinite(samples.residual)
    weight = np.where(usable, weight, 0.0)
    residual, steady, sigma = (
        np.where(usable, of, 0.0)
        for of in (samples.residual, samples.steady, samples.sigma)
    )
    seed = _Score(residual * weight, steady * weight, (sigma * weight) ** 2, weight)
    tape = Tape(_ScoreAdjoint())
    weights = {
        name: array if name == "units" else tape.weight(array, name)
        for name, array in samples.weights.items()
    }
    before = {name: tape.constant(array) for name, array in samples.before.items()}
    x = tape.constant(samples.x)
    h = step(tape, cell, x, before, weights)["h"]
    found: dict[str, _Score] = tape.backward([(h, seed)])
    return found


class _ScoreAdjoint(Float64Adjoint):
    """Float64 there, and scores on the way back."""

    def exactly(self, value: Any, name: str = "") -> Any:
        """Take a score as it is."""
        return value if isinstance(value, _Score) else super().exactly(value, name)

    def mul(self, a: Any, b: Array) -> Any:
        """Multiply a score, or a value, by a value."""
        return a.times(b) if isinstance(a, _Score) else super().mul(a, b)

    def scale(self, a: Any, weight: Array) -> Any:
        """Multiply the same by a weight."""
        return self.mul(a, weight)

    def fan_in(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Any:
        """Sum up what one step's errors say of a value: at worst with one sign."""
        sums = [np.zeros(shape) for _ in _Score._fields]
        for part in parts:
            index, score = ..., part
            if isinstance(part, Placed):
                index, score = part.index, part.gradient
            elif isinstance(part, Through):
                score = part.gradient.through(None, part.weight)
            for total, of in zip(sums[:2], score[:2], strict=True):
                total[index] += of
            for total, of in zip(sums[2:], score[2:], strict=True):
                total[index] += np.sqrt(of)
        return _Score(sums[0], sums[1], sums[2] ** 2, sums[3] ** 2)

    def of_weight(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Any:
        """Sum up over steps what their errors say of a weight."""
        sums = [np.zeros(shape) for _ in _Score._fields]
        for part in parts:
            index, score = ..., part
            if isinstance(part, Placed):
                index, score = part.index, part.gradient
            elif isinstance(part, Rows):
                score = _Score(*(of.sum(axis=0) for of in part.gradient))
            elif isinstance(part, Outer):
                score = part.gradient.through(part.x, None)
            for total, of in zip(sums, score, strict=True):
                total[index] += of
        return _Score(*sums)
