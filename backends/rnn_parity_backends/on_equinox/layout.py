"""Canonical weights of one layer and direction ↔ the fields of Equinox' cells.

Equinox holds transposed kernels, gates in the canonical order (i, f, g, o and r, z, n),
one bias, and for a GRU `bias_n`, which r multiplies: the recurrent bias
(https://docs.kidger.site/equinox/api/nn/rnn/).
"""

from collections.abc import Mapping

from rnn_parity_core import Array

_NAMES = {
    "kernel": "weight_ih",
    "recurrent_kernel": "weight_hh",
    "bias": "bias",
    "recurrent_bias": "bias_n",
}
_TRANSPOSED = ("kernel", "recurrent_kernel")


def to_native(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Give `weight_ih` `[G, I]`, `weight_hh` `[G, H]`, `bias` `[G]`, `bias_n` `[H]`.

    Without biases, the weights alone. Traced arrays serve as well, and gradients then
    flow back through this.
    """
    return {
        _NAMES[name]: array.T if name in _TRANSPOSED else array
        for name, array in weights.items()
    }


def to_canonical(native: Mapping[str, Array]) -> dict[str, Array]:
    """Give back `kernel` `[I, G]`, `recurrent_kernel` `[H, G]`, `bias` `[G]`, …."""
    return {
        ours: native[theirs].T if ours in _TRANSPOSED else native[theirs]
        for ours, theirs in _NAMES.items()
        if theirs in native
    }
