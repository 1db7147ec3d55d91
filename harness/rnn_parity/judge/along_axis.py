"""Sums, means and variances along an axis with the error that a backend may make."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_parity.judge.arithmetic import inverse_deviation
from rnn_parity.judge.bounded import Bounded, together
from rnn_parity.judge.bounds import worst_case
from rnn_parity.judge.sums import Sums
from rnn_parity_core import Array

_ROOT = 4
"""Ulp of a reciprocal root, by whatever instructions, with what is added first.

Where they are not rounded correctly, an `rsqrt` errs by 2 ulp, a root by 1 and a
quotient by 2 (CUDA C++ Programming Guide, "Mathematical Functions"). Half of what
epsilon and its sum with a variance round is left of these: at most half an ulp.
"""


class AlongAxis(Sums):
    """What a cell may do along an axis; made as `Sums` are."""

    def spread(self, a: Bounded, size: int, axis: int = -1) -> Bounded:
        """Repeat along a new axis: nothing is rounded."""
        return together(lambda of: np.repeat(np.expand_dims(of, axis), size, axis), a)

    def total(self, a: Bounded, axis: int = -1) -> Bounded:
        """Bound a sum, in any order; its terms are rounded already."""
        size = (np.abs(a.value) + a.error).sum(axis=axis)
        return Bounded(
            a.value.sum(axis=axis),
            a.error.sum(axis=axis) + self._of_sum(size, a.value.shape[axis]),
        )

    def _of_sum(self, size: Array, terms: int, apart: int = 1) -> Array:
        """Bound the roundings of so many terms, of all magnitudes' sum.

        Args:
            size: The sum of magnitudes.
            terms: How many roundings an element meets at most.
            apart: How many of them are of results that stand by themselves: these are
                in the dtype itself, though sums be in a wider one.

        """
        own = worst_case(terms, self._inside) * size + terms * self._tiny
        if self._inside != self._both:
            own = own + worst_case(apart, self._both) * (size + own)
        return np.asarray(own)

    def standardize(self, a: Bounded, epsilon: float) -> Bounded:
        """Bound what is centered and scaled, by either form of a variance.

        As `mean(a^2) - mean(a)^2` a variance rounds numbers as large as the squares of
        what it is of; as the mean of squared distances, these alone. Which of them a
        framework takes is not stated, so that the first one's bound holds. Nor is
        whether both a value and the mean are scaled before their difference is taken
        (`x * inv + (offset - mean * inv)`, as in `tf.nn.batch_normalization`): a value
        is then rounded once where it is as large as itself, the mean twice.
        """
        center = a.value.mean(axis=-1, keepdims=True)
        rounded = self._of_center(a)
        apart = a.value - center
        moved = a.error + a.error.mean(axis=-1, keepdims=True) + rounded
        moved = moved + self._both * (np.abs(a.value) + a.error) + self._tiny
        moved = moved + worst_case(2, self._both) * (np.abs(center) + rounded)
        scale = self.inverse_deviation(a, epsilon)
        value = apart * scale.value
        error = np.abs(apart) * scale.error + moved * (scale.value + scale.error)
        error += self._both * (np.abs(value) + error) + 3 * self._tiny
        # A deviation that may be 0 says nothing even of what is in the middle.
        return Bounded(value, np.where(np.isfinite(scale.error), error, np.inf))

    def _of_center(self, a: Bounded) -> Array:
        """Bound the roundings of a mean alone: a sum's, and two to divide it."""
        size = (np.abs(a.value) + a.error).mean(axis=-1, keepdims=True)
        return self._of_sum(size, a.value.shape[-1] + 1, apart=3)

    def inverse_deviation(self, a: Bounded, epsilon: float) -> Bounded:
        """Bound `1 / sqrt(variance + epsilon)` along the last axis, `[..., 1]`."""

        def mean(of: Array) -> Array:
            return np.asarray(of.mean(axis=-1, keepdims=True))

        center, rounded = mean(a.value), self._of_center(a)
        apart, size = a.value - center, np.abs(a.value) + a.error
        squares = mean(np.square(size)) + np.square(np.abs(center) + rounded)
        off = mean(2 * np.abs(apart) * a.error + np.square(a.error))
        # Twice a distance, its square, and the mean of these.
        off += self._of_sum(squares, a.value.shape[-1] + 4, apart=6)
        off += rounded * (2 * np.abs(center) + rounded)
        variance = mean(np.square(apart)) + epsilon
        # 1 / sqrt is steepest where its argument is least. That is below epsilon where
        # a difference of squares comes out negative, which not everybody cuts off.
        least = np.maximum(variance - off, 0.0)
        value = inverse_deviation(apart, epsilon)
        error = off / (2 * least * np.sqrt(least))
        error += _ROOT * 2 * self._both * (value + error)
        return Bounded(value, error)

    def where(self, mask: NDArray[np.bool_], a: Bounded, b: Bounded) -> Bounded:
        """Take `a` where the mask holds, else `b`."""
        return together(lambda x, y: np.asarray(np.where(mask, x, y)), a, b)

    def take(self, value: Bounded, index: Any) -> Bounded:
        """Index a value."""
        return together(lambda part: part[index], value)

    def stack(self, values: list[Bounded]) -> Bounded:
        """Stack along axis 1, that of time."""
        return together(lambda *parts: np.stack(parts, axis=1), *values)

    def concatenate(self, values: list[Bounded], axis: int = -1) -> Bounded:
        """Join along an axis."""
        return together(lambda *parts: np.concatenate(parts, axis), *values)
