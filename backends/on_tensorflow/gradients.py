"""The seeded loss and what is learnt of it: what all adapters share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from backends.on_tensorflow.operations import Tensors
from harness.spec import ADAM_BETAS, ADAM_EPSILON, Array, Case


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


def epsilon_hat(number: int) -> float:
    """Give the epsilon which, added to the uncorrected root, is the contract's.

    Args:
        number: Which update it is for, from 1.

    """
    return float(ADAM_EPSILON * np.sqrt(1 - ADAM_BETAS[1] ** number))


def named_gradients(
    case: Case,
    inputs: list[Array],
    initial: Mapping[str, Array],
    weights: Mapping[str, Array],
) -> dict[str, Array]:
    """Name gradients as an outcome does.

    Args:
        case: A case.
        inputs: The one by all inputs, as they were fed, or one `[B, D]` for each step.
        initial: State → all layers and directions.
        weights: Those by weights, by full name.

    """
    x = inputs[0]
    if x.ndim < len("BTD"):
        x = np.stack(inputs, axis=1)
    elif case.time_major:
        x = x.swapaxes(0, 1)
    states = {f"initial_{name}": array for name, array in initial.items()}
    by = {"inputs": x, **states, **weights}
    return {f"gradient_{name}": np.array(array) for name, array in by.items()}
