"""What of an error scatters, and what may be the same at every step.

Rounding errs up as often as down, so that in a sum over steps most of it cancels. Not
so where a function errs one way near one argument, where a single rounding meets the
same values again, and where terms of a sum stay what they were: these add up.
"""

from typing import Any, NamedTuple

import numpy as np

from rnn_parity.judge.alike import times_alike
from rnn_parity.judge.arithmetic import inverse_deviation, product
from rnn_parity.judge.bounded import Bounded, Curve, logistic_of, tanh_of, together
from rnn_parity.judge.bounds import likely, worst_case
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.sums import Products, Summed
from rnn_parity_core import Array
from rnn_parity_core.functions import Function

_ULPS = 16
"""Terms of a sum that differ by fewer ulp of it may be rounded alike."""


class Scattered(NamedTuple):
    """A value, a bound on its error, and what of that scatters."""

    value: Array
    error: Array
    loose: Array
    """What of the bound is for roundings of sums, which err up as often as down."""
    sigma: Array
    """How widely these scatter: a standard deviation, as much larger as the same
    roundings come again at other steps."""

    @property
    def steady(self) -> Array:
        """What may be off at every step alike."""
        return np.asarray(np.maximum(self.error - self.loose, 0.0))


class Scatter(Rounded):
    """Float64 with running error bounds, of samples `[N, …]`: steps of one pass."""

    def known(self, of: Bounded) -> Scattered:
        """Take a value of earlier steps, or of a layer below: all of it is steady."""
        zeros = np.zeros_like(of.value)
        return Scattered(of.value, of.error, zeros, zeros)

    def affine(  # type: ignore[override]
        self,
        products: list[tuple[Scattered, Array]],
        bias: Array,
        offset: Array | None = None,
    ) -> Scattered:
        """Bound a sum: what scatters are its roundings, as far as its terms vary."""
        plain = [(_plain(x), w) for x, w in products]
        summed = self._summed(plain, bias, offset)
        usual = likely(summed.terms, self._inside, summed.value.size)
        worst = worst_case(summed.terms, self._inside)
        loose = np.clip(
            worst * summed.magnitude - summed.one_way, 0.0, usual * summed.magnitude
        )
        square = summed.terms * np.square(summed.magnitude)
        square += self._coming_again(plain, bias, summed)
        square *= self._inside**2 / 3
        for x, w in products:
            if x.sigma.any():
                loose += product(x.loose, np.abs(w))
                square += product(np.square(x.sigma), np.square(w))
        # The bias may be the rounded sum of two: steadily off.
        error = self._error(summed, len(products)) + self._unit * np.abs(bias)
        return Scattered(summed.value, error, loose, np.sqrt(square))

    def _coming_again(
        self, products: Products, bias: Array, summed: Summed
    ) -> Array | float:
        """Return what roundings that come again add to the squares of magnitudes.

        Features that stay the same may be summed up first: the roundings of that part
        are then the same in all samples that have the same values there.
        """
        again: Array = np.zeros(())
        lasting = np.abs(bias)
        for x, w in products:
            size = np.sqrt(np.mean(np.square(w), axis=1))
            window = 2 * _ULPS * self._inside * summed.magnitude.mean()
            times = times_alike(x.value, window / np.maximum(size, self._tiny))
            times[x.value == 0] = 1.0  # to add zeros rounds nothing
            again = again + (times - 1).sum(axis=-1)
            lasting = lasting + product(np.abs(x.value) * (times > 1), np.abs(w))
        if not again.any():
            return 0.0
        return np.asarray(again[..., np.newaxis] * np.square(lasting))

    def add(self, a: Scattered, b: Scattered) -> Scattered:  # type: ignore[override]
        """Bound a sum."""
        made = super().add(_plain(a), _plain(b))
        return self._rounds(_from(made, (1.0, a), (1.0, b)), np.abs(made.value))

    def mul(self, a: Scattered, b: Scattered) -> Scattered:  # type: ignore[override]
        """Bound a product."""
        made = super().mul(_plain(a), _plain(b))
        flown = _from(made, (np.abs(b.value), a), (np.abs(a.value), b))
        return self._rounds(flown, np.abs(made.value))

    def scale(self, a: Scattered, weight: Array) -> Scattered:  # type: ignore[override]
        """Bound a product with an exact weight."""
        made = super().scale(_plain(a), weight)
        return self._rounds(_from(made, (np.abs(weight), a)), np.abs(made.value))

    def mix(  # type: ignore[override]
        self, z: Scattered, a: Scattered, b: Scattered
    ) -> Scattered:
        """Bound `z a + (1 - z) b`."""
        made = super().mix(_plain(z), _plain(a), _plain(b))
        apart, inner, outer = (
            np.abs(of) for of in (a.value - b.value, z.value, 1 - z.value)
        )
        flown = _from(made, (apart, z), (inner, a), (outer, b))
        size = np.abs(a.value) + np.abs(b.value)
        return self._rounds(self._rounds(self._rounds(flown, size), size), size)

    def tanh(self, x: Scattered) -> Scattered:  # type: ignore[override]
        """Bound tanh; near one argument it errs one way."""
        return self._through(super().tanh(_plain(x)), tanh_of(_plain(x)), x)

    def sigmoid(self, x: Scattered) -> Scattered:  # type: ignore[override]
        """Bound the logistic function in the same way."""
        return self._through(super().sigmoid(_plain(x)), logistic_of(_plain(x)), x)

    def function(self, function: Function, x: Scattered) -> Scattered:  # type: ignore[override]
        """Bound any other function; what it rounds may err one way."""
        slope = function.slopes(x.value - x.error, x.value + x.error)
        return _from(super().function(function, _plain(x)), (slope, x))

    def shift(self, a: Scattered, weight: Array) -> Scattered:  # type: ignore[override]
        """Bound a sum with a weight."""
        made = super().shift(_plain(a), weight)
        return self._rounds(_from(made, (1.0, a)), np.abs(made.value))

    def divide(self, a: Scattered, b: Scattered) -> Scattered:  # type: ignore[override]
        """Bound a quotient."""
        made = super().divide(_plain(a), _plain(b))
        slopes = np.abs(1 / b.value), np.abs(made.value / b.value)
        flown = _from(made, *zip(slopes, (a, b), strict=True))
        return self._rounds(flown, np.abs(made.value))

    def spread(self, a: Scattered, size: int, axis: int = -1) -> Scattered:  # type: ignore[override]
        """Repeat along a new axis."""
        return together(lambda of: np.repeat(np.expand_dims(of, axis), size, axis), a)

    def total(self, a: Scattered, axis: int = -1) -> Scattered:  # type: ignore[override]
        """Bound a sum; what its own roundings make is taken for steady."""
        made = super().total(_plain(a), axis)
        loose, sigma = a.loose.sum(axis=axis), a.sigma.sum(axis=axis)
        return Scattered(made.value, made.error, loose, sigma)

    def standardize(self, a: Scattered, epsilon: float) -> Scattered:  # type: ignore[override]
        """Bound what is centered and scaled; what its own roundings make is steady."""
        made = super().standardize(_plain(a), epsilon)
        scale = inverse_deviation(a.value - a.value.mean(-1, keepdims=True), epsilon)

        def mean(of: Array) -> Array:
            return np.asarray(of.mean(axis=-1, keepdims=True))

        # So much of the bound comes of it at least: of a unit itself and of the mean.
        loose = scale * (a.loose + mean(a.loose))
        # And what the deviation moves, at worst of one sign.
        size = np.abs(made.value)
        sigma = scale * (a.sigma + mean(a.sigma) + size * mean(size * a.sigma))
        return Scattered(made.value, made.error, loose, sigma)

    def _through(self, made: Bounded, curve: Curve, x: Scattered) -> Scattered:
        found = _from(made, (curve.slope, x))
        return found._replace(loose=np.minimum(found.loose, curve.carried))

    def _rounds(self, made: Scattered, size: Array) -> Scattered:
        """Let one rounding scatter, of numbers of a size, as far as results vary."""
        own = self._both * size
        flat = made.value.reshape(len(made.value), -1)
        near = 2 * _ULPS * self._both * np.mean(np.abs(flat), axis=0)
        square = np.square(own) / 3
        square *= times_alike(flat, near).reshape(square.shape)
        return made._replace(
            loose=made.loose + own, sigma=np.sqrt(np.square(made.sigma) + square)
        )


def _plain(of: Scattered) -> Bounded:
    return Bounded(of.value, of.error)


def _from(made: Bounded, *operands: tuple[Any, Scattered]) -> Scattered:
    """Let what scatters in operands flow on, by slopes; the rest is steady."""
    loose = sum(slope * of.loose for slope, of in operands)
    sigma = sum(slope * of.sigma for slope, of in operands)
    return Scattered(made.value, made.error, loose, sigma)
