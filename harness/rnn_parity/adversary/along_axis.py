"""Sums, means and variances along an axis as one legal implementation computes them."""

import numpy as np

from rnn_parity.adversary.affine import Affine
from rnn_parity.adversary.formats import Format
from rnn_parity.adversary.made import SELDOM, Made
from rnn_parity.adversary.summing import Order, summed
from rnn_parity_core import Array


class AlongAxis(Affine):
    """What a cell may do along an axis."""

    def spread(self, a: Made, size: int, axis: int = -1) -> Made:
        """Repeat along a new axis."""

        def repeated(of: Array) -> Array:
            return np.repeat(np.expand_dims(of, axis), size, axis)

        second = None if a.second is a.value else repeated(a.second)
        return Made(repeated(a.value), second)

    def total(self, a: Made, axis: int = -1) -> Made:
        """Sum up in some order."""
        place = self._place("total")
        return Made(self._summed(self.read(a, place, "a"), place, "sum", axis))

    def _summed(self, of: Array, place: str, what: str, axis: int = -1) -> Array:
        order = Order.at(self._choices, place, what)
        terms = np.moveaxis(of, axis, 0)
        return summed(terms, order, self._inside, flush=self._flush)

    def _mean(self, of: Array, place: str, what: str) -> Array:
        """Return the mean along the last axis, `[..., 1]`."""
        form = self._stays(place, what)
        total = self._summed(of, place, what)[..., np.newaxis]
        return self._round(total / of.shape[-1], form)

    def _stays(self, place: str, what: str) -> Format:
        """Return what a result on the way is kept in."""
        wide = self._choices.pick(place, f"{what} wide", SELDOM)
        return self._inside if wide else self._form

    def standardize(self, a: Made, epsilon: float) -> Made:
        """Center and scale, the variance in either form."""
        place = self._place("standardize")
        x = self.read(a, place, "a")
        mean = self._mean(x, place, "mean")
        apart = self._round(x - mean, self._stays(place, "apart"))
        scale = self._inverse_deviation(x, mean, epsilon, place)
        if self._choices.pick(place, "scaled first", SELDOM):
            form = self._stays(place, "scaled")
            return Made(self._round(x * scale, form) - self._round(mean * scale, form))
        return Made(apart * scale)

    def _inverse_deviation(
        self, x: Array, mean: Array, epsilon: float, place: str
    ) -> Array:
        pick, form = self._choices.pick, self._stays(place, "variance")
        if pick(place, "squares first", (False, True)):
            squares = self._mean(self._round(x * x, form), place, "squares")
            variance = self._round(squares - self._round(mean * mean, form), form)
            if pick(place, "cut off", (False, True)):
                variance = np.maximum(variance, 0.0)
        else:
            apart = self._round(x - mean, form)
            variance = self._mean(self._round(apart * apart, form), place, "squares")
        given = self._round(variance + self._given(epsilon), form)
        given = np.where(given > 0, given, epsilon)  # a NaN would be wrong
        root = 1 / np.sqrt(given)
        if pick(place, "root first", (False, True)):
            root = 1 / self._round(np.sqrt(given), form)
        # Instructions for it err by up to 2 ulp.
        off = pick(place, "approximated", (0.0, 0.0, -1.0, 1.0))
        return self._round(root * (1 + off * self._form.eps), form)
