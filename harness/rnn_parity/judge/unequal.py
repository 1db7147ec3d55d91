"""Sums in which roundings do not err as often up as down: of equal or unequal terms.

The likely error of a sum takes roundings for independent. They are not where all terms
are one number, and where terms are so small beside the sum that each is lost.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rnn_parity.judge.arithmetic import product
from rnn_parity_core import Array

_MANY = 8
"""Terms that may be lost before it is summed up what they come to."""


def same_terms(x: Array, w: Array) -> NDArray[np.bool_]:
    """Return where all terms of `x @ w` are one number that is not zero.

    To add zeros rounds nothing.

    Args:
        x: `[..., I]`
        w: `[I, G]`

    """
    columns: NDArray[np.bool_] = (np.ptp(w, axis=0) == 0) & (w[:1] != 0).any(axis=0)
    if not columns.any():
        return columns
    rows = (np.ptp(x, axis=-1, keepdims=True) == 0) & (x[..., :1] != 0)
    return np.asarray(rows & columns)


def lost_terms(
    factors: Sequence[tuple[Array, Array]],
    added: Array | float,
    unit: float,
    magnitude: Array,
) -> Array:
    """Return how much of a sum may be lost as terms too small to change it.

    A term `|x| |w|` of less than `2 u` times the sum of magnitudes, an ulp of it, may
    be lost, whole or half an ulp of it, wherever it is added. The sum is no larger than
    the product of two norms, of all x and of all w (Cauchy and Schwarz), so that either
    x or w is less than the root of `2 u` times its norm. To count these takes no
    products; only where there are many, what they come to is summed up.

    Args:
        factors: Magnitudes of x `[..., I]` and w `[I, G]`.
        added: Magnitude of what is added to all products, `[G]`.
        unit: The rounding unit u.
        magnitude: Sum of all magnitudes, `[..., G]`.

    """
    ones = float(np.mean(added))
    of_rows: Array = np.asarray(ones)
    of_columns: Array = np.square(added) / ones if ones else np.zeros(())
    scaled = []
    for x, w in factors:
        rows = np.einsum("...i,...i->...", x, x)
        columns = np.einsum("ig,ig->g", w, w)
        # Each product is scaled so that its x and its w are alike in size.
        ratio = math.sqrt(rows.mean() / columns.mean()) if columns.any() else 0.0
        if 0 < ratio < math.inf:
            scaled.append((x, w, ratio))
            of_rows = of_rows + rows / ratio
            of_columns = of_columns + columns * ratio
    share = math.sqrt(2 * unit)
    most_of_row = 2 * unit * magnitude.max(axis=-1, keepdims=True)
    most_of_column = 2 * unit * magnitude.reshape(-1, magnitude.shape[-1]).max(axis=0)
    count, sums = np.zeros(()), []
    for x, w, ratio in scaled:
        in_x = (x < share * np.sqrt(of_rows * ratio)[..., np.newaxis]) & (x > 0)
        in_w = (w < share * np.sqrt(of_columns / ratio)) & (w > 0)
        # Nor is any term small that is not by the smallest of the other side.
        if in_x.any():
            in_x &= x * _least(w, 1) < most_of_row
        if in_w.any():
            least = _least(x.reshape(-1, x.shape[-1]), 0)
            in_w &= w * least[:, np.newaxis] < most_of_column
        rows, columns = np.count_nonzero(in_x, -1), np.count_nonzero(in_w, 0)
        if rows.any() or columns.any():
            count = count + rows[..., np.newaxis] + columns
            sums.append((x, w, in_x, in_w))
    if count.max() <= _MANY:
        return np.asarray(count * unit * magnitude)
    small = sum(
        product(x * in_x, w) + product(x, w * in_w) for x, w, in_x, in_w in sums
    )
    return np.minimum(count * unit * magnitude, small)


def _least(of: Array, axis: int) -> Array:
    """Return the smallest number along an axis that is not zero."""
    return np.asarray(np.min(of, axis=axis, where=of > 0, initial=math.inf))
