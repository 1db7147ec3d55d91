"""Canonical weights of one layer and direction ↔ those of tinygrad's `nn.LSTMCell`.

It holds transposed kernels, gates in the canonical order i, f, g, o, and two biases,
which are added (tinygrad/nn/__init__.py).
"""

from collections.abc import Mapping

from rnn_parity_core import Array

_TRANSPOSED = {"kernel": "weight_ih", "recurrent_kernel": "weight_hh"}
_HALVES = ("bias_ih", "bias_hh")


def to_native(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Give `weight_ih` `[4H, I]`, `weight_hh` `[4H, H]`, `bias_ih`, `bias_hh` `[4H]`.

    Each bias gets half of ours, exact in binary, so that neither can go unused
    unnoticed. Tensors serve as well, and gradients then flow back through this.
    """
    native = {theirs: weights[ours].T for ours, theirs in _TRANSPOSED.items()}
    if "bias" in weights:
        native |= dict.fromkeys(_HALVES, weights["bias"] * 0.5)
    return native


def to_canonical(native: Mapping[str, Array]) -> dict[str, Array]:
    """Give back `kernel` `[I, 4H]`, `recurrent_kernel` `[H, 4H]`, `bias` `[4H]`."""
    weights = {ours: native[theirs].T for ours, theirs in _TRANSPOSED.items()}
    if _HALVES[0] in native:
        weights["bias"] = native[_HALVES[0]] + native[_HALVES[1]]
    return weights
