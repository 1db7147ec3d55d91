"""A legal implementation's way back, in the operations that `judge.tape` needs.

A place there is named by what a gradient is multiplied with, which is the same at every
step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rnn_parity.adversary.implementation import Implementation
from rnn_parity.adversary.made import SELDOM, Made
from rnn_parity.adversary.summing import Order, products, summed
from rnn_parity.judge.adjoint import Outer, Placed, Rows, Through
from rnn_parity_core import Array
from rnn_parity_core.functions import Function

_FEW = 8


class ImplementationAdjoint(Implementation):
    """One legal implementation, there and back."""

    def begin(self) -> None:
        """Say that the way back begins: operations are no more counted by steps."""
        self._of, self._count = "back", 0

    def _place(self, operation: str) -> str:
        # Steps come one after the other without a mark: one place for each operation.
        if self._of == "back":
            return f"back {operation}"
        return super()._place(operation)

    def tanh_slope(self, y: Made) -> Made:
        """Give `1 - y y`, or `(1 - y) (1 + y)`."""
        place = self._place("tanh slope")
        of = self.read(y, place, "y")
        if self._choices.pick(place, "factored", (False, True)):
            return Made(
                self._kept(1 - of, place, "less") * self._kept(1 + of, place, "more")
            )
        return Made(1 - self._kept(of * of, place, "square"))

    def sigmoid_slope(self, y: Made) -> Made:
        """Give `y (1 - y)`; `y - y y` would err by an ulp of y, and nobody has it."""
        place = self._place("sigmoid slope")
        of = self.read(y, place, "y")
        return Made(of * self._kept(1 - of, place, "rest"))

    def _kept(self, value: Array, place: str, what: str) -> Array:
        """Round a value, or let it go into what is computed of it as it is."""
        skipped = self._choices.pick(place, f"{what} skipped", SELDOM)
        return value if skipped else self._round(value)

    def relu_slope(self, x: Made) -> Made:
        """Give 0 or 1; 0 at 0."""
        of = x.rounded(self._form, flush=self._flush)
        return Made(np.where(of > 0, 1.0, 0.0).astype(self._form.wide))

    def complement(self, z: Made) -> Made:
        """Give `1 - z`."""
        return Made(1 - self.read(z, self._place("complement"), "z"))

    def slope(self, function: Function, x: Made) -> Made:
        """Give the derivative of any other function."""
        return Made(function.slope(x.rounded(self._form, flush=self._flush)))

    def negative(self, a: Made) -> Made:
        """Give `-a`."""
        return Made(-a.value)

    def mean(self, a: Made) -> Made:
        """Give the mean along the last axis, everywhere."""
        place = self._place("mean")
        found = self._mean(self.read(a, place, "a"), place, "mean")
        return Made(np.broadcast_to(found, a.value.shape))

    def scaling(self, a: Made, epsilon: float) -> Made:
        """Give what `standardize` divides by, inverted, everywhere."""
        place = self._place("scaling")
        x = self.read(a, place, "a")
        mean = self._mean(x, place, "mean")
        found = self._inverse_deviation(x, mean, epsilon, place)
        return Made(np.broadcast_to(found, x.shape))

    def difference(self, a: Made, b: Made) -> Made:
        """Give `a - b`."""
        place = self._place("difference")
        return Made(self.read(a, place, "a") - self.read(b, place, "b"))

    def fan_in(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Made:
        """Sum up what flows back to a value, products each by themselves."""
        place = f"back fan of {len(parts)} to {shape[-1:]}"
        found = []
        for number, part in enumerate(parts):
            here = f"{place} {number}"
            if isinstance(part, Placed):
                of = np.zeros(shape, self._form.wide)
                of[part.index] = self.read(part.gradient, here, "gradient")
            elif isinstance(part, Through):
                g = self.read(part.gradient, here, "gradient")
                w = self._given(part.weight).T
                of = self._product(g.reshape(-1, g.shape[-1]), w, here)
                of = of.reshape(shape)
            else:
                of = self.read(part, here, "gradient")
            found.append(of)
        return Made(self._one_after_another(shape, found, place))

    def of_weight(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Made:
        """Sum up what flows back to a weight: step by step, or all steps at once."""
        place = f"back weight of {shape}"
        if len(parts) > _FEW and self._choices.pick(place, "at once", (False, True)):
            joined = self._joined(parts)
            if joined:
                parts = joined
        found = []
        for part in parts:
            index, of = ..., part
            if isinstance(part, Placed):
                index, of = part.index, self.read(part.gradient, place, "placed")
            elif isinstance(part, Rows):
                g = self.read(part.gradient, place, "rows")
                of = self._total(g[:, np.newaxis], place)[0]
            else:
                x = self.read(part.x, place, "x")
                g = self.read(part.gradient, place, "gradient")
                of = self._product(x.T, g, place)
            whole = np.zeros(shape, self._form.wide)
            whole[index] = of
            found.append(whole)
        return Made(self._one_after_another(shape, found, place))

    def _joined(self, parts: Sequence[Any]) -> list[Any]:
        """Return all products of a weight as one, if that is what they are."""
        if all(isinstance(part, Rows) for part in parts):
            return [Rows(_over([part.gradient for part in parts]))]
        if all(isinstance(part, Outer) for part in parts):
            x, g = ([getattr(p, n) for p in parts] for n in ("x", "gradient"))
            return [Outer(_over(x), _over(g))]
        return []

    def _product(self, x: Array, w: Array, place: str) -> Array:
        return self._total(products(x, w), place)

    def _total(self, terms: Array, place: str) -> Array:
        order = Order.at(self._choices, place, "sum")
        return summed(terms, order, self._form, flush=self._flush)

    def _one_after_another(
        self, shape: tuple[int, ...], found: list[Array], place: str
    ) -> Array:
        if not found:
            return np.zeros(shape, self._form.wide)
        if self._choices.pick(place, "backwards", (False, True)):
            found.reverse()
        total = found[0]
        for of in found[1:]:
            total = self._round(total + of)
        return total


def _over(parts: list[Made]) -> Made:
    """Join values along the first axis."""
    join: Callable[..., Array] = np.concatenate
    return Made(join([part.value for part in parts]))
