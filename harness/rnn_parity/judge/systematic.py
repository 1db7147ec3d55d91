"""Errors too small for any step to show, but the same at every step: a wrong weight.

Rounding errs up as often as down; a weight that is off errs the same way wherever it
is used. So for each weight of the last layer the errors of many steps are summed up,
each times the slope by which that weight moves it (Rao's score, 1948). What rounding
makes of such a sum grows with the root of the number of steps, a wrong weight with the
number itself. Whatever is not certain to be random is allowed in full: functions' ulps,
what c and layers below carry along, single roundings.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from rnn_parity.judge.adjoint import Float64Adjoint, Outer, Placed, Rows, Through
from rnn_parity.judge.bounded import Bounded, together
from rnn_parity.judge.bounds import certain, ratio
from rnn_parity.judge.equations import step
from rnn_parity.judge.scatter import Scatter, Scattered
from rnn_parity.judge.tape import Tape
from rnn_parity.judge.trajectory import Steps
from rnn_parity_core import CELLS, HALF_DTYPES, Accuracy, Array, Case

_MULTIPLICATIONS = 2**27
"""Of a product of samples and slopes: steps are left out of large networks' sums."""
_FEWEST, _MOST = 256, 8192

_LEAST_SLOPE = 2.0**-200
_LEAST_SQUARE = 2.0**-500
"""Times the square of the least slope, it is still a normal number of float64."""


class Samples(NamedTuple):
    """Steps of one pass over time, of all rows."""

    x: Bounded
    """`[N, I]`"""
    before: dict[str, Bounded]
    """The states before each, `[N, R or H]`."""
    residual: Array
    """What the backend returned, minus the exact step, `[N, R]`."""
    error: Array
    """What |residual| may be."""
    weights: Mapping[str, Array]

    @staticmethod
    def joined(parts: Sequence["Samples"]) -> "Samples":
        """Put the samples of blocks of rows together."""

        def join(*of: Array) -> Array:
            return np.concatenate(of)

        first = parts[0]
        return Samples(
            together(join, *(part.x for part in parts)),
            {
                name: together(join, *(part.before[name] for part in parts))
                for name in first.before
            },
            join(*(part.residual for part in parts)),
            join(*(part.error for part in parts)),
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
    axes = CELLS[case.cell].weights.values()
    shapes = [case.shape(of, case.layers - 1) for of in axes if of[0] in "IR"]
    multiplied = max(sum(map(math.prod, shapes)), 1)
    return min(max(_MULTIPLICATIONS // multiplied, _FEWEST), _MOST)


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

    def taken(of: Array) -> Array:
        return np.asarray(of[at])

    return Samples(
        together(taken, steps.x),
        {name: together(taken, of) for name, of in steps.before.items()},
        seen[at[0], steps.order[at]] - steps.h.value[at],
        steps.h.error[at],
        steps.weights,
    )


@np.errstate(all="ignore")  # what is not a number fails by its steps
def drifts(case: Case, samples: Samples, accuracy: Accuracy) -> dict[str, Drift]:
    """Say of each weight of a pass how far its errors add up, by short name.

    Half precisions are left out: their roundings can be as large as what is summed up,
    and then follow the data.
    """
    if case.dtype in HALF_DTYPES or not len(samples.residual):
        return {}
    scores = _scores(case.cell, samples, accuracy)
    scale = certain(sum(score.signed.size for score in scores.values()))
    # Each is as large as its weight, several times: none is kept longer than needed.
    return {name: _drift(scores.pop(name), scale) for name in list(scores)}


def _drift(score: "_Score", scale: float) -> Drift:
    allowed = score.steady + scale * np.sqrt(score.square)
    estimate = np.where(score.power > 0, score.signed / score.power, 0.0)
    return Drift(ratio(score.signed, allowed), estimate, estimate * score.signed)


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
        factor = _without_small(factor)
        squared = factor * factor
        return _Score(
            self.signed * factor,
            self.steady * np.abs(factor),
            self.square * squared,
            self.power * squared,
        ).in_range()

    def at_worst(self, form: Callable[[Array], Array]) -> "_Score":
        """Add up parts of one step, by a form: what scatters as if of one sign."""
        square, power = (np.square(form(np.sqrt(of))) for of in self[2:])
        return _Score(form(self.signed), form(self.steady), square, power).in_range()

    def in_range(self) -> "_Score":
        """Leave out what has squares too small for float64: of all sums alike."""
        least = np.minimum(
            np.where(self.square > 0, self.square, 1.0),
            np.where(self.power > 0, self.power, 1.0),
        )
        small = least < _LEAST_SQUARE
        if not small.any():
            return self
        return _Score(*(np.where(small, 0.0, part) for part in self))

    def through(self, left: Array | None, right: Array | None) -> "_Score":
        """Give `left.T @ score`, or `score @ right.T`."""
        whole = _without_small(cast("Array", right if left is None else left))

        def product(part: Array, form: Any) -> Array:
            by = form(whole)
            return np.asarray(part @ by.T if left is None else by.T @ part)

        return _Score(
            product(self.signed, np.asarray),
            product(self.steady, np.abs),
            product(self.square, np.square),
            product(self.power, np.square),
        ).in_range()


def _without_small(factor: Array) -> Array:
    """Leave out slopes whose squares would be too small for float64.

    A sum over other slopes, or fewer, is as good a sum, as long as all of a score's
    sums are over the same.
    """
    return np.where(np.abs(factor) < _LEAST_SLOPE, 0.0, factor)


def _scores(cell: str, samples: Samples, accuracy: Accuracy) -> dict[str, _Score]:
    """Go back from all steps to every weight."""
    ops: Any = Scatter(accuracy)
    own = {name: ops.known(of) for name, of in samples.before.items()}
    given: Scattered = step(ops, cell, ops.known(samples.x), own, samples.weights)["h"]
    weight = np.where(samples.error > 0, 1 / samples.error**2, 0.0)
    usable = np.isfinite(weight) & np.isfinite(samples.residual)
    weight = np.where(usable, weight, 0.0)
    residual, steady, sigma = (
        np.where(usable, of, 0.0)
        for of in (samples.residual, given.steady, given.sigma)
    )
    seed = _Score(residual * weight, steady * weight, (sigma * weight) ** 2, weight)
    seed = seed.in_range()
    tape = Tape(_ScoreAdjoint())
    weights = {n: tape.weight(array, n) for n, array in samples.weights.items()}
    before = {name: tape.untraced(of.value) for name, of in samples.before.items()}
    x = tape.untraced(samples.x.value)
    h = step(tape, cell, x, before, weights)["h"]
    found: dict[str, _Score] = tape.backward([(h, seed)])
    return found


class _ScoreAdjoint(Float64Adjoint):
    """Float64 there, and scores on the way back."""

    def constant(self, value: Any, name: str = "") -> Any:
        """Take a score as it is."""
        return value if isinstance(value, _Score) else super().constant(value, name)

    def mul(self, a: Any, b: Any) -> Any:
        """Multiply a score by a value, whichever comes first, or two values."""
        if isinstance(b, _Score):
            a, b = b, a
        return a.times(b) if isinstance(a, _Score) else super().mul(a, b)

    def divide(self, a: Any, b: Array) -> Any:
        """Divide a score, or a value, by a value."""
        return a.times(1 / b) if isinstance(a, _Score) else super().divide(a, b)

    def negative(self, a: Any) -> Any:
        """Turn the sign of a score."""
        return a.times(np.array(-1.0))

    def total(self, a: Any, axis: int = -1) -> Any:
        """Sum up along an axis: at worst with one sign."""
        if not isinstance(a, _Score):
            return super().total(a, axis)
        return a.at_worst(lambda of: of.sum(axis=axis))

    def spread(self, a: Any, size: int, axis: int = -1) -> Any:
        """Repeat along a new axis."""
        plain = super().spread
        if not isinstance(a, _Score):
            return plain(a, size, axis)
        return _Score(*(plain(of, size, axis) for of in a))

    def mean(self, a: Any) -> Any:
        """Give the mean along the last axis: at worst of one sign."""
        plain = super().mean
        return a.at_worst(plain)

    def difference(self, a: Any, b: Any) -> Any:
        """Give `a - b`: at worst of one sign."""
        if not isinstance(a, _Score):
            return super().difference(a, b)
        roots = (np.sqrt(x) + np.sqrt(y) for x, y in zip(a[2:], b[2:], strict=True))
        return _Score(a[0] - b[0], a[1] + b[1], *(np.square(of) for of in roots))

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
