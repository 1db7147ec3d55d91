"""The operations of a cell as right implementations round them: each time otherwise.

Stochastic arithmetic (Vignes, Math. Comput. Simul. 35(3), 1993): the same network run
several times with random legal roundings shows how far right results spread, where no
bound shows anything any more.
"""

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from rnn_parity.judge.arithmetic import Float64, product
from rnn_parity.judge.bounded import unit
from rnn_parity_core import Accuracy, Array
from rnn_parity_core.functions import Function

_USUAL_ULP = 2.0
"""Of functions: where gates are, most err by less. What somebody's framework may err by
is far more, as nobody described it; the factor that errors are held to has room for it:
ONNX Runtime, whose logistic function errs by 3e-7, came to 8 of 12."""
_WAVES = 2.0, 64.0
"""How quickly a function's error changes sign over its argument, at least and most."""


class Stochastic(Float64):
    """Float64, of which every result is moved by a rounding that is legal.

    Rows are those of one batch, again and again: first without any rounding, then once
    for each simulation. What an implementation fixes once is fixed for each of them:
    the error of a function as a curve over its argument, and a bias that is rounded.

    Args:
        accuracy: What a backend may err by.
        rows: Rows of the batch.
        simulations: How many times they come again.
        rng: Where roundings are drawn from.

    """

    def __init__(
        self,
        accuracy: Accuracy,
        rows: int,
        simulations: int,
        rng: np.random.Generator,
    ) -> None:
        self._accuracy, self._rng = accuracy, rng
        self._rows, self._times = rows, simulations
        self._unit = unit(accuracy.dtype)
        self._inside = unit(accuracy.accumulator or accuracy.dtype)
        info = ml_dtypes.finfo(accuracy.dtype)  # type: ignore[no-untyped-call]
        self._tiny = float(info.smallest_normal)
        self._fixed: dict[Any, Array] = {}

    def affine(
        self,
        products: list[tuple[Array, Array]],
        bias: Array,
        offset: Array | None = None,
    ) -> Array:
        """Sum of `x @ w` over the pairs and the bias, its terms added one by one.

        That is the longest chain of roundings that is common, in a random order.
        """
        total = super().affine(products, bias, offset)
        size = np.square(bias)
        for x, w in products:
            size = size + product(np.square(x[: self._rows]), np.square(w))
        terms = sum(len(w) for _, w in products) + 1
        scatter = self._inside * np.sqrt(chained(terms, total[: self._rows], size))
        if self._inside != self._unit:
            scatter = np.hypot(scatter, self._unit * np.sqrt(size / 3))
        if factor := self._accuracy.factor_unit:
            scatter = np.hypot(scatter, factor * np.sqrt(2 * size / 3))
        moved = total + self._of_all(scatter) * self._drawn(total.shape, normal=True)
        if self._inside != self._unit:
            moved = self._rounded(moved)
        kept = np.abs(bias) if offset is None else np.abs(bias) + 2 * np.abs(offset)
        once = self._once(("bias", total.shape[-1]))
        return np.asarray(moved + self._unit * kept * once)

    def add(self, a: Array, b: Array) -> Array:
        """Sum."""
        return self._rounded(a + b)

    def mul(self, a: Array, b: Array) -> Array:
        """Product, element by element."""
        return self._rounded(a * b)

    def recurrence(self, f: Array, a: Array) -> Callable[[int, Array], Array]:
        """Give what makes `f c + a` of a step and c."""
        return lambda step, c: self.add(self.mul(f[:, step], c), a[:, step])

    def scale(self, a: Array, weight: Array) -> Array:
        """Product with a weight, element by element."""
        return self._rounded(a * weight)

    def shift(self, a: Array, weight: Array) -> Array:
        """Sum with a weight."""
        return self._rounded(super().shift(a, weight))

    def divide(self, a: Array, b: Array) -> Array:
        """Quotient, element by element."""
        return self._rounded(super().divide(a, b))

    def total(self, a: Array, axis: int = -1) -> Array:
        """Sum along an axis, its terms added one by one."""
        total, squares = super().total(a, axis), np.square(a).sum(axis=axis)
        scatter = self._inside * np.sqrt(chained(a.shape[axis], total, squares))
        return self._rounded(total + scatter * self._drawn(total.shape, normal=True))

    def standardize(self, a: Array, epsilon: float) -> Array:
        """Center and scale along the last axis."""
        count = a.shape[-1]
        mean = np.expand_dims(self.total(a) / count, -1)
        apart = self._rounded(a - mean)
        variance = np.expand_dims(self.total(self.mul(apart, apart)) / count, -1)
        given = self._rounded(variance + epsilon)
        # As a function errs: by the ulps that instructions for it do, along a curve.
        root = self._along_a_curve("root", 1 / np.sqrt(given), given, _USUAL_ULP)
        return self._rounded(apart * root)

    def mix(self, z: Array, a: Array, b: Array) -> Array:
        """`z a + (1 - z) b`, its three roundings those of products and a sum."""
        rest = self._rounded(1 - z)
        return self.add(self.mul(z, a), self.mul(rest, b))

    def tanh(self, x: Array) -> Array:
        """Hyperbolic tangent."""
        return self._function("tanh", super().tanh(x), x)

    def sigmoid(self, x: Array) -> Array:
        """Logistic function."""
        return self._function("sigmoid", super().sigmoid(x), x)

    def function(self, function: Function, x: Array) -> Array:
        """Any other function: as it is stated, or each of its roundings."""
        value = super().function(function, x)
        if not function.roundings:
            return self._function(function.name, value, x)
        for _ in range(function.roundings):
            size = self._unit * (np.abs(value) + function.around)
            value = value + size * self._drawn(value.shape)
        return np.asarray(value)

    def _function(self, name: str, value: Array, x: Array) -> Array:
        """Move a function along a curve of errors that it may have, and round it."""
        ulp = min(self._accuracy.functions[name].ulp, _USUAL_ULP)
        return self._along_a_curve(name, value, x, ulp)

    def _along_a_curve(self, name: str, value: Array, x: Array, most: float) -> Array:
        """Let a result err by so many ulp at most, half of one by its rounding."""
        ulp = max(most - 0.5, 0.0)
        low, high = (math.log(wave) for wave in _WAVES)
        speed = np.exp(low + (high - low) * (self._once((name, "speed"), 1) + 1) / 2)
        phase = math.pi * self._once((name, "phase"), 1)
        each = -1, *(1 for _ in x.shape[1:])  # one number for all of a row's axes
        wave = np.sin(speed.reshape(each) * x + phase.reshape(each))
        wave *= self._shown(x.shape[0]).reshape(each)
        curve = 2 * self._unit * ulp * np.abs(value)
        return self._rounded(value + curve * wave)

    def _rounded(self, value: Array) -> Array:
        """Round a result, or flush it to zero where it is that small."""
        size = self._unit * np.abs(value)
        if self._accuracy.dtype == "float16":
            size = size + np.minimum(np.abs(value), self._tiny)
        return np.asarray(value + size * self._drawn(value.shape))

    def _drawn(self, shape: tuple[int, ...], *, normal: bool = False) -> Array:
        """Draw a number for each element; none for those that are not to be moved."""
        rest = (shape[0] - self._rows, *shape[1:])
        drawn = np.zeros(shape)
        rng = self._rng
        drawn[self._rows :] = (
            rng.standard_normal(rest) if normal else rng.uniform(-1, 1, rest)
        )
        return drawn

    def _once(self, key: Any, size: int | None = None) -> Array:
        """Draw what a simulation fixes once, for all its rows, `[rows, size]`."""
        if key not in self._fixed:
            size = key[1] if size is None else size
            drawn = self._rng.uniform(-1, 1, (self._times, size))
            drawn = np.concatenate([np.zeros((1, size)), drawn])
            self._fixed[key] = np.repeat(drawn, self._rows, axis=0)
        return self._fixed[key]

    def _shown(self, rows: int) -> Array:
        return (np.arange(rows) >= self._rows)[:, np.newaxis].astype(np.float64)

    def _of_all(self, part: Array) -> Array:
        return np.tile(part, (self._times + 1, *(1 for _ in part.shape[1:])))


def chained(terms: int, total: Array, squares: Array) -> Array:
    """Give the variance of a sum's error in units of the rounding unit, squared.

    Of `terms` terms that are added one by one in a random order, the k-th partial sum
    has a mean square of `k / n A + k (k - 1) / (n (n - 1)) (S^2 - A)`, where S is the
    sum and A that of the terms' squares; each rounds with a variance of its square
    times `u^2 / 3`.
    """
    shares = (terms + 1) / 6 * squares + (terms + 1) / 3 * np.square(total)
    return np.asarray(shares / 3)
