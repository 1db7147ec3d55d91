"""Canonical weights of one layer and direction ↔ Keras' lists of them.

The lists are in the order of `set_weights()` (keras/src/layers/rnn), kernels two as
ours are. Our gates are i, f, g, o and r, z, n, those of a GRU of Keras' z, r, n.
"""

from collections.abc import Callable, Mapping

import numpy as np

from rnn_parity_backends.gates import reordered
from rnn_parity_core import CELLS, Array, Case, Problem

ToNative = Callable[[str, Mapping[str, Array]], list[Array]]
ToCanonical = Callable[[str, list[Array]], dict[str, Array]]

_GRU = ("z", "r", "n")


def to_keras(cell: str, weights: Mapping[str, Array]) -> list[Array]:
    """Give `[kernel, recurrent_kernel, bias]`; without biases, the kernels alone.

    A GRU that resets after the product has two rows of biases `[2, G]`, for the inputs
    and for the state. Those of z and r are only ever
    added together: each gets half of ours, exact in binary, so that neither can go
    unused unnoticed. Of n's, r multiplies the second: that one is `recurrent_bias`.
    """
    native = [
        reordered(weights[name], CELLS[cell].gates, _order(cell))
        for name in ("kernel", "recurrent_kernel", "bias")
        if name in weights
    ]
    if "recurrent_bias" in weights:
        bias, candidate = native.pop(), weights["recurrent_bias"]
        rows = np.stack([bias, bias]) / bias.dtype.type(2)
        rows[0, -candidate.size :] = bias[-candidate.size :]
        rows[1, -candidate.size :] = candidate
        native.append(rows)
    return native


def from_keras(cell: str, native: list[Array]) -> dict[str, Array]:
    """Give back the canonical weights of `get_weights()`."""
    weights = dict(zip(("kernel", "recurrent_kernel", "bias"), native, strict=False))
    if "bias" in weights and weights["bias"].ndim > 1:
        rows = weights["bias"]
        units = rows.shape[1] // len(CELLS[cell].gates)
        bias = rows[0] + rows[1]
        bias[-units:] = rows[0, -units:]
        weights |= {"bias": bias, "recurrent_bias": rows[1, -units:].copy()}
    order = _order(cell)
    return {
        name: array
        if name == "recurrent_bias"
        else reordered(array, order, CELLS[cell].gates)
        for name, array in weights.items()
    }


def biases_to_keras(biases: Array) -> Array:
    """Give the two biases `[2, G]` of a GRU that resets after the product."""
    return reordered(biases, CELLS["gru"].gates, _GRU)


def biases_from_keras(biases: Array) -> Array:
    """Give them back, gates in canonical order."""
    return reordered(biases, _GRU, CELLS["gru"].gates)


def gradients_to_canonical(cell: str, native: list[Array]) -> dict[str, Array]:
    """Give the gradients by our weights of those by what `to_keras` made.

    Every element of ours is one of theirs, so that its gradient is that one's, wherever
    it stands. Only the bias of a GRU's r and z was cut into halves: half of each half's
    gradient.
    """
    gradients = from_keras(cell, native)
    if "recurrent_bias" in gradients:
        gates = 2 * gradients["recurrent_bias"].size
        gradients["bias"][:gates] /= 2
    return gradients


def native_weights(problem: Problem, to_native: ToNative = to_keras) -> list[Array]:
    """Give all weights, for one layer and direction after the other.

    In `basic` they are the canonical ones, in the order of the cell.
    """
    case = problem.case
    found: list[Array] = []
    for at in case.passes:
        weights = problem.weights(*at)
        if case.variant == "basic":
            found += [weights[name] for name in _own(case)]
        else:
            found += to_native(case.cell, weights)
    return found


def canonical_weights(
    case: Case, native: list[Array], to_canonical: ToCanonical = from_keras
) -> dict[str, Array]:
    """Give back the case's weights, by full name, of what `native_weights` gives.

    Biases that a case lacks are left out.
    """
    found: dict[str, Array] = {}
    count, own = len(native) // len(case.passes), _own(case)
    for number, (layer, way) in enumerate(case.passes):
        arrays = native[number * count :][:count]
        if case.variant == "basic":
            weights = dict(zip(own, arrays, strict=True))
        else:
            weights = to_canonical(case.cell, arrays)
        found |= {f"layer{layer}.{way}.{name}": weights[name] for name in own}
    return found


def _own(case: Case) -> list[str]:
    """Name the weights that each layer and direction of a case has."""
    names = CELLS[case.cell].weights
    return [name for name in names if case.bias or not name.endswith("bias")]


def _order(cell: str) -> tuple[str, ...]:
    return _GRU if cell.startswith("gru") else CELLS[cell].gates
