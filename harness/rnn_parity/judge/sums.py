"""Sums of products with the error that a backend may make, in whatever order.

A cell's pre-activations are one sum each: frameworks stack inputs, merge biases and sum
by blocks, so that only a bound on the whole sum holds for all of them.
"""

from typing import NamedTuple, Self

import ml_dtypes
import numpy as np

from rnn_parity.judge.arithmetic import product
from rnn_parity.judge.bounded import Bounded, unit
from rnn_parity.judge.bounds import likely, worst_case
from rnn_parity.judge.unequal import lost_terms, same_terms
from rnn_parity_core import Accuracy, Array

U64 = 2.0**-53

Products = list[tuple[Bounded, Array]]


class Summed(NamedTuple):
    """A sum of products and a bias, and what its error consists of."""

    value: Array
    terms: int
    magnitude: Array
    """Sum of the magnitudes of all terms, with what they may be off by."""
    one_way: Array | float
    """What roundings come to that may all err in one direction."""
    carried: Array
    """What comes of the errors of what is summed, and of numbers read as zero."""
    parts: Array
    """Sum of the magnitudes of the products, each summed by itself, and of the bias."""


class Sums:
    """Float64 sums with running error bounds for a backend.

    Args:
        accuracy: What the backend may err by; every operation rounds to its dtype at
            most once.
        same_sums: Whether sums are taken as they are, and only the rest rounds.

    """

    def __init__(self, accuracy: Accuracy, *, same_sums: bool = False) -> None:
        self._dtype = accuracy.dtype
        # The backend's rounding, and the reference's own.
        self._unit = unit(accuracy.dtype)
        self._both = self._unit + U64
        self._inside = unit(accuracy.accumulator or accuracy.dtype) + U64
        info = ml_dtypes.finfo(accuracy.dtype)  # type: ignore[no-untyped-call]
        self._tiny = float(info.smallest_normal)
        self._accuracy = accuracy
        self._same_sums = same_sums

    def of_same_sums(self) -> Self:
        """Give the arithmetic of what is computed again from the same sums."""
        return type(self)(self._accuracy, same_sums=True)

    def affine(
        self, products: Products, bias: Array, offset: Array | None = None
    ) -> Bounded:
        """Bound the sum of `x @ w` over the pairs, plus the bias, in any order.

        A backend may stack the inputs, sum by blocks, use fused multiply-adds or add
        two parts of the bias: each element sees at most `terms` roundings of partial
        sums that are no larger than the sum of magnitudes. Numbers below the smallest
        normal one may be flushed to zero.
        """
        summed = self._summed(products, bias, offset)
        if self._same_sums:
            return Bounded(summed.value, np.zeros_like(summed.value))
        return Bounded(summed.value, self._error(summed, len(products)))

    def _summed(self, products: Products, bias: Array, offset: Array | None) -> Summed:
        terms = sum(w.shape[0] for _, w in products) + 2 + (offset is not None)
        added = np.abs(bias)
        if offset is not None:
            added = added + 2 * np.abs(offset)  # |bias - offset| + |offset| at most
        value, parts, carried = bias, added, 0 * added
        factors = []
        for x, w in products:
            made, size = product(x.value, w), np.abs(w)
            if self._inside != self._both:
                parts = parts + np.abs(made)
            made += value
            value = made
            reach = np.abs(x.value)
            if x.error.any():
                carried = carried + self._sizes([(x.error, size)])
                reach = reach + x.error
            if (flushed := self._read_as_zero(w)) is not None:
                carried = carried + self._sizes([(reach, flushed)])
            factors.append((reach, size))
        magnitude = self._sizes(factors)
        magnitude += added
        if factor := self._accuracy.factor_unit:
            carried = carried + factor * (2 + factor) * magnitude
        # Each product, and each sum of them, may be flushed.
        carried = carried + 2 * terms * self._tiny
        one_way = self._one_way(products, factors, added, magnitude)
        return Summed(value, terms, magnitude, one_way, carried, parts)

    def _error(self, summed: Summed, products: int) -> Array:
        usual = likely(summed.terms, self._inside, summed.value.size)
        worst = worst_case(summed.terms, self._inside)
        error = usual * summed.magnitude + summed.one_way
        error = np.minimum(error, worst * summed.magnitude)
        error += summed.carried
        if self._inside != self._both:
            # Each product is kept wide and rounded once, and so is each sum of them.
            error += (products + 3) * self._both * (summed.parts + error)
        return np.asarray(error)

    def _one_way(
        self,
        products: Products,
        factors: list[tuple[Array, Array]],
        added: Array,
        magnitude: Array,
    ) -> Array:
        """Give how far roundings can all err in one direction.

        They do where terms are the same number, and where these are so small beside
        what they are added to that they are lost.
        """
        found = lost_terms(factors, added, self._inside, magnitude)
        for x, w in products:
            if (equal := same_terms(x.value, w)).any():
                worst = worst_case(w.shape[0], self._inside)
                found = found + np.where(equal, worst * magnitude, 0.0)
        return found

    def _read_as_zero(self, value: Array) -> Array | None:
        """Give numbers below the smallest normal one, which may be read as zero.

        None, if there are none.
        """
        size = np.abs(value)
        below = size < self._tiny
        if not below.any() or not (size := np.where(below, size, 0.0)).any():
            return None
        return np.asarray(size)

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
