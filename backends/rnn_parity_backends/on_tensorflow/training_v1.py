"""How TensorFlow 1 learns: its optimisers, as part of a graph.

Three of their ways are translated here, where anybody can see it:

- `AdamOptimizer` adds its epsilon to the root of the uncorrected second moment (epsilon
  hat in Kingma and Ba), the contract to that of the corrected one. It takes a tensor: a
  placeholder, fed `epsilon_hat` for each update.
- Learning rate and betas that are Python's numbers become float32, which shows in
  float64. They are tensors of the case's dtype.
- Legacy cells always have biases; in a case without, those are no variables to train.

LSTMs are told to add nothing to their forget gate: see `layout.forget_offset`.
"""

from typing import NamedTuple

import tensorflow as tf

from rnn_parity_backends.on_tensorflow.operations import Tensors
from rnn_parity_core import ADAM_BETAS, LEARNING_RATE, Case

v1 = tf.compat.v1


class Updates(NamedTuple):
    """The ends of a graph that updates its variables once each time it runs."""

    epsilon: Tensors
    """What is fed `epsilon_hat`; only Adam reads it."""
    variables: list[Tensors]
    """All variables as they are after the update."""


def updates(case: Case, loss: Tensors, variables: list[Tensors]) -> Updates:
    """Move the variables that the case has down the loss' slope."""
    epsilon = v1.placeholder(case.dtype, [])
    numbers = (LEARNING_RATE, *ADAM_BETAS)
    rate, *betas = (tf.constant(number, case.dtype) for number in numbers)
    if case.task == "adam":
        optimizer = v1.train.AdamOptimizer(rate, *betas, epsilon)
    else:
        optimizer = v1.train.GradientDescentOptimizer(rate)
    moved = optimizer.minimize(
        loss,
        var_list=_trained(case, variables),
        # No weight moves before all gradients are there.
        gate_gradients=optimizer.GATE_GRAPH,
    )
    with tf.control_dependencies([moved]):
        return Updates(epsilon, [variable.read_value() for variable in variables])


def _trained(case: Case, variables: list[Tensors]) -> list[Tensors]:
    named = [(variable.op.name.rpartition("/")[2], variable) for variable in variables]
    return [variable for name, variable in named if case.bias or name != "bias"]
