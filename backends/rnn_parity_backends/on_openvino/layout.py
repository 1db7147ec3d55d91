"""Canonical weights of one layer and direction ↔ those of OpenVINO's operators.

Kernels are transposed; gates stand in the orders f, i, c, o and z, r, h. A GRU with
`linear_before_reset` has a fourth block of biases, the one within what r multiplies
(https://docs.openvino.ai, Operation Sets, LSTMSequence-5 and GRUSequence-5).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from rnn_parity_backends.gates import reordered
from rnn_parity_core import CELLS, Array

# Our gates → the same in OpenVINO's order.
_ORDERS = {
    ("h",): ("h",),
    ("i", "f", "g", "o"): ("f", "i", "g", "o"),
    ("r", "z", "n"): ("z", "r", "n"),
}


def to_native(cell: str, weights: Mapping[str, Array]) -> list[Array]:
    """Give W `[G, I]`, R `[G, H]` and B `[G]`, of a GRU with its own last `[4 H]`.

    Biases that a case lacks are zeros there.

    Raises:
        ValueError: There is a weight for which OpenVINO has no place.

    """
    homes = {"kernel", "recurrent_kernel", "bias", "recurrent_bias"}
    if homeless := weights.keys() - homes:
        raise ValueError(f"{cell}: OpenVINO has no place for {sorted(homeless)}")
    ours, theirs = _orders(cell)
    kernel, recurrent = weights["kernel"], weights["recurrent_kernel"]
    bias = weights.get("bias", np.zeros(kernel.shape[1], kernel.dtype))
    native = [reordered(array, ours, theirs).T for array in (kernel, recurrent, bias)]
    if CELLS[cell].base == "gru":
        units = np.zeros(recurrent.shape[0], kernel.dtype)
        inside = weights.get("recurrent_bias", units)
        native[2] = np.concatenate([native[2], inside])
    return native


def to_canonical(cell: str, native: Sequence[Array]) -> dict[str, Array]:
    """Give back `kernel` `[I, G]`, `recurrent_kernel` `[H, G]`, `bias` `[G]`, …."""
    ours, theirs = _orders(cell)
    kernel, recurrent, bias = native
    weights = {}
    if CELLS[cell].base == "gru":
        bias, weights["recurrent_bias"] = bias[: kernel.shape[0]], bias[len(kernel) :]
    named = {"kernel": kernel.T, "recurrent_kernel": recurrent.T, "bias": bias}
    return {n: reordered(array, theirs, ours) for n, array in named.items()} | weights


def _orders(cell: str) -> tuple[Sequence[str], Sequence[str]]:
    gates = CELLS[cell].gates
    return gates, _ORDERS[gates]
