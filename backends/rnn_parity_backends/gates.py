"""Gates side by side, in the order in which each framework keeps them."""

from collections.abc import Sequence

import numpy as np

from rnn_parity_core import Array


def reordered(array: Array, stand: Sequence[str], wanted: Sequence[str]) -> Array:
    """Put the gates along the last axis from one order into another.

    Args:
        array: `[..., G]`, a block of equal size for each gate.
        stand: The gates as they stand.
        wanted: The same gates as they should.

    """
    blocks = dict(zip(stand, np.split(array, len(stand), axis=-1), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted], axis=-1)
