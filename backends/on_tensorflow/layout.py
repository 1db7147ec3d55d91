"""Canonical weights of the tanh RNN ↔ Keras' and TensorFlow 1's.

Keras' `SimpleRNN` holds ours in our order. TensorFlow 1's `BasicRNNCell` stacks both
kernels, rows `[x; h]` (tf_keras/src/layers/rnn/legacy_cells.py).
"""

from collections.abc import Mapping

import numpy as np

from harness.spec import Array


def to_keras(weights: Mapping[str, Array]) -> list[Array]:
    """Give `[kernel [D, H], recurrent_kernel [H, H], bias [H]]`."""
    return [weights["kernel"], weights["recurrent_kernel"], weights["bias"]]


def from_keras(native: list[Array]) -> dict[str, Array]:
    """Give back the canonical weights of a Keras layer's `get_weights()`."""
    return dict(zip(("kernel", "recurrent_kernel", "bias"), native, strict=True))


def to_v1(weights: Mapping[str, Array]) -> list[Array]:
    """Give `[kernel [D + H, H], bias [H]]` of a `BasicRNNCell`."""
    stacked = np.concatenate([weights["kernel"], weights["recurrent_kernel"]])
    return [stacked, weights["bias"]]


def from_v1(native: list[Array]) -> dict[str, Array]:
    """Give back the canonical weights of a `BasicRNNCell`'s `get_weights()`."""
    stacked, bias = native
    features = stacked.shape[0] - stacked.shape[1]
    return {
        "kernel": stacked[:features],
        "recurrent_kernel": stacked[features:],
        "bias": bias,
    }
