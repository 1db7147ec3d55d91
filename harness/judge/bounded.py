"""A value and how far a correct backend may be from it."""

from collections.abc import Callable
from typing import NamedTuple

import ml_dtypes
import numpy as np

from harness.spec import Array

# Slopes and sums of magnitudes are computed in float32, which is twice as fast, and
# rounded up by more than that can err by.
_UP = np.float32(1 + 2.0**-16)
_LEAST = np.float32(1e-37)


class Bounded(NamedTuple):
    """A float64 value and a bound on a correct backend's distance from it."""

    value: Array
    error: Array
    steady: Array | float = 0.0
    """The same without what errs up as often as down: what may be off at every step
    alike. Kept only where it is asked for, as is the next."""
    sigma: Array | float = 0.0
    """How widely what is left out there scatters: a standard deviation."""


def together(form: Callable[..., Array], *given: Bounded) -> Bounded:
    """Rearrange values and their bounds alike."""
    value, error, *apart = zip(*given, strict=True)
    if not all(isinstance(of.sigma, np.ndarray) for of in given):
        return Bounded(form(*value), form(*error))
    return Bounded(form(*value), form(*error), *(form(*part) for part in apart))


def unit(dtype: str) -> float:
    """Largest relative error of one rounding to a dtype."""
    return float(ml_dtypes.finfo(dtype).eps) / 2  # type: ignore[no-untyped-call]


def steepest(distance: Array) -> Array:
    """Bound the slope of the logistic function at or beyond a distance from 0."""
    small = distance.astype(np.float32)
    np.maximum(small, np.float32(0), out=small)
    np.negative(small, out=small)
    np.exp(small, out=small)
    whole = small + np.float32(1)
    whole *= whole
    small /= whole
    small *= _UP
    small += _LEAST
    return small
