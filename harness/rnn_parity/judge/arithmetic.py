"""The operations of a cell in float64: the reference."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_parity_core import Array
from rnn_parity_core.functions import Function, logistic


def product(x: Array, w: Array) -> Array:
    """Multiply `[..., I]` by `[I, G]` at once, whatever axes come first."""
    made = x.reshape(-1, x.shape[-1]) @ w
    return np.asarray(made.reshape(*x.shape[:-1], w.shape[-1]))


def inverse_deviation(apart: Array, epsilon: float) -> Array:
    """`1 / sqrt(variance + epsilon)` of distances from the mean, `[..., 1]`."""
    variance = np.square(apart).mean(axis=-1, keepdims=True)
    return np.asarray(1 / np.sqrt(variance + epsilon))


class Float64:
    """Plain float64: the reference."""

    def constant(self, value: Array, name: str = "") -> Array:
        """Widen a value that is given."""
        del name  # nobody asks for it later
        return value.astype(np.float64)

    def observe(self, value: Array, instead_of: Array | None) -> Array:
        """Widen a value that a backend returned."""
        del instead_of
        return self.constant(value)

    def handed_on(self, value: Array, again: Array) -> Array:
        """Widen a value that a layer returned."""
        del again
        return self.constant(value)

    def weight(self, value: Array, name: str) -> Array:
        """Widen a weight."""
        return self.constant(value, name)

    def of_same_sums(self) -> Self:
        """Give this: it rounds nothing."""
        return self

    def detach(self, value: Array) -> Array:
        """Take a value of earlier steps."""
        return value

    def infer_c(self, o: Array, h: Array, f: Array, i: Array, g: Array) -> None:
        """Give nothing: c is known as exactly as can be."""

    def told_by(self, o: Array, h: Array) -> None:
        """Give nothing, as above."""

    def recomputed(self, told: Array, again: Array) -> Array:
        """Take the first."""
        del again
        return told

    def tighten(self, a: Array, b: Array) -> Array:
        """Take either of two: both are exact."""
        del b
        return a

    def affine(
        self,
        products: list[tuple[Array, Array]],
        bias: Array,
        offset: Array | None = None,
    ) -> Array:
        """Sum of `x @ w` over the pairs, plus the bias."""
        del offset  # not kept apart here
        return np.asarray(sum((product(x, w) for x, w in products), start=bias))

    def add(self, a: Array, b: Array) -> Array:
        """Sum."""
        return a + b

    def mul(self, a: Array, b: Array) -> Array:
        """Product, element by element."""
        return a * b

    def recurrence(self, f: Array, a: Array) -> Callable[[int, Array], Array]:
        """Give what makes `f c + a` of a step and c."""
        return lambda step, c: f[:, step] * c + a[:, step]

    def scale(self, a: Array, weight: Array) -> Array:
        """Product with a weight, element by element."""
        return a * weight

    def shift(self, a: Array, weight: Array) -> Array:
        """Sum with a weight."""
        return a + weight

    def divide(self, a: Array, b: Array) -> Array:
        """Quotient, element by element."""
        return np.asarray(np.divide(a, b))

    def spread(self, a: Array, size: int, axis: int = -1) -> Array:
        """Repeat along a new axis."""
        return np.repeat(np.expand_dims(a, axis), size, axis)

    def total(self, a: Array, axis: int = -1) -> Array:
        """Sum along an axis."""
        return np.asarray(a.sum(axis=axis))

    def standardize(self, a: Array, epsilon: float) -> Array:
        """Center and scale along the last axis."""
        apart = a - a.mean(axis=-1, keepdims=True)
        return np.asarray(apart * inverse_deviation(apart, epsilon))

    def mix(self, z: Array, a: Array, b: Array) -> Array:
        """`z a + (1 - z) b`."""
        return np.asarray(z * a + (1 - z) * b)

    def tanh(self, x: Array) -> Array:
        """Hyperbolic tangent."""
        return np.asarray(np.tanh(x))

    def sigmoid(self, x: Array) -> Array:
        """Logistic function."""
        return logistic(x)

    def relu(self, x: Array) -> Array:
        """Larger one of x and 0."""
        return np.maximum(x, 0.0)

    def function(self, function: Function, x: Array) -> Array:
        """Any other function."""
        return function.value(x)

    def where(self, mask: NDArray[np.bool_], a: Array, b: Array) -> Array:
        """Take `a` where the mask holds, else `b`."""
        return np.asarray(np.where(mask, a, b))

    def take(self, value: Array, index: Any) -> Array:
        """Index a value."""
        return np.asarray(value[index])

    def stack(self, values: list[Array]) -> Array:
        """Stack along axis 1, that of time."""
        return np.stack(values, axis=1)

    def concatenate(self, values: list[Array], axis: int = -1) -> Array:
        """Join along an axis."""
        return np.concatenate(values, axis)
