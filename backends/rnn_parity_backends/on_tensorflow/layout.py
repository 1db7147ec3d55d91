"""Canonical weights of one layer and direction ↔ TensorFlow 1's lists.

The lists are in the order of `variables` (tf_keras/src/layers/rnn/legacy_cells.py).
Kernels are stacked, rows `[x; h]`. Our gates are i, f, g, o and r, z, n.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from rnn_parity_backends.gates import reordered
from rnn_parity_backends.with_keras import layout
from rnn_parity_core import CELLS, Array, Case, Problem

_V1_LSTM = ("i", "g", "f", "o")
_V1_PEEPHOLES = (1, 0, 2)  # f, i, o of our i, f, o
_FORGET = 1  # place of f in ours


def forget_offset(problem: Problem) -> float:
    """Say what a problem's legacy LSTMs add to their forget gates when they run.

    That is 1 if they are not told otherwise. They are told 0, all of them, where a
    forget bias of any layer or direction has no number in its dtype that is it with 1
    added, as most trained ones have not; and in training: a bias kept 1 lower is
    rounded 1 lower after each update, where that is more than the contract allows.
    """
    case = problem.case
    if case.trains:
        return 0.0
    every = (problem.weights(*at) for at in case.passes)
    return 1.0 if all(holds_offset(case.cell, weights) for weights in every) else 0.0


def holds_offset(cell: str, weights: Mapping[str, Array]) -> bool:
    """Whether taking 1 off the forget bias, and adding it again, changes nothing."""
    if "f" not in CELLS[cell].gates or "bias" not in weights:
        return True
    forget = np.split(weights["bias"], len(CELLS[cell].gates))[_FORGET]
    one = forget.dtype.type(1)
    return bool(np.all(forget - one + one == forget))


def to_v1(cell: str, weights: Mapping[str, Array], offset: float) -> list[Array]:
    """Give a legacy cell's variables; biases that a case lacks are zeros there.

    RNN: `[kernel [I + R, H], bias [H]]`. LSTMs: the same with gates i, g, f, o, then
    the peepholes of f, i, o, or the projection; `forget_offset` is taken off here. GRU:
    kernel and bias of r and z, then those of n.
    """
    kernel = np.concatenate([weights["kernel"], weights["recurrent_kernel"]])
    bias = weights.get("bias", np.zeros(kernel.shape[1], kernel.dtype))
    if cell.startswith("rnn"):
        return [kernel, bias]
    if cell.startswith("gru"):
        gates = 2 * (bias.size // 3)
        return [kernel[:, :gates], bias[:gates], kernel[:, gates:], bias[gates:]]
    native = [
        reordered(kernel, CELLS[cell].gates, _V1_LSTM),
        reordered(_less_forget_bias(bias, offset), CELLS[cell].gates, _V1_LSTM),
    ]
    if "peephole" in weights:
        native += [weights["peephole"][k] for k in _V1_PEEPHOLES]
    if "projection" in weights:
        native.append(weights["projection"])
    return native


def from_v1(cell: str, native: list[Array], offset: float) -> dict[str, Array]:
    """Give back the canonical weights of a legacy cell's variables."""
    weights = _from_v1(cell, native)
    if cell.startswith("lstm"):
        bias = weights["bias"]
        size = bias.size // len(CELLS[cell].gates)
        bias[size : 2 * size] += bias.dtype.type(offset)
    return weights


def native_weights(problem: Problem) -> list[Array]:
    """Give all weights, for one layer and direction after the other, as cells do."""
    offset = forget_offset(problem)
    return layout.native_weights(problem, partial(to_v1, offset=offset))


def canonical_weights(problem: Problem, native: list[Array]) -> dict[str, Array]:
    """Give back a problem's weights, by full name, of what `native_weights` gives."""
    to_canonical = partial(from_v1, offset=forget_offset(problem))
    return layout.canonical_weights(problem.case, native, to_canonical)


def canonical_gradients(case: Case, native: list[Array]) -> dict[str, Array]:
    """Give the gradients by the case's weights of those by `native_weights`.

    Every element of ours is one of theirs, and that 1 is taken off changes nothing.
    """
    return layout.canonical_weights(case, native, _from_v1)


def _from_v1(cell: str, native: list[Array]) -> dict[str, Array]:
    """Take a legacy cell's variables apart, the forget gate's 1 left off."""
    kernel, bias, *more = native
    if cell.startswith("gru"):
        kernel = np.concatenate([kernel, more[0]], axis=1)
        bias = np.concatenate([bias, more[1]])
    weights: dict[str, Array] = {}
    size = bias.size // len(CELLS[cell].gates)
    if cell.startswith("lstm"):
        kernel = reordered(kernel, _V1_LSTM, CELLS[cell].gates)
        bias = reordered(bias, _V1_LSTM, CELLS[cell].gates)
    if "peephole" in CELLS[cell].weights:
        weights["peephole"] = np.stack([more[k] for k in _V1_PEEPHOLES])
    if "projection" in CELLS[cell].weights:
        weights["projection"] = more[0]
        size = more[0].shape[1]
    return {
        "kernel": kernel[:-size],
        "recurrent_kernel": kernel[-size:],
        "bias": bias,
        **weights,
    }


def _less_forget_bias(bias: Array, offset: float) -> Array:
    units, less = bias.size // 4, bias.copy()
    less[_FORGET * units : (_FORGET + 1) * units] -= bias.dtype.type(offset)
    return less
