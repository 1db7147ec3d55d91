"""Canonical weights of one layer and direction ↔ PyTorch's.

PyTorch holds transposed kernels, gates in the canonical order (i, f, g, o and r, z, n),
and two biases that are only ever added together
(https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html). Each of them gets
half of ours, which is exact in binary, so that neither can go unused unnoticed. A GRU's
candidate is the exception: r multiplies one of its biases and not the other, so each is
one of ours, whole.
"""

from collections.abc import Mapping

import numpy as np

from rnn_parity_core import CELLS, Array

_KERNELS = {
    "kernel": "weight_ih",
    "recurrent_kernel": "weight_hh",
    "projection": "weight_hr",
}
_BIASES = ("bias", "recurrent_bias")


def to_native(cell: str, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Give `weight_ih` `[G, I]`, `weight_hh` `[G, R]`, `bias_ih`, `bias_hh` `[G]`.

    With a projection also `weight_hr` `[P, H]`; without biases, no biases. Tensors
    serve as well as arrays, and gradients then flow back through this.

    Raises:
        ValueError: There is a weight for which PyTorch has no place: a peephole.

    """
    if homeless := weights.keys() - {*_KERNELS, *_BIASES}:
        raise ValueError(f"{cell}: PyTorch has no place for {sorted(homeless)}")
    native = {
        theirs: weights[ours].T for ours, theirs in _KERNELS.items() if ours in weights
    }
    if "bias" in weights:
        bias_ih, bias_hh = weights["bias"] / 2, weights["bias"] / 2
        if "recurrent_bias" in weights:
            candidate = _candidate(cell, bias_ih)
            bias_ih[candidate] = weights["bias"][candidate]
            bias_hh[candidate] = weights["recurrent_bias"]
        native |= {"bias_ih": bias_ih, "bias_hh": bias_hh}
    return native


def to_canonical(cell: str, native: Mapping[str, Array]) -> dict[str, Array]:
    """Give back `kernel` `[I, G]`, `recurrent_kernel` `[R, G]`, `bias` `[G]`, …."""
    weights = {
        ours: native[theirs].T for ours, theirs in _KERNELS.items() if theirs in native
    }
    if "bias_ih" in native:
        weights["bias"] = native["bias_ih"] + native["bias_hh"]
        if "recurrent_bias" in CELLS[cell].weights:
            candidate = _candidate(cell, weights["bias"])
            weights["bias"][candidate] = native["bias_ih"][candidate]
            weights["recurrent_bias"] = np.array(native["bias_hh"][candidate])
    return weights


def _candidate(cell: str, bias: Array) -> slice:
    """Where the last gate's block is, which in a GRU is that of the candidate n."""
    size = bias.shape[-1]
    return slice(size - size // len(CELLS[cell].gates), None)
