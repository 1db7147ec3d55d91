"""What gradients and Adam's epsilon are called and made of, by NumPy alone."""

from collections.abc import Mapping

import numpy as np

from rnn_parity_backends.with_keras import layout
from rnn_parity_core import ADAM_BETAS, ADAM_EPSILON, Array, Case


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


def gradients_by_name(
    case: Case,
    inputs: Array | list[Array],
    initial: Mapping[str, Array],
    native: list[Array],
) -> dict[str, Array]:
    """Name gradients as an outcome does, those by Keras' own weights made ours."""
    weights = layout.canonical_weights(case, native, layout.gradients_to_canonical)
    steps = inputs if isinstance(inputs, list) else [inputs]
    return named_gradients(case, steps, initial, weights)
