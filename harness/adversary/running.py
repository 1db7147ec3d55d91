"""What a legal implementation returns of a problem."""

import numpy as np

from harness.adversary.choices import Choices
from harness.adversary.formats import Format
from harness.adversary.implementation import Implementation
from harness.adversary.learning import gradients, training
from harness.adversary.made import Made
from harness.backend import Accuracy
from harness.judge.trajectory import Trajectory, trajectory
from harness.spec import Array, Problem


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
