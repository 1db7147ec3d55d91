"""A value and how far a correct backend may be from it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from rnn_parity_core import Array
from rnn_parity_core.functions import logistic

# Of an argument: up to which slopes are bounded by what they are where it is.
_SMALL = 2.0**-13
_STEEPER = 1 + 2.0**-11
_ONE = 1 + 2.0**-50  # more by what float64 loses of 1 - y next to 1

# Slopes farther off and sums of magnitudes are computed in float32, which is twice as
# fast, and rounded up by more than that can err by.
_UP = np.float32(1 + 2.0**-16)
_LEAST = np.float32(1e-37)


class Bounded(NamedTuple):
    """A float64 value and a bound on a correct backend's distance from it."""

    value: Array
    error: Array


Parts = TypeVar("Parts", bound=tuple[Any, ...])


def together(form: Callable[..., Array], *given: Parts) -> Parts:
    """Rearrange values and their bounds alike."""
    return type(given[0])(*(form(*part) for part in zip(*given, strict=True)))


def unit(dtype: str) -> float:
    """Largest relative error of one rounding to a dtype."""
    return float(ml_dtypes.finfo(dtype).eps) / 2  # type: ignore[no-untyped-call]


class Curve(NamedTuple):
    """What a function makes of an argument that may be off."""

    value: Array
    carried: Array | float
    """How far off it then is."""
    slope: Array | float
    """The steepest on the way."""
    largest: Array
    """What its magnitude may be."""
    within: Callable[[float], NDArray[np.bool_]]
    """Limit → where the argument is certainly no farther from 0 than that."""


def tanh_of(x: Bounded) -> Curve:
    """Bound what tanh makes of a value."""
    value = np.tanh(x.value)
    size = np.abs(value)
    if x.error.max(initial=0.0) <= _SMALL:
        return _near_by(x, value, size, lambda y: _ONE - y * y, np.tanh)
    distance = np.abs(x.value)
    distance -= x.error
    distance *= 2
    slope = _steepest(distance)
    slope *= 4
    # No two numbers between -1 and 1 are farther apart than this.
    return _far_off(x, value, size, slope, 1.0 + size)


def logistic_of(x: Bounded) -> Curve:
    """Bound what the logistic function makes of a value."""
    value = logistic(x.value)
    if x.error.max(initial=0.0) <= _SMALL:
        return _near_by(x, value, value, lambda y: (_ONE - y) * y, logistic)
    distance = np.abs(x.value)
    distance -= x.error
    slope = _steepest(distance)
    return _far_off(x, value, value, slope, np.maximum(value, 1.0 - value))


def _near_by(
    x: Bounded,
    value: Array,
    size: Array,
    slope_at: Callable[[Array], Array],
    function: Callable[[Array], Array],
) -> Curve:
    """Bound a function by its slope where it is, `slope_at` of its value.

    The logarithms of either slope, `1 - y^2` and `y (1 - y)`, have slopes of 2 at most:
    within `_SMALL` it is larger by a factor of less than `_STEEPER`.
    """
    slope = slope_at(value)
    slope *= _STEEPER
    carried = x.error * slope

    def within(limit: float) -> NDArray[np.bool_]:
        least = slope_at(function(np.array([limit])))
        return np.asarray(slope >= least * _STEEPER**3)

    return Curve(value, carried, slope, size + carried, within)


def _far_off(
    x: Bounded, value: Array, size: Array, slope: Array, farthest: Array
) -> Curve:
    """Bound it by the steepest slope that there may be, and by how far it reaches."""
    carried = np.minimum(x.error * slope, farthest)
    largest = np.minimum(size + carried, 1.0)
    return Curve(value, carried, slope, largest, partial(surely_within, x))


def surely_within(x: Bounded, limit: float) -> NDArray[np.bool_]:
    """Where a value is no farther from 0 than a limit; no number is nowhere."""
    size = np.abs(x.value)
    size += x.error
    return np.asarray(size <= limit)


def _steepest(distance: Array) -> Array:
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
