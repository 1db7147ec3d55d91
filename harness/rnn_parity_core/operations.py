"""The operations that cells consist of, whatever their values are.

The judge has them in float64, with error bounds, and for going back; adapters compute
with their framework's own.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rnn_parity_core.functions import Array, Function

Value = TypeVar("Value")


class Operations(Protocol[Value]):
    """What a cell may use; every function of values rounds in the case's dtype."""

    def constant(self, value: Array, name: str = "") -> Value:
        """Take an array as given, without error, under a name if it has one."""
        ...

    def observe(self, value: Array, instead_of: Value | None) -> Value:
        """Take what a backend returned, in place of what was computed here."""
        ...

    def handed_on(self, value: Array, again: Value) -> Value:
        """Take what a layer returned for what the next reads, computed once more."""
        ...

    def weight(self, value: Array, name: str) -> Any:
        """Take a weight as given, by its full name; it can be sliced."""
        ...

    def of_same_sums(self) -> Any:
        """Give the arithmetic of what is computed again from sums that are the same."""
        ...

    def detach(self, value: Value) -> Value:
        """Take a value of earlier steps, which later ones go on from."""
        ...

    def infer_c(self, o: Value, h: Array, f: Value, i: Value, g: Value) -> Value | None:
        """Give c, of `h = o tanh(c)` and `c = f c + i g`, as far as h tells.

        None: it is not needed.
        """
        ...

    def told_by(self, o: Value, h: Array) -> Value | None:
        """Give the state, of `h = o tanh(state)`, as far as h tells.

        None: it is not needed.
        """
        ...

    def recomputed(self, told: Value, again: Value) -> Value:
        """Take a state that was told for what goes on, computed once more.

        Args:
            told: What the backend returned tells of it.
            again: It, computed from a state that is exact.

        """
        ...

    def tighten(self, a: Value, b: Value) -> Value:
        """Take the first, unless the second is known much more exactly, by element."""
        ...

    def affine(
        self,
        products: list[tuple[Value, Any]],
        bias: Any,
        offset: Array | None = None,
    ) -> Value:
        """Sum of `x @ w` over the pairs and the bias, in no promised order.

        A backend may keep `bias - offset` and add the offset when it runs.
        """
        ...

    def add(self, a: Value, b: Value) -> Value:
        """Sum."""
        ...

    def mul(self, a: Value, b: Value) -> Value:
        """Product, element by element."""
        ...

    def recurrence(self, f: Value, a: Value) -> Callable[[int, Value], Value]:
        """Give what makes `f c + a` of a step, counted along axis 1, and of c."""
        ...

    def scale(self, a: Value, weight: Any) -> Value:
        """Product with an exact weight, element by element."""
        ...

    def shift(self, a: Value, weight: Any) -> Value:
        """Sum with an exact weight, element by element along the last axis."""
        ...

    def divide(self, a: Value, b: Value) -> Value:
        """Quotient, element by element."""
        ...

    def spread(self, a: Value, size: int, axis: int = -1) -> Value:
        """Repeat along a new axis, -1 or -2, of a size."""
        ...

    def total(self, a: Value, axis: int = -1) -> Value:
        """Sum along an axis, -1 or -2, which is then gone, in no promised order."""
        ...

    def standardize(self, a: Value, epsilon: float) -> Value:
        """Give `(a - mean) / sqrt(variance + epsilon)`, both along the last axis.

        The variance is the mean of squared distances, whatever it is computed by.
        """
        ...

    def mix(self, z: Value, a: Value, b: Value) -> Value:
        """`z a + (1 - z) b`, in whatever form it is computed; z within [0, 1]."""
        ...

    def tanh(self, x: Value) -> Value:
        """Hyperbolic tangent."""
        ...

    def sigmoid(self, x: Value) -> Value:
        """Logistic function."""
        ...

    def relu(self, x: Value) -> Value:
        """Larger one of x and 0."""
        ...

    def function(self, function: Function, x: Value) -> Value:
        """Any other function of each element."""
        ...

    def where(self, mask: NDArray[np.bool_], a: Value, b: Value) -> Value:
        """Take `a` where the mask holds, else `b`."""
        ...

    def take(self, value: Value, index: Any) -> Value:
        """Index a value."""
        ...

    def stack(self, values: list[Value]) -> Value:
        """Stack along axis 1, that of time."""
        ...

    def concatenate(self, values: list[Value], axis: int = -1) -> Value:
        """Join along an axis."""
        ...


def one_by_one(
    ops: Operations[Value], f: Value, a: Value
) -> Callable[[int, Value], Value]:
    """Give what makes `f c + a` of a step and c, by operations of each step's own."""

    def made(step: int, c: Value) -> Value:
        at = slice(None), step
        return ops.add(ops.mul(ops.take(f, at), c), ops.take(a, at))

    return made
