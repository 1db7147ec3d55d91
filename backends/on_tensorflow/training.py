"""What Keras learns: gradients of the seeded loss, and weights after updates by it.

Keras' optimisers hold a layer's own variables, and three of their ways are translated
here, where anybody can see it:

- Keras adds Adam's epsilon to the root of the uncorrected second moment (epsilon hat in
  Kingma and Ba), the contract to that of the corrected one. Before each update its
  `epsilon` is set to `epsilon_hat`.
- Keras casts the learning rate and Adam's betas by way of float32, which shows in
  float64. It is given them as tensors of the case's dtype.
- A GRU that resets after the product has the biases of z and r twice, and an optimiser
  would move their sum twice as far. `one_of_two` holds the second ones still.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from backends.on_tensorflow import layout
from backends.on_tensorflow.gradients import epsilon_hat, named_gradients, seeded_loss
from backends.on_tensorflow.networks import Network
from backends.on_tensorflow.operations import Tensors
from harness.spec import (
    ADAM_BETAS,
    CELLS,
    LEARNING_RATE,
    Array,
    Case,
    Problem,
)


def with_gradients(network: Network, given: Problem) -> tuple[dict[str, Tensors], Any]:
    """Give an outcome, and its seeded sum's gradients by everything that is real.

    They are those by inputs, initial states and the network's variables.
    """
    states = {n: given[f"initial_{n}"] for n in CELLS[given.case.cell].states}
    leaves = [given["inputs"], states]
    with tf.GradientTape() as tape:
        tape.watch(leaves)
        outcome = network(given)
        loss = seeded_loss(outcome, given.arrays)
    return outcome, tape.gradient(loss, [*leaves, network.variables])


def gradient_arrays(case: Case, gradients: Any) -> dict[str, Array]:
    """Name the gradients of `with_gradients` as an outcome does."""
    inputs, initial, native = tf.nest.map_structure(lambda g: g.numpy(), gradients)
    inputs = inputs if isinstance(inputs, list) else [inputs]
    weights = layout.canonical_gradients("keras", case, native)
    return named_gradients(case, inputs, initial, weights)


def one_of_two(case: Case, gradients: list[Tensors]) -> list[Tensors]:
    """Take the gradients off what adds to a bias that stands elsewhere already.

    Of `[2, G]` biases of a GRU, gates z, r, n, these are z and r of the second row: a
    gradient of zero moves nothing, in either optimiser.
    """
    if case.cell != "gru" or case.variant == "basic" or not case.bias:
        return gradients
    free = np.ones((2, 3 * case.units), bool)
    free[1, : 2 * case.units] = False
    found = list(gradients)
    # For each layer and direction: kernel, recurrent kernel, biases.
    found[2::3] = [tf.where(free, of, tf.zeros_like(of)) for of in gradients[2::3]]
    return found


class Trainer:
    """An optimiser over a network's variables; it can start over."""

    def __init__(self, network: Network) -> None:
        self._network = network
        case = network.case
        numbers = (LEARNING_RATE, *ADAM_BETAS)
        rate, *betas = (tf.constant(number, case.dtype) for number in numbers)
        self._epsilon = tf.Variable(0, dtype=case.dtype, trainable=False)
        if case.task == "adam":
            self._optimizer = keras.optimizers.Adam(lambda: rate, *betas, self._epsilon)
        else:
            self._optimizer = keras.optimizers.SGD(lambda: rate)
        self._optimizer.build(network.variables)

    def start(self) -> None:
        """Forget all updates: every variable of either optimiser starts at zero."""
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros_like(variable))

    def prepare(self, number: int) -> None:
        """Get ready for an update, from 1."""
        self._epsilon.assign(epsilon_hat(number))

    def update(self, given: Problem) -> dict[str, Tensors]:
        """Give an outcome, and move the weights down its seeded sum's slope."""
        variables = self._network.variables
        with tf.GradientTape() as tape:
            outcome = self._network(given)
            loss = seeded_loss(outcome, given.arrays)
        gradients = tape.gradient(loss, variables)
        self._optimizer.apply(one_of_two(self._network.case, gradients), variables)
        return outcome
