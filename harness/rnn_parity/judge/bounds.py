"""How large rounding errors can be, and whether an error is within its bound."""

import math
from typing import NamedTuple

import ml_dtypes
import numpy as np

from rnn_parity_core import Array

FAILURE_PROBABILITY = 1e-9
"""Chance, for one matrix product, that a correct backend exceeds its bound."""


_EXPONENT = np.int64(0x7FF0000000000000)  # bits of a float64

_LARGEST_EXPONENT = 700.0  # exp of more is none of float64


def spacing(values: Array, dtype: str) -> Array:
    """Give the unit in the last place of a dtype at float64 values.

    Below the smallest normal number it is that of the subnormal ones.
    """
    info = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
    size = np.maximum(np.abs(values), float(info.smallest_normal))
    return power_of_two(np.minimum(size, float(info.max))) * float(info.eps)


def power_of_two(values: Array) -> Array:
    """Give the largest power of two that positive float64 values reach."""
    return np.asarray((values.view(np.int64) & _EXPONENT).view(np.float64))


def worst_case(terms: int, unit: float) -> float:
    """Largest relative error of a sum, against the sum of magnitudes.

    `n u / (1 - n u)` (Higham 2002, section 3.1), whatever the order and the terms.
    """
    return terms * unit / (1 - terms * unit) if terms * unit < 1 else math.inf


def likely(terms: int, unit: float, sums: int) -> float:
    """Give the relative error that none of `sums` sums exceeds, as good as certainly.

    `exp(lambda sqrt(n / 3) u + n u^2 / (1 - u)) - 1`: Higham and Mary (SIAM J. Sci.
    Comput. 41(5), 2019, theorem 2.4) with lambda such that all hold together but for
    `FAILURE_PROBABILITY`, and with the moments of roundings that are spread evenly over
    half an ulp, of variance `u^2 / 3` (Hull and Swenson, Comm. ACM 9(2), 1966), not
    those of any within it. It takes roundings for independent, which they are not where
    all terms are equal. Never more than the worst case.
    """
    scale = certain(terms * max(sums, 1)) / math.sqrt(3)
    exponent = (scale * math.sqrt(terms) * unit + terms * unit**2) / (1 - unit)
    grown = math.expm1(exponent) if exponent < _LARGEST_EXPONENT else math.inf
    return min(worst_case(terms, unit), grown)


def certain(chances: int) -> float:
    """Give how many standard deviations none of so many sums exceeds.

    That is lambda of `2 exp(-lambda^2 / 2)`, but for `FAILURE_PROBABILITY` in all.
    """
    return math.sqrt(2 * math.log(2 * chances / FAILURE_PROBABILITY))


def ratio(error: Array, bound: Array, out: Array | None = None) -> Array:
    """|error| / bound; what is not a number is as bad as can be, and 0 / 0 is right.

    A bound that is none any more, having grown without limit, rejects nothing.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio = np.abs(error, out=out)
        ratio /= bound
    unsure = np.isnan(ratio)
    if unsure.any():
        ratio[unsure] = np.where(np.isfinite(error[unsure]), 0.0, np.inf)
    return ratio


class Held(NamedTuple):
    """An array held to its bound."""

    ratio: Array
    """|error| / bound of each element."""
    is_vacuous: bool
    """Whether the bound is wider than the array in most places: nothing is shown."""


def held(got: Array, want: Array, bound: Array) -> Held:
    """Hold what a backend returned to what it should be, within a bound."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = max(float(np.abs(want).max(initial=0)), float(np.finfo(float).tiny))
        return Held(ratio(got - want, bound), bool(np.median(bound) > size))
