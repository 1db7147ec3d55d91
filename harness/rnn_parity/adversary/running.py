"""What a legal implementation returns of a problem."""

import numpy as np

from rnn_parity.adversary.choices import Choices
from rnn_parity.adversary.formats import Format
from rnn_parity.adversary.implementation import Implementation
from rnn_parity.adversary.learning import gradients, training
from rnn_parity.adversary.made import Made
from rnn_parity.judge.trajectory import Trajectory, trajectory
from rnn_parity_core import Accuracy, Array, Problem


def run(problem: Problem, accuracy: Accuracy, choices: Choices) -> dict[str, Array]:
    """Return all that the case's task asks for, in its dtype."""
    if problem.case.task == "gradient":
        return gradients(problem, accuracy, choices)
    if problem.case.trains:
        return training(problem, accuracy, choices)
    form = Format(problem.case.dtype)
    with np.errstate(all="ignore"):
        made: Trajectory[Made] = trajectory(Implementation(accuracy, choices), problem)
        finals = {
            f"final_{name}": form.narrow(np.stack([of.final for of in parts]))
            for name, parts in made.finals.items()
        }
        return {"outputs": form.narrow(made.outputs.value), **finals}
