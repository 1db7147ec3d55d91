"""Sums of products in one of the orders that kernels take."""

from typing import Any, NamedTuple

import numpy as np

from rnn_parity.adversary.choices import Choices
from rnn_parity.adversary.formats import Format
from rnn_parity_core import Array


class Order(NamedTuple):
    """How a sum is taken."""

    fused: bool
    """Whether products are added as they are, or rounded first."""
    lanes: int
    """How many sums run side by side; 0: one for as many terms as there are."""
    blocks: bool
    """Whether each takes terms that stand together, or every so manyth."""
    tree: bool
    """Whether they are then added pairwise, or one after the other."""
    shuffle: int
    """0: as they stand; 1: backwards; else the seed of a permutation."""

    @staticmethod
    def at(choices: Choices, place: str, what: str) -> "Order":
        """Return the order of a place."""

        def pick(which: str, options: Any) -> Any:
            return choices.pick(place, f"{what} {which}", options)

        shuffled = choices.number(place, f"{what} permutation") + 2
        return Order(
            pick("fused", (False, True)),
            pick("lanes", (1, 1, 2, 4, 8, 16)),
            pick("blocks", (False, True)),
            pick("tree", (False, True)),
            pick("shuffle", (0, 0, 1, shuffled)),
        )


def products(x: Array, w: Array) -> Array:
    """Return the terms of `x @ w`, wide: `[I, N, G]` of `[N, I]` and `[I, G]`."""
    return np.asarray(x.T[:, :, np.newaxis] * w[:, np.newaxis])


def summed(terms: Array, order: Order, form: Format, *, flush: bool) -> Array:
    """Sum up terms `[K, N, G]` in a dtype, and return `[N, G]`, wide."""
    count = len(terms)
    if order.shuffle == 1:
        terms = terms[::-1]
    elif order.shuffle:
        terms = terms[np.random.default_rng(order.shuffle).permutation(count)]
    flush = flush and _may_flush(terms, form)
    if not order.fused:
        terms = form.rounded(terms, flush=flush)
    lanes = min(order.lanes, count)
    if lanes > 1:
        each = -(-count // lanes)
        whole = np.zeros((each * lanes, *terms.shape[1:]), terms.dtype)
        whole[:count] = terms
        if order.blocks:
            terms = whole.reshape(lanes, each, *terms.shape[1:]).swapaxes(0, 1)
        else:
            terms = whole.reshape(each, lanes, *terms.shape[1:])
        terms = _one_by_one(terms, form, flush=flush)
        while order.tree and len(terms) > 1:
            odd = terms[len(terms) // 2 * 2 :]
            pairs = terms[: len(terms) // 2 * 2]
            added = form.rounded(pairs[::2] + pairs[1::2], flush=flush)
            terms = np.concatenate([added, odd])
    return _one_by_one(terms, form, flush=flush)


def _may_flush(terms: Array, form: Format) -> bool:
    """Whether a partial sum can be subnormal at all."""
    size = np.abs(terms)
    least = np.min(size, where=size > 0, initial=np.inf)
    return bool(least < form.tiny / form.eps)


def _one_by_one(terms: Array, form: Format, *, flush: bool) -> Array:
    """Add terms along the first axis, one after the other, each sum rounded."""
    if flush or form.name == "bfloat16":
        total = form.rounded(terms[0], flush=flush)
        for term in terms[1:]:
            total = form.rounded(total + term, flush=flush)
        return total
    total = terms[0].astype(form.type)
    for term in terms[1:]:
        # In the wide dtype, rounded as it is stored.
        np.add(total, term, out=total, casting="same_kind")
    return np.asarray(total.astype(form.wide))
