"""The seeded loss and its symbolic gradients: what all adapters share."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from rnn_parity_backends.on_tensorflow.operations import Tensors


def seeded_loss(
    outcome: Mapping[str, Tensors], cotangents: Mapping[str, Tensors]
) -> Tensors:
    """Sum outputs and final states, each element times its `cotangent_…`."""
    return tf.add_n(
        [tf.reduce_sum(t * cotangents[f"cotangent_{n}"]) for n, t in outcome.items()]
    )


def symbolic_gradients(loss: Tensors, by: Any) -> Any:
    """Give a loss' gradients in a graph, in whatever structure `by` has."""
    found = tf.gradients(loss, tf.nest.flatten(by))
    return tf.nest.pack_sequence_as(by, found)
