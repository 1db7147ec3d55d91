"""What Keras' optimisers are told, so that they update as the contract has it.

They hold a layer's own variables, and three of their ways are translated here, where
anybody can see it:

- Keras adds Adam's epsilon to the root of the uncorrected second moment (epsilon hat in
  Kingma and Ba), the contract to that of the corrected one. Before each update its
  `epsilon` is set to `epsilon_hat`.
- Keras casts the learning rate and Adam's betas by way of float32, which shows in
  float64. It is given them as tensors of the case's dtype.
- A GRU that resets after the product has the biases of z and r twice, and an optimiser
  would move their sum twice as far. `one_of_two` holds the second ones still; at zero,
  as a sum of two could be far smaller than what is rounded to get it.
"""

import keras
import numpy as np
from keras import ops

from rnn_parity_backends.with_keras.gradients import epsilon_hat
from rnn_parity_backends.with_keras.networks import Network, Tensors
from rnn_parity_core import ADAM_BETAS, CELLS, LEARNING_RATE, Case


def one_of_two(case: Case, gradients: list[Tensors]) -> list[Tensors]:
    """Take the gradients off what adds to a bias that stands elsewhere already.

    Of `[2, G]` biases of a GRU, gates z, r, n, these are z and r of the second row: a
    gradient of zero moves nothing, in either optimiser.
    """
    if not _has_two(case):
        return gradients
    free = np.ones((2, 3 * case.units), bool)
    free[1, : 2 * case.units] = False
    found = list(gradients)
    # For each layer and direction: kernel, recurrent kernel, biases.
    found[2::3] = [ops.where(free, of, ops.zeros_like(of)) for of in gradients[2::3]]
    return found


def _has_two(case: Case) -> bool:
    return CELLS[case.cell].base == "gru" and case.variant != "basic" and case.bias


class Trainer:
    """An optimiser over a network's variables; it can start over."""

    def __init__(self, network: Network) -> None:
        self._network = network
        case = network.case
        numbers = (LEARNING_RATE, *ADAM_BETAS)
        rate, *betas = (ops.convert_to_tensor(n, case.dtype) for n in numbers)
        self._epsilon = keras.Variable(0.0, dtype=case.dtype, trainable=False)
        if case.task == "adam":
            self._optimizer = keras.optimizers.Adam(lambda: rate, *betas, self._epsilon)
        else:
            self._optimizer = keras.optimizers.SGD(lambda: rate)
        self._optimizer.build(network.variables)
        # For each layer and direction: kernel, recurrent kernel, biases.
        self._biases = network.variables[2::3] if _has_two(case) else []

    def start(self) -> None:
        """Forget all updates: every variable of either optimiser starts at zero.

        Of biases that stand twice all goes to where the optimiser moves it.
        """
        for variable in self._optimizer.variables:
            variable.assign(ops.zeros_like(variable.value))
        gates = 2 * self._network.case.units
        for variable in self._biases:
            rows = np.array(ops.convert_to_numpy(variable))
            rows[0, :gates] += rows[1, :gates]
            rows[1, :gates] = 0
            variable.assign(rows)

    def prepare(self, number: int) -> None:
        """Get ready for an update, from 1."""
        self._epsilon.assign(epsilon_hat(number))
        # The variable itself, or what it holds now: PyTorch's optimisers take no
        # variable of Keras'.
        self._optimizer.epsilon = self._epsilon.value

    def update(self, gradients: list[Tensors]) -> None:
        """Move the network's weights down the slope that these are."""
        variables = self._network.variables
        self._optimizer.apply(one_of_two(self._network.case, gradients), variables)
