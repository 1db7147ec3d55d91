"""How often values come again, at other steps, that round as they do."""

import numpy as np

from rnn_parity_core import Array

_FARTHER = 16
"""Times as wide a window: values that vary smoothly are as many times more there."""


def times_alike(values: Array, window: Array) -> Array:
    """Return how many samples have the same value of a feature, itself included.

    What varies smoothly has neighbours by chance, and in a window that is wider by
    some factor more of them by that factor; a value that comes again has not. So of
    two counts the part is told that does not grow.

    Args:
        values: `[N, I]`
        window: How far values of a feature may be apart to be the same, `[I]`.

    Returns:
        `[N, I]`; 1 where a value is one of a kind.

    """
    ordered = np.sort(values, axis=0)
    found = np.ones(values.shape)
    # Three within a window are none by chance, unless there are very many.
    near = 2 if len(values) > _FARTHER else 1
    close = (ordered[near:] - ordered[:-near] <= 2 * window).any(axis=0)
    for feature in np.flatnonzero(close):
        column, within = values[:, feature], window[feature]
        narrow, wide = (
            np.searchsorted(ordered[:, feature], column + by, "right")
            - np.searchsorted(ordered[:, feature], column - by, "left")
            for by in (within, _FARTHER * within)
        )
        told = (narrow - wide / _FARTHER) / (1 - 1 / _FARTHER)
        found[:, feature] = np.clip(told, 1.0, narrow)
    return found
