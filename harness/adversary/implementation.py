"""The operations of a cell as one legal implementation of it computes them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adversary.choices import EVERYWHERE, Choices
from harness.adversary.curves import CURVES, erring
from harness.adversary.formats import Format
from harness.adversary.summing import Order, products, summed
from harness.backend import Accuracy
from harness.judge.operations import one_by_one
from harness.spec import HALF_DTYPES, Array

_FLOAT32 = Format("float32")
_SELDOM = (False, False, True)


class Made:
    """A result, wide and not yet rounded: whoever reads it may round it or not.

    What is computed twice has a second value, of which some readers read.
    """

    __slots__ = ("_rounded", "final", "second", "value")

    def __init__(self, value: Array, second: Array | None = None) -> None:
        self.value = value
        self.second = value if second is None else second
        self.final = value  # what is returned of a state at the end
        self._rounded: Array | None = None

    def rounded(self, form: Format, *, flush: bool, second: bool = False) -> Array:
        """Return it in the dtype."""
        if second and self.second is not self.value:
            return form.rounded(self.second, flush=flush)
        if self._rounded is None:
            self._rounded = form.rounded(self.value, flush=flush)
        return self._rounded


class Implementation:
    """One legal implementation.

    Places in the program are told by counting operations within a step, which begins
    where one step's inputs are taken from all.

    Args:
        accuracy: What it may err by.
        choices: What it chooses.

    """

    def __init__(self, accuracy: Accuracy, choices: Choices) -> None:
        self._accuracy, self._choices = accuracy, choices
        self._form = Format(accuracy.dtype)
        # Sums of half precisions may be float32's whatever is stated.
        inside = accuracy.accumulator or accuracy.dtype
        self._inside = Format(inside)
        self._flush = choices.pick(EVERYWHERE, "flush", _SELDOM)
        # What is carried on and what is shown may be computed apart.
        self._twice = choices.pick(EVERYWHERE, "twice", (False, True))
        self._pass, self._count = "", 0

    def _place(self, operation: str) -> str:
        """Return the name of the place in the program that is come to next."""
        self._count += 1
        return f"{self._pass} {self._count} {operation}"

    def read(
        self, made: Made, place: str, operand: str, *, second: bool = False
    ) -> Array:
        """Return a value as an operation reads it."""
        if not self._choices.pick(place, f"{operand} wide", _SELDOM):
            return made.rounded(self._form, flush=self._flush, second=second)
        value = made.second if second else made.value
        return self._form.flushed(value) if self._flush else value

    def _shown(self, made: Made, place: str) -> Array:
        """Return what c is where it is shown: it may be computed for that alone."""
        second = made.second is not made.value and self._choices.pick(
            place, "second", (False, True)
        )
        return self.read(made, place, "shown", second=second)

    def _given(self, value: Any) -> Array:
        """Return a weight as it is read."""
        wide = np.asarray(value, self._form.wide)
        return self._form.flushed(wide) if self._flush else wide

    def _round(self, value: Array, form: Format | None = None) -> Array:
        return (form or self._form).rounded(value, flush=self._flush)

    def exactly(self, value: Array, name: str = "") -> Made:
        """Take a value that is given; initial states tell where a pass begins."""
        if name.startswith("initial"):
            self._pass, self._count = name.partition(".")[2], 0
        return Made(np.asarray(value).astype(self._form.wide))

    def seen(self, value: Array, instead_of: Made | None) -> Made:
        """Take what a backend returned."""
        del instead_of
        return self.exactly(value)

    def weight(self, value: Array, name: str) -> Array:
        """Take a weight."""
        del name
        return np.asarray(value).astype(self._form.wide)

    def past(self, value: Made) -> Made:
        """Take a value of earlier steps."""
        return value

    def rebuilt(self, o: Made, h: Array) -> None:
        """Give nothing: c is known."""

    def nearer(self, a: Made, b: Made) -> Made:
        """Take the first: it is known."""
        del b
        return a

    def affine(
        self,
        products: list[tuple[Made, Array]],
        bias: Array,
        offset: Array | None = None,
    ) -> Made:
        """Sum up products and the bias, together or apart, in some order."""
        place = self._place("affine")
        pick = self._choices.pick
        kept, later = self._given(bias), None
        if offset is not None and pick(place, "offset", (False, False, False, True)):
            later = self._given(offset)
            kept = self._round(kept - later)
        terms = [
            self._terms(self.read(x, place, f"factor {k}"), self._given(w), place)
            for k, (x, w) in enumerate(products)
        ]
        form = pick(place, "form", ("apart", "apart", "together", "together", "wide"))
        if form == "apart":
            total = self._apart(terms, kept, place)
        elif form == "together":
            total = self._together(terms, kept, place)
        else:
            total = np.sum([of.sum(axis=0) for of in terms], axis=0) + kept
        if later is not None:
            total = self._round(self._round(total) + later)
        shape = (*products[0][0].value.shape[:-1], total.shape[-1])
        return Made(total.reshape(shape))

    def _terms(self, x: Array, w: Array, place: str) -> Array:
        """Return the products of factors, that may have fewer bits."""
        rows = x.reshape(-1, x.shape[-1])
        if (unit := self._accuracy.factor_unit) and self._choices.pick(
            place, "fewer bits", (True, True, False)
        ):
            rows, w = (_shortened(of, unit) for of in (rows, w))
        return products(rows, w)

    def _together(self, terms: list[Array], bias: Array, place: str) -> Array:
        """Sum up all in one, the bias first, last or among them."""
        order = Order.at(self._choices, place, "sum")
        where = self._choices.pick(place, "bias", ("last", "first", "halves"))
        form = self._inside
        first = np.broadcast_to(bias, terms[0][0].shape)[np.newaxis]
        if where == "first":
            terms = [first, *terms]
        elif where == "halves":
            terms = [first / 2, *terms]
        total = summed(np.concatenate(terms), order, form, flush=self._flush)
        if where == "last":
            return self._round(total + bias, form)
        return self._round(total + bias / 2, form) if where == "halves" else total

    def _apart(self, terms: list[Array], bias: Array, place: str) -> Array:
        """Sum up each product by itself, and add these and the bias in some order."""
        pick = self._choices.pick
        form = self._inside if pick(place, "parts wide", _SELDOM) else self._form
        parts = []
        for k, of in enumerate(terms):
            order = Order.at(self._choices, place, f"sum {k}")
            total = summed(of, order, self._inside, flush=self._flush)
            parts.append(self._round(total, form))
        if len(parts) == 1 or pick(place, "bias in halves", _SELDOM):
            share = bias / len(parts)
            total = self._round(parts[0] + share, form)
            for part in parts[1:]:
                total = self._round(total + self._round(part + share, form), form)
            return total
        a, b, c = pick(place, "first", ((0, 2, 1), (1, 2, 0), (0, 1, 2)))
        given = (*parts, bias)
        return self._round(self._round(given[a] + given[b], form) + given[c], form)

    def add(self, a: Made, b: Made) -> Made:
        """Add."""
        return self._both(np.add, a, b)

    def mul(self, a: Made, b: Made) -> Made:
        """Multiply."""
        return self._both(np.multiply, a, b)

    def _both(self, form: Callable[..., Array], a: Made, b: Made) -> Made:
        """Compute a result, and perhaps once more otherwise."""
        place = self._place(form.__name__)
        found = form(self.read(a, place, "a"), self.read(b, place, "b"))
        again = None
        if self._twice:
            again = form(
                self.read(a, place, "a again", second=True),
                self.read(b, place, "b again", second=True),
            )
        return Made(found, again)

    def recurrence(self, f: Made, a: Made) -> Callable[[int, Made], Made]:
        """Give what makes `f c + a` of a step and c."""
        return one_by_one(self, f, a)

    def scale(self, a: Made, weight: Array) -> Made:
        """Multiply by a weight."""
        return Made(self._shown(a, self._place("scale")) * self._given(weight))

    def mix(self, z: Made, a: Made, b: Made) -> Made:
        """Mix in one of the forms that kernels have, perhaps twice."""
        place = self._place("mix")
        found = self._mixed((z, a, b), place, "once")
        again = self._mixed((z, a, b), place, "again") if self._twice else None
        return Made(found, again)

    def _mixed(self, made: tuple[Made, ...], place: str, which: str) -> Array:
        """Return `z a + (1 - z) b`; fused multiply-adds skip a rounding."""
        pick = self._choices.pick
        z, a, b = (
            self.read(of, place, f"{which} {k}", second=which == "again")
            for k, of in enumerate(made)
        )
        form = pick(place, which, ("sum", "from b", "from a", "difference"))

        def maybe(value: Array, name: str) -> Array:
            skipped = pick(place, f"{which} {name} skipped", _SELDOM)
            return value if skipped else self._round(value)

        if form == "sum":
            rest = maybe(1 - z, "rest")
            return maybe(z * a, "za") + maybe(rest * b, "rest b")
        if form == "from b":
            return b + maybe(z * maybe(a - b, "apart"), "moved")
        if form == "from a":
            rest = maybe(1 - z, "rest")
            return a + maybe(rest * maybe(b - a, "apart"), "moved")
        return maybe(b - maybe(z * b, "zb"), "rest b") + maybe(z * a, "za")

    def tanh(self, x: Made) -> Made:
        """Take the hyperbolic tangent, off by a fixed curve."""
        return self._function("tanh", x)

    def sigmoid(self, x: Made) -> Made:
        """Take the logistic function in the same way."""
        return self._function("sigmoid", x)

    def _function(self, name: str, x: Made) -> Made:
        place = self._place(name)
        read = self._shown(x, place)
        found = self._erring(name, read, place, "once")
        again = self._erring(name, read, place, "again") if self._twice else None
        return Made(found, again)

    def _erring(self, name: str, x: Array, place: str, which: str) -> Array:
        curve = self._choices.pick(place, f"curve {which}", tuple(CURVES))
        seed = self._choices.number(place, f"curve seed {which}")
        found = erring(name, x, self._accuracy, self._form, (curve, seed))
        return self._form.flushed(found) if self._flush else found

    def relu(self, x: Made) -> Made:
        """Take the larger one of x and 0."""
        return Made(np.maximum(self.read(x, self._place("relu"), "x"), 0.0))

    def where(self, mask: NDArray[np.bool_], a: Made, b: Made) -> Made:
        """Take `a` where the mask holds: what a step hands on.

        That is in the dtype, but half precisions' may be kept wide until they are
        returned. What is returned at the end may have been computed a second time.
        """
        place = self._place("where")
        form, flush = self._form, self._flush
        if self._form.name in HALF_DTYPES and self._choices.pick(
            place, "kept wide", _SELDOM
        ):
            form = _FLOAT32
        kept = form.rounded(a.value, flush=flush)
        found = Made(np.where(mask, kept, b.value))
        again = a.value
        if self._choices.pick(place, "final", (False, True)):
            again = a.second
        found.final = np.where(mask, form.rounded(again, flush=flush), b.final)
        return found

    def take(self, value: Made, index: Any) -> Made:
        """Index a value; a step begins where its inputs are taken."""
        if isinstance(index, tuple) and len(index) == 2 and isinstance(index[1], int):
            self._count = 0
        second = None if value.second is value.value else value.second[index]
        return Made(value.value[index], second)

    def stack(self, values: list[Made]) -> Made:
        """Stack along axis 1, that of time."""
        return Made(np.stack([of.value for of in values], axis=1))

    def concatenate(self, values: list[Made], axis: int = -1) -> Made:
        """Join along an axis."""
        return Made(np.concatenate([of.value for of in values], axis))


def _shortened(value: Array, unit: float) -> Array:
    """Round to fewer bits."""
    significand, exponent = np.frexp(value)
    steps = 1 / (2 * unit)
    return np.ldexp(np.rint(significand * 2 * steps) / (2 * steps), exponent)
