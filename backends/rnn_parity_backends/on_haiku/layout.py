"""Canonical weights of one layer and direction ↔ the parameters of Haiku's cores.

As read in haiku/_src/recurrent.py: `VanillaRNN` has two biases, `LSTM` one matrix with
rows `[x; h]`, gates i, g, f, o and 1 added to the forget gate when it runs, `GRU` gates
z, r, n and `h' = (1 - z) h + z n`, where our z is on h.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rnn_parity_core import CELLS, Array

FORGET_OFFSET = 1.0
"""What hk.LSTM adds to its forget gate."""

_ORDERS = {
    "rnn_relu": ("h",),
    "lstm": ("i", "g", "f", "o"),
    "gru_reset_before": ("z", "r", "n"),
}

Join = Callable[[list[Any]], Any]
"""Joins along the first axis: NumPy's `concatenate`, or JAX's for traced arrays."""
Params = dict[str, dict[str, Any]]


def to_native(
    cell: str, weights: Mapping[str, Array], join: Join = np.concatenate
) -> Params:
    """Give parameters by module, as `hk.transform` has them.

    VanillaRNN: `w` `[I, H]` and `[H, H]`, `b` `[H]` twice: each gets half of ours,
    exact in binary, so that neither can go unused unnoticed. LSTM: `w` `[I + H, 4H]`,
    `b` `[4H]`, less 1 at the forget gate. GRU: `w_i` `[I, 3H]`, `w_h` `[H, 3H]`, `b`
    `[3H]`, those of z negated. Biases that a case lacks are zeros there.
    """
    kernel, recurrent = weights["kernel"], weights["recurrent_kernel"]
    bias = weights.get("bias")
    if bias is None:
        bias = np.zeros(kernel.shape[1], kernel.dtype)
    if cell == "rnn_relu":
        return {
            "vanilla_rnn/linear": {"w": kernel, "b": bias / 2},
            "vanilla_rnn/linear_1": {"w": recurrent, "b": bias / 2},
        }
    kernel, recurrent, bias = (_native(cell, a) for a in (kernel, recurrent, bias))
    if cell == "lstm":
        offset = _marked(cell, "f", bias) * bias.dtype.type(FORGET_OFFSET)
        both = {"w": join([kernel, recurrent]), "b": bias - offset}
        return {"lstm/linear": both}
    return {"gru": {"w_i": kernel, "w_h": recurrent, "b": bias}}


def to_canonical(cell: str, native: Params) -> dict[str, Array]:
    """Give back `kernel` `[I, G]`, `recurrent_kernel` `[H, G]` and `bias` `[G]`."""
    if cell == "rnn_relu":
        first, second = native["vanilla_rnn/linear"], native["vanilla_rnn/linear_1"]
        kernel, recurrent, bias = first["w"], second["w"], first["b"] + second["b"]
    elif cell == "lstm":
        both = native["lstm/linear"]
        rows, bias = both["w"].shape[0] - both["w"].shape[1] // 4, both["b"]
        kernel, recurrent = both["w"][:rows], both["w"][rows:]
        bias = bias + _marked(cell, "f", bias) * bias.dtype.type(FORGET_OFFSET)
    else:
        kernel, recurrent, bias = (native["gru"][name] for name in ("w_i", "w_h", "b"))
    found = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
    return {name: _canonical(cell, array) for name, array in found.items()}


def holds(cell: str, weights: Mapping[str, Array]) -> bool:
    """Whether every forget bias is a number less 1, and 1 added to that is it again."""
    if cell != "lstm" or "bias" not in weights:
        return True
    bias = weights["bias"]
    one = bias.dtype.type(FORGET_OFFSET)
    back = (bias - one) + one
    forget = np.split(bias == back, 4)[CELLS[cell].gates.index("f")]
    return bool(forget.all())


def _native(cell: str, array: Array) -> Array:
    """Put gates `[..., G]` into Haiku's order; negate a GRU's z, which is 1 less ours.

    1 - sigmoid(x) is sigmoid(-x).
    """
    moved = array[..., _columns(CELLS[cell].gates, _ORDERS[cell], array)]
    return moved * _signs(cell, moved)


def _canonical(cell: str, array: Array) -> Array:
    signed = array * _signs(cell, array)
    return signed[..., _columns(_ORDERS[cell], CELLS[cell].gates, array)]


def _columns(have: tuple[str, ...], want: tuple[str, ...], array: Array) -> Array:
    blocks = np.split(np.arange(array.shape[-1]), len(have))
    return np.concatenate([blocks[have.index(gate)] for gate in want])


def _marked(cell: str, gate: str, array: Array) -> Array:
    """Give ones `[G]` in Haiku's order where a gate is, else zeros."""
    order = _ORDERS[cell]
    marks = np.array([name == gate for name in order], array.dtype)
    return np.repeat(marks, array.shape[-1] // len(order))


def _signs(cell: str, array: Array) -> Array:
    ones = np.ones(array.shape[-1], array.dtype)
    return ones - 2 * _marked(cell, "z", array) if cell.startswith("gru") else ones
