"""The operations of a cell twice: in float64, and with the error a backend may make.

Running error analysis in the sense of Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed. (2002), section 3.3: next to every value goes a bound on how far a
correct implementation in the case's dtype can be from it, and on how far the float64
value itself is from the truth.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.spec import Array

FAILURE_PROBABILITY = 1e-9
"""Chance, for one matrix product, that a correct backend exceeds its bound."""

REFERENCE_ULP = 2.0
"""Largest error of NumPy's own float64 tanh in ulp; 1.1 was the largest seen."""

_U64 = 2.0**-53
_LARGEST_EXPONENT = 700.0  # exp of more is none of float64


class Float64:
    """Plain float64: the reference."""

    def affine(self, products: list[tuple[Array, Array]], bias: Array) -> Array:
        """Sum of `x @ w` over the pairs, plus the bias."""
        return np.asarray(sum((x @ w for x, w in products), start=bias))

    def tanh(self, x: Array) -> Array:
        """Hyperbolic tangent."""
        return np.asarray(np.tanh(x))


class Bounded(NamedTuple):
    """A float64 value and a bound on a correct backend's distance from it."""

    value: Array
    error: Array


def exactly(value: Array) -> Bounded:
    """Take a value as given: a backend starts from the same bits."""
    wide = value.astype(np.float64)
    return Bounded(wide, np.zeros_like(wide))


class Rounded:
    """Float64 with running error bounds for a backend that computes in `dtype`.

    Args:
        dtype: The case's dtype; every operation rounds to it at most once.
        ulp: Function → largest error in ulp that the backend states for it.

    """

    def __init__(self, dtype: str, ulp: dict[str, float]) -> None:
        info = np.finfo(dtype)
        self._dtype = np.dtype(dtype)
        self._unit = float(info.eps) / 2
        self._smallest_normal = float(info.smallest_normal)
        self._ulp = ulp

    def affine(self, products: list[tuple[Bounded, Array]], bias: Array) -> Bounded:
        """Bound the sum of `x @ w` over the pairs, plus the bias, in any order.

        A backend may stack the inputs, sum by blocks, use fused multiply-adds or add
        two halves of the bias: each element sees at most `terms` roundings of partial
        sums that are no larger than the sum of magnitudes. Numbers below the smallest
        normal one may be flushed to zero.
        """
        terms = sum(w.shape[0] for _, w in products) + 2
        value, magnitude, carried = bias, np.abs(bias), np.zeros_like(bias)
        for x, w in products:
            value = value + x.value @ w
            magnitude = magnitude + (np.abs(x.value) + x.error) @ np.abs(w)
            carried = carried + x.error @ np.abs(w)
        unit = self._unit + _U64  # the backend's roundings, and the reference's own
        relative = np.where(
            _equal_terms(products),
            worst_case(terms, unit),
            likely(terms, unit, value.size),
        )
        flushed = terms * self._smallest_normal
        return Bounded(value, carried + relative * magnitude + flushed)

    def tanh(self, x: Bounded) -> Bounded:
        """Bound tanh: its steepest slope within the error, plus its own ulps."""
        value = np.tanh(x.value)
        nearest_to_zero = np.maximum(np.abs(x.value) - x.error, 0.0)
        carried = x.error * (1.0 - np.tanh(nearest_to_zero) ** 2)
        largest = np.minimum(np.abs(value) + carried, 1.0).astype(self._dtype)
        own = self._ulp["tanh"] * np.spacing(largest).astype(np.float64)
        reference = REFERENCE_ULP * np.spacing(np.abs(value))
        return Bounded(value, carried + own + reference + self._smallest_normal)


def _equal_terms(products: list[tuple[Bounded, Array]]) -> NDArray[np.bool_]:
    """Where all terms of a sum are the same number: roundings then err the same way."""
    found: NDArray[np.bool_] = np.zeros((), dtype=bool)
    for x, w in products:
        rows = np.ptp(x.value, axis=-1, keepdims=True) == 0
        found = found | (rows & (np.ptp(w, axis=0) == 0))
    return found


def worst_case(terms: int, unit: float) -> float:
    """Largest relative error of a sum, against the sum of magnitudes.

    `n u / (1 - n u)` (Higham 2002, section 3.1), whatever the order and the terms.
    """
    return terms * unit / (1 - terms * unit) if terms * unit < 1 else math.inf


def likely(terms: int, unit: float, sums: int) -> float:
    """Give the relative error that none of `sums` sums exceeds, as good as certainly.

    `exp(lambda sqrt(n) u + n u^2 / (1 - u)) - 1` (Higham and Mary, SIAM J. Sci. Comput.
    41(5), 2019, theorem 2.4), with lambda such that all hold together but for
    `FAILURE_PROBABILITY`. It takes roundings for independent, which they are not where
    all terms are equal. Never more than the worst case.
    """
    scale = math.sqrt(2 * math.log(2 * terms * max(sums, 1) / FAILURE_PROBABILITY))
    exponent = (scale * math.sqrt(terms) * unit + terms * unit**2) / (1 - unit)
    grown = math.expm1(exponent) if exponent < _LARGEST_EXPONENT else math.inf
    return min(worst_case(terms, unit), grown)
