"""Sums over steps, each times the slope by which something moves it, backwards.

What one step's errors say of a value is added up as if all had one sign; what those of
all steps say of a weight, as what scatters does.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from rnn_parity.judge.adjoint import Float64Adjoint, Outer, Placed, Rows, Through
from rnn_parity_core import Array

_LEAST_SLOPE = 2.0**-200
_LEAST_SQUARE = 2.0**-500
"""Times the square of the least slope, it is still a normal number of float64."""


class Score(NamedTuple):
    """Sums over steps, each times the slope by which something moves it."""

    signed: Array
    """Of residuals."""
    steady: Array
    """Of what they may be for other reasons than roundings of sums."""
    square: Array
    """Of the squares of how widely they scatter."""
    power: Array
    """Of the squared slopes alone."""

    def times(self, factor: Array) -> "Score":
        """Multiply by a value of each sample."""
        factor = _without_small(factor)
        squared = factor * factor
        return Score(
            self.signed * factor,
            self.steady * np.abs(factor),
            self.square * squared,
            self.power * squared,
        ).in_range()

    def at_worst(self, form: Callable[[Array], Array]) -> "Score":
        """Add up parts of one step, by a form: what scatters as if of one sign."""
        square, power = (np.square(form(np.sqrt(of))) for of in self[2:])
        return Score(form(self.signed), form(self.steady), square, power).in_range()

    def in_range(self) -> "Score":
        """Leave out what has squares too small for float64: of all sums alike."""
        least = np.minimum(
            np.where(self.square > 0, self.square, 1.0),
            np.where(self.power > 0, self.power, 1.0),
        )
        small = least < _LEAST_SQUARE
        if not small.any():
            return self
        return Score(*(np.where(small, 0.0, part) for part in self))

    def through(self, left: Array | None, right: Array | None) -> "Score":
        """Give `left.T @ score`, or `score @ right.T`."""
        whole = _without_small(cast("Array", right if left is None else left))

        def product(part: Array, form: Any) -> Array:
            by = form(whole)
            return np.asarray(part @ by.T if left is None else by.T @ part)

        return Score(
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


class ScoreAdjoint(Float64Adjoint):
    """Float64 there, and scores on the way back."""

    def constant(self, value: Any, name: str = "") -> Any:
        """Take a score as it is."""
        return value if isinstance(value, Score) else super().constant(value, name)

    def mul(self, a: Any, b: Any) -> Any:
        """Multiply a score by a value, whichever comes first, or two values."""
        if isinstance(b, Score):
            a, b = b, a
        return a.times(b) if isinstance(a, Score) else super().mul(a, b)

    def divide(self, a: Any, b: Array) -> Any:
        """Divide a score, or a value, by a value."""
        return a.times(1 / b) if isinstance(a, Score) else super().divide(a, b)

    def negative(self, a: Any) -> Any:
        """Turn the sign of a score."""
        return a.times(np.array(-1.0))

    def total(self, a: Any, axis: int = -1) -> Any:
        """Sum up along an axis: at worst with one sign."""
        if not isinstance(a, Score):
            return super().total(a, axis)
        return a.at_worst(lambda of: of.sum(axis=axis))

    def spread(self, a: Any, size: int, axis: int = -1) -> Any:
        """Repeat along a new axis."""
        plain = super().spread
        if not isinstance(a, Score):
            return plain(a, size, axis)
        return Score(*(plain(of, size, axis) for of in a))

    def mean(self, a: Any) -> Any:
        """Give the mean along the last axis: at worst of one sign."""
        plain = super().mean
        return a.at_worst(plain)

    def difference(self, a: Any, b: Any) -> Any:
        """Give `a - b`: at worst of one sign."""
        if not isinstance(a, Score):
            return super().difference(a, b)
        roots = (np.sqrt(x) + np.sqrt(y) for x, y in zip(a[2:], b[2:], strict=True))
        return Score(a[0] - b[0], a[1] + b[1], *(np.square(of) for of in roots))

    def scale(self, a: Any, weight: Array) -> Any:
        """Multiply the same by a weight."""
        return self.mul(a, weight)

    def where(self, mask: Array, a: Any, b: Any) -> Any:
        """Take `a` where the mask holds, else `b`; a plain one of the two is 0."""
        plain = super().where
        if not isinstance(a, Score) and not isinstance(b, Score):
            return plain(mask, a, b)
        one, other = (
            of if isinstance(of, Score) else Score(of, of, of, of) for of in (a, b)
        )
        pairs = zip(one, other, strict=True)
        return Score(*(plain(mask, x, y) for x, y in pairs))

    def take(self, value: Any, index: Any) -> Any:
        """Index a score, or a value."""
        plain = super().take
        if not isinstance(value, Score):
            return plain(value, index)
        return Score(*(plain(of, index) for of in value))

    def fan_in(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Any:
        """Sum up what one step's errors say of a value: at worst with one sign."""
        sums = [np.zeros(shape) for _ in Score._fields]
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
        return Score(sums[0], sums[1], sums[2] ** 2, sums[3] ** 2)

    def of_weight(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Any:
        """Sum up over steps what their errors say of a weight."""
        sums = [np.zeros(shape) for _ in Score._fields]
        for part in parts:
            index, score = ..., part
            if isinstance(part, Placed):
                index, score = part.index, part.gradient
            elif isinstance(part, Rows):
                score = Score(*(of.sum(axis=0) for of in part.gradient))
            elif isinstance(part, Outer):
                score = part.gradient.through(part.x, None)
            for total, of in zip(sums, score, strict=True):
                total[index] += of
        return Score(*sums)
