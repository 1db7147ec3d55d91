"""Canonical weights of one layer and direction ↔ those of ONNX's operators.

ONNX holds transposed kernels, gates in the orders i, o, f, c and z, r, h, peepholes as
i, o, f, and two biases side by side that are only ever added together
(https://onnx.ai/onnx/operators/onnx__LSTM.html). Each gets half of ours, which is exact
in binary, so that neither can go unused unnoticed. A GRU with linear_before_reset is
the exception: r multiplies one of its candidate's biases and not the other, so each is
one of ours, whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnn_parity_backends.gates import reordered
from rnn_parity_core import CELLS, Array

OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("RNN", {}),
    "rnn_relu": ("RNN", {}),
    "lstm": ("LSTM", {}),
    "lstm_peephole": ("LSTM", {}),
    "gru": ("GRU", {"linear_before_reset": 1}),
    "gru_reset_before": ("GRU", {"linear_before_reset": 0}),
}
"""Cell → ONNX's operator, and what it is told to be that cell but activations."""

FUNCTIONS: dict[str, tuple[str, tuple[float, ...]]] = {
    "tanh": ("Tanh", ()),
    "sigmoid": ("Sigmoid", ()),
    "relu": ("Relu", ()),
    "linear": ("Affine", (1.0, 0.0)),
    "softsign": ("Softsign", ()),
    "hard_sigmoid": ("HardSigmoid", (1 / 6, 0.5)),
    "hard_sigmoid_5": ("HardSigmoid", (0.2, 0.5)),
}
"""Function → ONNX's name of it, and its alpha and beta, float32 whatever the model."""

# Our gates → the same in ONNX's order.
_ORDERS = {
    ("h",): ("h",),
    ("i", "f", "g", "o"): ("i", "o", "f", "g"),
    ("r", "z", "n"): ("z", "r", "n"),
}
_PEEPHOLES = ("i", "f", "o")
_THEIR_PEEPHOLES = ("i", "o", "f")
_KERNELS = {"kernel": "W", "recurrent_kernel": "R"}
_HOMES = (*_KERNELS, "bias", "recurrent_bias", "peephole")


def possible(cell: str) -> bool:
    """Whether an operator can be told to be a cell."""
    own = CELLS[cell]
    return own.base in OPERATORS and FUNCTIONS.keys() >= {*own.chosen.values()}


def told(cell: str, directions: int = 1) -> dict[str, Any]:
    """Give the attributes by which an operator of so many directions is a cell.

    `activations` are those of gates, candidate and cell state, as our places are.
    Numbers stand in the order of the functions that have some.
    """
    own = CELLS[cell]
    found = dict(OPERATORS[own.base][1])
    if cell in OPERATORS and not cell.startswith("rnn"):
        return found  # they are the operator's own
    called = [FUNCTIONS[name] for name in own.chosen.values()] * directions
    found["activations"] = [name for name, _ in called]
    for at, field in enumerate(("activation_alpha", "activation_beta")):
        if numbers := [of[at] for _, of in called if of]:
            found[field] = numbers
    return found


def to_native(cell: str, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Give `W` `[G, I]`, `R` `[G, H]`, with biases `B` `[2 G]`, with peepholes `P`.

    `P` is `[3 H]`. An operator has one more axis in front, that of directions.

    Raises:
        ValueError: There is a weight for which ONNX has no place: a projection.

    """
    if homeless := weights.keys() - set(_HOMES):
        raise ValueError(f"{cell}: ONNX has no place for {sorted(homeless)}")
    ours, theirs = _orders(cell)
    native = {
        name: reordered(weights[of], ours, theirs).T for of, name in _KERNELS.items()
    }
    if "bias" in weights:
        first, second = weights["bias"] / 2, weights["bias"] / 2
        if "recurrent_bias" in weights:
            candidate = slice(-weights["recurrent_bias"].size, None)
            first[candidate] = weights["bias"][candidate]
            second[candidate] = weights["recurrent_bias"]
        native["B"] = biases_to_native(cell, np.stack([first, second]))
    if "peephole" in weights:
        flat = weights["peephole"].reshape(-1)
        native["P"] = reordered(flat, _PEEPHOLES, _THEIR_PEEPHOLES)
    return native


def to_canonical(cell: str, native: Mapping[str, Array]) -> dict[str, Array]:
    """Give back `kernel` `[I, G]`, `recurrent_kernel` `[H, G]`, `bias` `[G]`, …."""
    ours, theirs = _orders(cell)
    weights = {
        name: reordered(native[of].T, theirs, ours) for name, of in _KERNELS.items()
    }
    if "B" in native:
        first, second = biases_to_canonical(cell, native["B"])
        weights["bias"] = first + second
        if "recurrent_bias" in CELLS[cell].weights:
            candidate = slice(-(first.size // len(ours)), None)
            weights["bias"][candidate] = first[candidate]
            weights["recurrent_bias"] = second[candidate]
    if "P" in native:
        flat = reordered(native["P"], _THEIR_PEEPHOLES, _PEEPHOLES)
        weights["peephole"] = flat.reshape(3, -1)
    return weights


def biases_to_native(cell: str, biases: Array) -> Array:
    """Give `B` of both biases `[2, G]`."""
    ours, theirs = _orders(cell)
    return reordered(biases, ours, theirs).reshape(-1)


def biases_to_canonical(cell: str, native: Array) -> Array:
    """Give both biases of `B`, `[2, G]`."""
    ours, theirs = _orders(cell)
    return reordered(native.reshape(2, -1), theirs, ours)


def _orders(cell: str) -> tuple[Sequence[str], Sequence[str]]:
    gates = CELLS[cell].gates
    return gates, _ORDERS[gates]
