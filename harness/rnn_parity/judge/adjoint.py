"""Both arithmetics once more, with what going back through a network needs.

A gradient that flows back to a value from several places is a sum of products, which a
framework may compute in one piece or in many, in any order. So contributions are kept
as they are until all of them are there, and their sum is bounded as a whole.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rnn_parity.judge.arithmetic import Float64, inverse_deviation
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.bounds import likely, worst_case
from rnn_parity.judge.rounded import REFERENCE_ULP, Rounded
from rnn_parity.judge.unequal import lost_terms, same_terms
from rnn_parity_core import Array
from rnn_parity_core.functions import Function


class Through(NamedTuple):
    """The contribution `gradient @ weight.T` to what was multiplied by a weight."""

    gradient: Any
    weight: Array


class Outer(NamedTuple):
    """The contribution `x.T @ gradient` to a weight, summed over rows."""

    x: Any
    gradient: Any


class Rows(NamedTuple):
    """The contribution of a gradient to a weight that was added to every row."""

    gradient: Any


class Placed(NamedTuple):
    """The contribution of a gradient to the part of a value that an index names."""

    gradient: Any
    index: Any


class Float64Adjoint(Float64):
    """Float64, backwards."""

    def tanh_slope(self, y: Array) -> Array:
        """Give the derivative of tanh where it is y."""
        return np.asarray((1 - y) * (1 + y))

    def sigmoid_slope(self, y: Array) -> Array:
        """Give that of the logistic function where it is y."""
        return np.asarray(y * (1 - y))

    def relu_slope(self, x: Array) -> Array:
        """Give that of the rectifier at x; 0 at 0, as in every framework."""
        return np.where(x > 0, 1.0, 0.0)

    def slope(self, function: Function, x: Array) -> Array:
        """Give the derivative of any other function at x."""
        return function.slope(x)

    def complement(self, z: Array) -> Array:
        """Give `1 - z`."""
        return 1 - z

    def difference(self, a: Array, b: Array) -> Array:
        """Give `a - b`."""
        return a - b

    def negative(self, a: Array) -> Array:
        """Give `-a`."""
        return -a

    def mean(self, a: Array) -> Array:
        """Give the mean along the last axis, everywhere."""
        return np.broadcast_to(a.mean(axis=-1, keepdims=True), a.shape)

    def scaling(self, a: Array, epsilon: float) -> Array:
        """Give what `standardize` divides by, inverted, everywhere."""
        apart = a - a.mean(axis=-1, keepdims=True)
        return np.broadcast_to(inverse_deviation(apart, epsilon), a.shape)

    def fan_in(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Array:
        """Sum up what flows back to a value."""
        total = np.zeros(shape)
        for part in parts:
            if isinstance(part, Placed):
                total[part.index] += part.gradient
            elif isinstance(part, Through):
                total += part.gradient @ part.weight.T
            else:
                total += part
        return total

    def of_weight(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Array:
        """Sum up what flows back to a weight, over rows and steps."""
        total = np.zeros(shape)
        for part in parts:
            if isinstance(part, Placed):
                total[part.index] += part.gradient
            elif isinstance(part, Rows):
                total += part.gradient.sum(axis=0)
            else:
                total += part.x.T @ part.gradient
        return total


class RoundedAdjoint(Rounded):
    """Float64 with running error bounds, backwards."""

    def tanh_slope(self, y: Bounded) -> Bounded:
        """Bound `1 - y y`, which rounds what is near 1 even where it is near 0."""
        value = (1 - y.value) * (1 + y.value)
        carried = (2 * np.abs(y.value) + y.error) * y.error
        return Bounded(value, carried + 3 * self._both)

    def sigmoid_slope(self, y: Bounded) -> Bounded:
        """Bound `y (1 - y)`, also as `y - y y`, which rounds what is near 1."""
        value = y.value * (1 - y.value)
        carried = (np.abs(1 - 2 * y.value) + y.error) * y.error
        size = 3 * (np.abs(value) + carried) + np.square(y.value) + y.error
        return Bounded(value, carried + self._both * size)

    def relu_slope(self, x: Bounded) -> Bounded:
        """Give 0 or 1; either may be, where the sign of x is not certain."""
        value = np.where(x.value > 0, 1.0, 0.0)
        unsure = (np.abs(x.value) <= x.error) & (x.error > 0)
        return Bounded(value, np.where(unsure, 1.0, 0.0))

    def slope(self, function: Function, x: Bounded) -> Bounded:
        """Bound the derivative of any other function; at a kink it may be either.

        Which side of it a backend takes follows from what it computes there, rounded.
        """
        value, error = function.slope(x.value), self._bent(function, x)
        for kink in function.kinks:
            near = np.abs(function.value(np.array([kink]))) + function.around
            near = function.roundings * self._both * near / function.steepest
            unsure = (np.abs(x.value - kink) <= x.error + near) & (x.error > 0)
            error = np.where(unsure, 2 * function.steepest, error)
        size: Any = function.steepest  # no part of it is larger, though parts cancel
        if not np.isfinite(size):
            size = np.abs(value) + error
        # Of a square of what the function divides by, each of its roundings twice.
        terms = float(max(2 * function.roundings, 3))
        if not function.roundings:
            # Of parts that err as it does: they may be `x (1 - y)` of a y near 1.
            stated = self._accuracy.functions[function.name]
            terms += 2 * stated.ulp + REFERENCE_ULP
            size = size + function.around_slope * np.abs(x.value)
        return Bounded(value, error + terms * self._both * size)

    def _bent(self, function: Function, x: Bounded) -> Array:
        """Bound how far off a derivative is for where it is taken."""
        if np.isfinite(function.bend):
            return np.asarray(function.bend * x.error)
        # It rises or falls all the way.
        sides = (function.slope(x.value + sign * x.error) for sign in (-1, 1))
        here = function.slope(x.value)
        apart = np.maximum(*(np.abs(of - here) for of in sides))
        return np.where(np.isfinite(apart), apart, np.inf)

    def complement(self, z: Bounded) -> Bounded:
        """Bound `1 - z`."""
        return Bounded(1 - z.value, z.error + self._both)

    def difference(self, a: Bounded, b: Bounded) -> Bounded:
        """Bound `a - b`, also where each is first multiplied by the same number."""
        size = np.abs(a.value) + a.error + np.abs(b.value) + b.error
        return Bounded(a.value - b.value, a.error + b.error + 2 * self._both * size)

    def negative(self, a: Bounded) -> Bounded:
        """Bound `-a`."""
        return Bounded(-a.value, a.error)

    def mean(self, a: Bounded) -> Bounded:
        """Bound the mean along the last axis, everywhere."""
        count = a.value.shape[-1]
        summed = self.total(a)
        value, error = (np.expand_dims(of / count, -1) for of in summed)
        error = error + 2 * self._both * (np.abs(value) + error)
        return Bounded(*(np.broadcast_to(of, a.value.shape) for of in (value, error)))

    def scaling(self, a: Bounded, epsilon: float) -> Bounded:
        """Bound what `standardize` divides by, inverted, everywhere."""
        found = self.inverse_deviation(a, epsilon)
        return Bounded(*(np.broadcast_to(of, a.value.shape) for of in found))

    def fan_in(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Bounded:
        """Bound the sum of what flows back to a value, in any order."""
        total = _Sum(shape)
        for part in parts:
            if isinstance(part, Placed):
                total.add(part.gradient, part.index)
            elif isinstance(part, Through):
                total.add_product(part.gradient, part.weight.T)
            else:
                total.add(part)
        return self._bounded(total)

    def of_weight(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Bounded:
        """Bound the sum of what flows back to a weight, over rows and steps."""
        total = _Sum(shape)
        for part in parts:
            if isinstance(part, Placed):
                total.add(part.gradient, part.index)
            elif isinstance(part, Rows):
                total.add_rows(part.gradient)
            else:
                total.add_outer(part.x, part.gradient)
        return self._bounded(total)

    def _bounded(self, total: "_Sum") -> Bounded:
        """Add the roundings of a sum of as many terms."""
        terms = int(total.terms.max(initial=0)) + 1
        usual = likely(terms, self._both, total.value.size)
        worst = worst_case(terms, self._both)
        own: Array = usual * total.magnitude
        if usual < worst:
            # Roundings may all err one way, of equal terms and of those that are lost.
            own += np.where(total.equal, worst * total.magnitude, 0.0)
            own += lost_terms(total.factors(), 0.0, self._both, total.magnitude)
            own = np.minimum(own, worst * total.magnitude)
        error = total.carried + own + 2 * terms * self._tiny
        return Bounded(total.value.reshape(total.shape), error.reshape(total.shape))


class _Sum:
    """What is known of a sum while its terms come in; of a vector, as of one row."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        rows = shape if len(shape) > 1 else (1, *shape)
        self.value, self.carried, self.magnitude = (np.zeros(rows) for _ in range(3))
        self.terms = np.zeros(rows, dtype=np.int64)
        # Where all terms are the same number roundings err the same way.
        self.equal = np.zeros(rows, dtype=bool)
        self._products: list[tuple[Array, Array]] = []
        self._outer: list[tuple[Array, Array]] = []

    def factors(self) -> list[tuple[Array, Array]]:
        """Give magnitudes of what was multiplied and summed up, as two-sided products.

        All rows and steps that are summed up to a weight's gradient are one product.
        """
        if not self._outer:
            return self._products
        x, g = (np.concatenate(of) for of in zip(*self._outer, strict=True))
        return [*self._products, (x.T, g)]

    def add(self, part: Bounded, index: Any = ...) -> None:
        """Add a term, to the place that an index names."""
        size, whole = np.abs(part.value) + part.error, np.zeros(self.value.shape)
        for total, of in (
            (self.value, part.value),
            (self.carried, part.error),
            (self.magnitude, size),
            (self.terms, 1),
            (whole, size),
        ):
            total.reshape(self.shape)[index] += of
        # No larger than its largest element in each row.
        most = whole.max(axis=-1, keepdims=True, initial=0.0)
        self._products.append((most, np.ones((1, whole.shape[-1]))))

    def add_product(self, g: Bounded, w: Array) -> None:
        """Add `g @ w`, w being exact."""
        size, weight = np.abs(g.value) + g.error, np.abs(w)
        self.value += g.value @ w
        self.carried += g.error @ weight
        self.magnitude += size @ weight
        self.terms += w.shape[0]
        self.equal |= same_terms(g.value, w)
        self._products.append((size, weight))

    def add_rows(self, g: Bounded) -> None:
        """Add all rows of a term."""
        self.add_outer(Bounded(np.ones((len(g.value), 1)), np.zeros(())), g)

    def add_outer(self, x: Bounded, g: Bounded) -> None:
        """Add `x.T @ g`."""
        size, reach = np.abs(g.value) + g.error, np.abs(x.value) + x.error
        self.value += x.value.T @ g.value
        self.carried += np.abs(x.value).T @ g.error
        self.carried += np.broadcast_to(x.error, x.value.shape).T @ size
        self.magnitude += reach.T @ size
        self.terms += len(g.value)
        self.equal |= same_terms(x.value.T, g.value)
        self._outer.append((reach, size))
