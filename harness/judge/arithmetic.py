"""The operations of a cell twice: in float64, and with the error a backend may make.

Running error analysis in the sense of Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed. (2002), section 3.3: next to every value goes a bound on how far a
correct implementation in the case's dtype can be from it, and on how far the float64
value itself is from the truth.
"""

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from harness.judge.bounds import likely, spacing, worst_case
from harness.spec import Array

REFERENCE_ULP = 4.0
"""Largest error of the reference's own tanh and logistic function in ulp of float64;
NumPy's tanh was seen to err by 1.1, its `1 / (1 + exp(-x))` by 2.1."""

_U64 = 2.0**-53


def _sigmoid(x: Array) -> Array:
    """Logistic function, by the exponential of what is not positive: no overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


class Float64:
    """Plain float64: the reference."""

    def exactly(self, value: Array, name: str = "") -> Array:
        """Widen a value that is given."""
        del name  # nobody asks for it later
        return value.astype(np.float64)

    def seen(self, value: Array, instead_of: Array) -> Array:
        """Widen a value that a backend returned."""
        del instead_of
        return self.exactly(value)

    def weight(self, value: Array, name: str) -> Array:
        """Widen a weight."""
        return self.exactly(value, name)

    def affine(
        self, products: list[tuple[Array, Array]], bias: Array, offset: float = 0.0
    ) -> Array:
        """Sum of `x @ w` over the pairs, plus the bias."""
        del offset  # not kept apart here
        return np.asarray(sum((x @ w for x, w in products), start=bias))

    def add(self, a: Array, b: Array) -> Array:
        """Sum."""
        return a + b

    def mul(self, a: Array, b: Array) -> Array:
        """Product, element by element."""
        return a * b

    def scale(self, a: Array, weight: Array) -> Array:
        """Product with a weight, element by element."""
        return a * weight

    def mix(self, z: Array, a: Array, b: Array) -> Array:
        """`z a + (1 - z) b`."""
        return np.asarray(z * a + (1 - z) * b)

    def tanh(self, x: Array) -> Array:
        """Hyperbolic tangent."""
        return np.asarray(np.tanh(x))

    def sigmoid(self, x: Array) -> Array:
        """Logistic function."""
        return _sigmoid(x)

    def relu(self, x: Array) -> Array:
        """Larger one of x and 0."""
        return np.maximum(x, 0.0)

    def where(self, mask: NDArray[np.bool_], a: Array, b: Array) -> Array:
        """Take `a` where the mask holds, else `b`."""
        return np.asarray(np.where(mask, a, b))

    def take(self, value: Array, index: Any) -> Array:
        """Index a value."""
        return np.asarray(value[index])

    def stack(self, values: list[Array]) -> Array:
        """Stack along axis 1, that of time."""
        return np.stack(values, axis=1)

    def concatenate(self, values: list[Array]) -> Array:
        """Join along the last axis."""
        return np.concatenate(values, axis=-1)


class Bounded(NamedTuple):
    """A float64 value and a bound on a correct backend's distance from it."""

    value: Array
    error: Array


class Rounded:
    """Float64 with running error bounds for a backend that computes in `dtype`.

    Args:
        dtype: The case's dtype; every operation rounds to it at most once.
        ulp: Function → largest error in ulp that the backend states for it.

    """

    def __init__(self, dtype: str, ulp: dict[str, float]) -> None:
        info = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
        self._dtype = dtype
        # The backend's rounding, and the reference's own.
        self._unit = float(info.eps) / 2
        self._both = self._unit + _U64
        self._tiny = float(info.smallest_normal)
        self._ulp = ulp

    def exactly(self, value: Array, name: str = "") -> Bounded:
        """Take a value as given: a backend starts from the same bits."""
        del name  # nobody asks for it later
        wide = value.astype(np.float64)
        return Bounded(wide, np.zeros_like(wide))

    def seen(self, value: Array, instead_of: Bounded) -> Bounded:
        """Take what a backend returned: its next step starts from these bits."""
        del instead_of
        return self.exactly(value)

    def weight(self, value: Array, name: str) -> Array:
        """Take a weight: every backend has its bits."""
        del name
        return value.astype(np.float64)

    def affine(
        self, products: list[tuple[Bounded, Array]], bias: Array, offset: float = 0.0
    ) -> Bounded:
        """Bound the sum of `x @ w` over the pairs, plus the bias, in any order.

        A backend may stack the inputs, sum by blocks, use fused multiply-adds or add
        two parts of the bias: each element sees at most `terms` roundings of partial
        sums that are no larger than the sum of magnitudes. Numbers below the smallest
        normal one may be flushed to zero.
        """
        terms = sum(w.shape[0] for _, w in products) + (3 if offset else 2)
        value = bias
        magnitude = np.abs(bias) + 2 * abs(offset)  # |bias - offset| + |offset| at most
        carried = np.zeros_like(bias)
        for x, w in products:
            value = value + x.value @ w
            magnitude = magnitude + (np.abs(x.value) + x.error) @ np.abs(w)
            carried = carried + x.error @ np.abs(w)
        relative = np.where(
            _equal_terms(products),
            worst_case(terms, self._both),
            likely(terms, self._both, value.size),
        )
        return Bounded(value, carried + relative * magnitude + terms * self._tiny)

    def _rounded(self, value: Array, carried: Array) -> Bounded:
        """Add one rounding of a result whose operands carry errors."""
        own = self._both * (np.abs(value) + carried) + self._tiny
        return Bounded(value, carried + own)

    def add(self, a: Bounded, b: Bounded) -> Bounded:
        """Bound a sum."""
        return self._rounded(a.value + b.value, a.error + b.error)

    def mul(self, a: Bounded, b: Bounded) -> Bounded:
        """Bound a product."""
        carried = np.abs(a.value) * b.error + (np.abs(b.value) + b.error) * a.error
        return self._rounded(a.value * b.value, carried)

    def scale(self, a: Bounded, weight: Array) -> Bounded:
        """Bound a product with an exact weight."""
        return self._rounded(a.value * weight, a.error * np.abs(weight))

    def mix(self, z: Bounded, a: Bounded, b: Bounded) -> Bounded:
        """Bound `z a + (1 - z) b`, also if computed as `b + z (a - b)`.

        Either form rounds three times, of results that are at most |a| + |b|.
        """
        value = z.value * a.value + (1 - z.value) * b.value
        apart = np.abs(a.value - b.value) + a.error + b.error
        inner = np.minimum(np.maximum(z.value, 0.0) + z.error, 1.0)
        outer = np.minimum(np.maximum(1 - z.value, 0.0) + z.error, 1.0)
        carried = z.error * apart + inner * a.error + outer * b.error
        size = np.abs(a.value) + a.error + np.abs(b.value) + b.error
        # A mean is no farther out than what it is the mean of.
        carried = np.minimum(carried, np.abs(value) + size)
        return Bounded(value, carried + 3 * self._both * size + 3 * self._tiny)

    def relu(self, x: Bounded) -> Bounded:
        """Bound the larger one of x and 0: it rounds nothing."""
        return Bounded(np.maximum(x.value, 0.0), x.error)

    def tanh(self, x: Bounded) -> Bounded:
        """Bound tanh: its steepest slope within the error, plus its own ulps."""
        small = np.exp(-2.0 * np.maximum(np.abs(x.value) - x.error, 0.0))
        slope = 4.0 * small / (1.0 + small) ** 2
        value = np.tanh(x.value)
        # No two numbers between -1 and 1 are farther apart than this.
        carried = np.minimum(x.error * slope, 1.0 + np.abs(value))
        return self._function("tanh", value, carried)

    def sigmoid(self, x: Bounded) -> Bounded:
        """Bound the logistic function in the same way."""
        # Not y (1 - y), of which float64 leaves nothing from 37 on.
        small = np.exp(-np.maximum(np.abs(x.value) - x.error, 0.0))
        slope = small / (1.0 + small) ** 2
        value = _sigmoid(x.value)
        carried = np.minimum(x.error * slope, np.maximum(value, 1.0 - value))
        return self._function("sigmoid", value, carried)

    def _function(self, name: str, value: Array, carried: Array) -> Bounded:
        """Add the stated ulps of a function that is never larger than 1."""
        largest = np.minimum(np.abs(value) + carried, 1.0)
        own = self._ulp[name] * spacing(largest, self._dtype)
        reference = REFERENCE_ULP * spacing(value, "float64")
        return Bounded(value, carried + own + reference + self._tiny)

    def where(self, mask: NDArray[np.bool_], a: Bounded, b: Bounded) -> Bounded:
        """Take `a` where the mask holds, else `b`."""
        return Bounded(
            np.where(mask, a.value, b.value), np.where(mask, a.error, b.error)
        )

    def take(self, value: Bounded, index: Any) -> Bounded:
        """Index a value."""
        return Bounded(value.value[index], value.error[index])

    def stack(self, values: list[Bounded]) -> Bounded:
        """Stack along axis 1, that of time."""
        return Bounded(
            np.stack([v.value for v in values], axis=1),
            np.stack([v.error for v in values], axis=1),
        )

    def concatenate(self, values: list[Bounded]) -> Bounded:
        """Join along the last axis."""
        return Bounded(
            np.concatenate([v.value for v in values], axis=-1),
            np.concatenate([v.error for v in values], axis=-1),
        )


def _equal_terms(products: list[tuple[Bounded, Array]]) -> NDArray[np.bool_]:
    """Where all terms of a sum are the same number: roundings then err the same way."""
    found: NDArray[np.bool_] = np.zeros((), dtype=bool)
    for x, w in products:
        rows = np.ptp(x.value, axis=-1, keepdims=True) == 0
        found = found | (rows & (np.ptp(w, axis=0) == 0))
    return found
