"""Canonical weights of one layer and direction ↔ the parameters of MLX' layers.

MLX holds transposed kernels, gates in the canonical order (i, f, g, o and r, z, n), one
bias, and for a GRU `bhn`, which r multiplies: the recurrent bias
(mlx/nn/layers/recurrent.py).
"""

from collections.abc import Mapping

from rnn_parity_core import Array

_RNN = {"kernel": "Wxh", "recurrent_kernel": "Whh", "bias": "bias"}
_NAMES = {
    "rnn_tanh": _RNN,
    "rnn_relu": _RNN,
    "lstm": {"kernel": "Wx", "recurrent_kernel": "Wh", "bias": "bias"},
    "gru": {
        "kernel": "Wx",
        "recurrent_kernel": "Wh",
        "bias": "b",
        "recurrent_bias": "bhn",
    },
}
_TRANSPOSED = ("kernel", "recurrent_kernel")


def to_native(cell: str, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Give `Wx` `[G, I]`, `Wh` `[G, H]`, `bias` `[G]` or what the layer calls them.

    Without biases, the weights alone. MLX' arrays serve as well, and gradients then
    flow back through this.
    """
    return {
        _NAMES[cell][name]: array.T if name in _TRANSPOSED else array
        for name, array in weights.items()
    }


def to_canonical(cell: str, native: Mapping[str, Array]) -> dict[str, Array]:
    """Give back `kernel` `[I, G]`, `recurrent_kernel` `[H, G]`, `bias` `[G]`, …."""
    return {
        ours: native[theirs].T if ours in _TRANSPOSED else native[theirs]
        for ours, theirs in _NAMES[cell].items()
        if theirs in native
    }
