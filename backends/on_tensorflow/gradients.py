"""Gradients of the seeded loss: what both adapters share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from backends.on_tensorflow.operations import Tensors
from harness.spec import Array, Case


def seeded_loss(
    outcome: Mapping[str, Tensors], cotangents: Mapping[str, Tensors]
) -> Tensors:
    """Sum outputs and final states, each element times its `cotangent_…`."""
    return tf.add_n(
        [tf.reduce_sum(t * cotangents[f"cotangent_{n}"]) for n, t in outcome.items()]
    )


def symbolic_gradients(
    outcome: Mapping[str, Tensors], cotangents: Mapping[str, Tensors], by: Any
) -> Any:
    """Give the loss' gradients in a graph, in whatever structure `by` has."""
    loss = seeded_loss(outcome, cotangents)
    found = tf.gradients(loss, tf.nest.flatten(by))
    return tf.nest.pack_sequence_as(by, found)


def named_gradients(
    case: Case,
    inputs: list[Array],
    initial: Mapping[str, Array],
    weights: Mapping[tuple[int, str], Mapping[str, Array]],
) -> dict[str, Array]:
    """Name gradients as an outcome does.

    Args:
        case: A case.
        inputs: The one by all inputs, as they were fed, or one `[B, D]` for each step.
        initial: State → all layers and directions.
        weights: Layer and direction → canonical weight → its gradient; those of biases
            that a case lacks are left out.

    """
    x = inputs[0]
    if x.ndim < len("BTD"):
        x = np.stack(inputs, axis=1)
    elif case.time_major:
        x = x.swapaxes(0, 1)
    full = {
        f"layer{layer}.{way}.{name}": array
        for (layer, way), own in weights.items()
        for name, array in own.items()
    }
    by = {
        "inputs": x,
        **{f"initial_{name}": array for name, array in initial.items()},
        **{name: array for name, array in full.items() if name in case.weight_shapes()},
    }
    return {f"gradient_{name}": np.array(array) for name, array in by.items()}
