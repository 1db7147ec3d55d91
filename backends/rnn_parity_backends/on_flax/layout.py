"""Canonical weights of one layer and direction ↔ the parameters of Flax' NNX cells.

Kernels are not transposed, and gates in the canonical order (i, f, g, o and r, z, n).
`nnx.LSTMCell` has a `Linear` for each gate of inputs and state, the bias on the state's
(`if_` is the name of the forget gate's); `OptimizedLSTMCell` has two for all gates, the
bias on the state's; `GRUCell` and `SimpleCell` have two, the bias on the inputs'. A GRU
has no recurrent bias of the candidate (flax/nnx/nn/recurrent.py).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnn_parity_core import Array

Params = dict[str, dict[str, Any]]

_INPUT_GATES = ("ii", "if_", "ig", "io")
_STATE_GATES = ("hi", "hf", "hg", "ho")


def to_native(cell: str, weights: Mapping[str, Array]) -> Params:
    """Give parameters by module, as `nnx.update` takes them.

    Args:
        cell: The class of `nnx`.
        weights: Canonical ones; biases that a case lacks are zeros there. Traced arrays
            serve as well, and gradients then flow back through this.

    Raises:
        ValueError: There is a weight for which Flax has no place.

    """
    homeless = weights.keys() - {"kernel", "recurrent_kernel", "bias"}
    if homeless:
        raise ValueError(f"nnx.{cell} has no place for {sorted(homeless)}")
    kernel, recurrent = weights["kernel"], weights["recurrent_kernel"]
    bias = weights.get("bias")
    if bias is None:
        bias = np.zeros(kernel.shape[1], kernel.dtype)
    if cell == "LSTMCell":
        return _by_gate(kernel, recurrent, bias)
    native: Params = {"dense_i": {"kernel": kernel}, "dense_h": {"kernel": recurrent}}
    native[_biased(cell)]["bias"] = bias
    return native


def to_canonical(cell: str, native: Params) -> dict[str, Array]:
    """Give back `kernel` `[I, G]`, `recurrent_kernel` `[H, G]` and `bias` `[G]`."""
    if cell == "LSTMCell":
        return {
            "kernel": _joined(native, _INPUT_GATES, "kernel"),
            "recurrent_kernel": _joined(native, _STATE_GATES, "kernel"),
            "bias": _joined(native, _STATE_GATES, "bias"),
        }
    return {
        "kernel": native["dense_i"]["kernel"],
        "recurrent_kernel": native["dense_h"]["kernel"],
        "bias": native[_biased(cell)]["bias"],
    }


def _biased(cell: str) -> str:
    return "dense_h" if cell == "OptimizedLSTMCell" else "dense_i"


def _by_gate(kernel: Array, recurrent: Array, bias: Array) -> Params:
    """Cut `[..., 4H]` into the parameters of `nnx.LSTMCell`."""
    units, native = recurrent.shape[0], {}
    for k, (of_input, of_state) in enumerate(
        zip(_INPUT_GATES, _STATE_GATES, strict=True)
    ):
        gate = slice(k * units, (k + 1) * units)
        native[of_input] = {"kernel": kernel[:, gate]}
        native[of_state] = {"kernel": recurrent[:, gate], "bias": bias[gate]}
    return native


def _joined(native: Params, modules: tuple[str, ...], name: str) -> Array:
    return np.concatenate([native[module][name] for module in modules], axis=-1)
