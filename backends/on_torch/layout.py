"""Canonical weights of the tanh RNN ↔ PyTorch's.

`nn.RNN` and `nn.RNNCell` hold transposed kernels and two biases that are only ever
added together (https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html). Each
gets half of ours, which is exact in binary, so that neither can go unused unnoticed.
"""

from collections.abc import Mapping

from harness.spec import Array

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def to_native(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Give `weight_ih` `[H, D]`, `weight_hh` `[H, H]`, `bias_ih`, `bias_hh` `[H]`."""
    half = weights["bias"] / 2
    return {
        "weight_ih": weights["kernel"].T,
        "weight_hh": weights["recurrent_kernel"].T,
        "bias_ih": half,
        "bias_hh": half,
    }


def to_canonical(native: Mapping[str, Array]) -> dict[str, Array]:
    """Give back `kernel` `[D, H]`, `recurrent_kernel` `[H, H]` and `bias` `[H]`."""
    return {
        "kernel": native["weight_ih"].T,
        "recurrent_kernel": native["weight_hh"].T,
        "bias": native["bias_ih"] + native["bias_hh"],
    }
