"""Sums of products and a bias as one legal implementation computes them."""

import numpy as np

from rnn_parity.adversary.made import SELDOM, Made, Reader
from rnn_parity.adversary.summing import Order, products, summed
from rnn_parity_core import Array


class Affine(Reader):
    """Sums of products, together or apart."""

    def affine(
        self,
        pairs: list[tuple[Made, Array]],
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
            for k, (x, w) in enumerate(pairs)
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
        shape = (*pairs[0][0].value.shape[:-1], total.shape[-1])
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
        form = self._inside if pick(place, "parts wide", SELDOM) else self._form
        parts = []
        for k, of in enumerate(terms):
            order = Order.at(self._choices, place, f"sum {k}")
            total = summed(of, order, self._inside, flush=self._flush)
            parts.append(self._round(total, form))
        if len(parts) == 1 or pick(place, "bias in halves", SELDOM):
            share = bias / len(parts)
            total = self._round(parts[0] + share, form)
            for part in parts[1:]:
                total = self._round(total + self._round(part + share, form), form)
            return total
        a, b, c = pick(place, "first", ((0, 2, 1), (1, 2, 0), (0, 1, 2)))
        given = (*parts, bias)
        return self._round(self._round(given[a] + given[b], form) + given[c], form)


def _shortened(value: Array, unit: float) -> Array:
    """Round to fewer bits."""
    significand, exponent = np.frexp(value)
    steps = 1 / (2 * unit)
    return np.ldexp(np.rint(significand * 2 * steps) / (2 * steps), exponent)
