"""What TensorFlow learns of Keras' networks: gradients of the seeded loss."""

from typing import Any

import tensorflow as tf

from rnn_parity_backends.on_tensorflow.gradients import seeded_loss
from rnn_parity_backends.on_tensorflow.operations import Tensors
from rnn_parity_backends.with_keras.gradients import gradients_by_name
from rnn_parity_backends.with_keras.networks import Network
from rnn_parity_backends.with_keras.training import Trainer
from rnn_parity_core import CELLS, Array, Case, Problem


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
    found = tf.nest.map_structure(lambda gradient: gradient.numpy(), gradients)
    return gradients_by_name(case, *found)


def update(network: Network, trainer: Trainer, given: Problem) -> dict[str, Tensors]:
    """Give an outcome, and move the weights down its seeded sum's slope."""
    with tf.GradientTape() as tape:
        outcome = network(given)
        loss = seeded_loss(outcome, given.arrays)
    trainer.update(tape.gradient(loss, network.variables))
    return outcome
