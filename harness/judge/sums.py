"""Sums of products with the error that a backend may make, in whatever order.

A cell's pre-activations are one sum each: frameworks stack inputs, merge biases and sum
by blocks, so that only a bound on the whole sum holds for all of them.
"""

import math

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from harness.backend import Accuracy
from harness.judge.arithmetic import product
from harness.judge.bounded import Bounded, unit
from harness.judge.bounds import likely, worst_case
from harness.spec import Array

U64 = 2.0**-53


class Sums:
    """Float64 sums with running error bounds for a backend.

    Args:
        accuracy: What the backend may err by; every operation rounds to its dtype at
            most once.
        apart: Whether what errs as often up as down is told apart from what does not.

    """

    def __init__(self, accuracy: Accuracy, *, apart: bool = False) -> None:
        self._dtype = accuracy.dtype
        # The backend's rounding, and the reference's own.
        self._unit = unit(accuracy.dtype)
        self._both = self._unit + U64
        self._inside = unit(accuracy.accumulator or accuracy.dtype) + U64
        info = ml_dtypes.finfo(accuracy.dtype)  # type: ignore[no-untyped-call]
        self._tiny = float(info.smallest_normal)
        self._accuracy = accuracy
        self._apart = apart

    def affine(
        self,
        products: list[tuple[Bounded, Array]],
        bias: Array,
        offset: Array | None = None,
    ) -> Bounded:
        """Bound the sum of `x @ w` over the pairs, plus the bias, in any order.

        A backend may stack the inputs, sum by blocks, use fused multiply-adds or add
        two parts of the bias: each element sees at most `terms` roundings of partial
        sums that are no larger than the sum of magnitudes. Numbers below the smallest
        normal one may be flushed to zero.
        """
        terms = sum(w.shape[0] for _, w in products) + 2 + (offset is not None)
        added = np.abs(bias)
        if offset is not None:
            added = added + 2 * np.abs(offset)  # |bias - offset| + |offset| at most
        value, shown, carried = bias, added, 0 * added
        factors = []
        for x, w in products:
            made, size = product(x.value, w), np.abs(w)
            if self._inside != self._both:
                shown = shown + np.abs(made)
            made += value
            value = made
            if x.error.any():
                carried = carried + self._sizes([(x.error, size)])
                factors.append((np.abs(x.value) + x.error, size))
            else:
                factors.append((x.value, size))
        magnitude = self._sizes(factors)
        magnitude += added
        error = self._relative(products, terms, value.size) * magnitude
        error += carried + terms * self._tiny
        if self._inside != self._both:
            # Each product is kept wide and rounded once, and so is each sum of them.
            shown = shown + error
            error += (len(products) + 3) * self._both * shown
        if factor := self._accuracy.factor_unit:
            error += factor * (2 + factor) * magnitude
        if not self._apart:
            return Bounded(value, error)
        steady, sigma = self._carried_apart(products, magnitude)
        sigma = sigma + math.sqrt(terms / 3) * self._inside * magnitude
        if self._inside != self._both:
            sigma += math.sqrt((len(products) + 3) / 3) * self._both * shown
        return Bounded(value, error, steady + terms * self._tiny, sigma)

    def _carried_apart(
        self, products: list[tuple[Bounded, Array]], magnitude: Array
    ) -> tuple[Array, Array]:
        """Give what a sum is off by as its factors are: steadily, and scattered."""
        factor = self._accuracy.factor_unit
        steady, spread = factor * (2 + factor) * magnitude, 0 * magnitude
        for x, w in products:
            if x.error.any():
                steady = steady + self._sizes([(np.asarray(x.steady), np.abs(w))])
                # The roundings of different units are different ones.
                spread = spread + product(np.square(x.sigma), np.square(w))
        return steady, np.sqrt(spread)

    def _sizes(self, factors: list[tuple[Array, Array]]) -> Array:
        """Sum up magnitudes, `|x| @ w` with a `w` that is not negative, rounded up.

        In float64 also numbers that float32 has not would count.
        """
        dtype = np.float64 if self._dtype == "float64" else np.float32
        total: Array = np.zeros((), dtype)
        terms = 2
        for x, w in factors:
            narrow = x.astype(dtype)
            summed = product(np.abs(narrow, out=narrow), w.astype(dtype))
            if total.shape:
                summed += total
            total, terms = summed, terms + len(w) + 1
        up = 1 + terms * float(np.finfo(dtype).eps)
        return np.asarray(np.multiply(total, up, dtype=np.float64))

    def _relative(
        self, products: list[tuple[Bounded, Array]], terms: int, sums: int
    ) -> Array | float:
        """Give the error of sums, relative to their magnitudes."""
        usual = likely(terms, self._inside, sums)
        worst = worst_case(terms, self._inside)
        # Where all terms are the same number, roundings err the same way.
        if usual == worst or not (equal := _equal_terms(products)).any():
            return usual
        return np.where(equal, worst, usual)


def _equal_terms(products: list[tuple[Bounded, Array]]) -> NDArray[np.bool_]:
    """Where all terms of a sum are the same number: roundings then err the same way."""
    found: NDArray[np.bool_] = np.zeros((), dtype=bool)
    for x, w in products:
        columns = np.ptp(w, axis=0) == 0
        if columns.any():
            found = found | ((np.ptp(x.value, axis=-1, keepdims=True) == 0) & columns)
    return found
