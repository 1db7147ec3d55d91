"""Rows of length 0: what adapters ask of each answer, where nothing is promised.

So a gap closes when the framework's kernels change.
"""

import numpy as np

from rnn_parity_core import Outcome, Problem, Unsupported


def check(problem: Problem, outcome: Outcome, called: str = "it") -> None:
    """See whether rows of length 0 keep their initial states.

    Args:
        problem: The problem.
        outcome: What the framework made of it.
        called: The framework's name of a final state, `{}` for h or c.

    Raises:
        Unsupported: They end in another state.

    """
    empty = problem.arrays.get("lengths", np.ones(1)) == 0
    for name in problem.case.state_shapes():
        initial, final = problem[f"initial_{name}"], outcome[f"final_{name}"]
        if empty.any() and not np.array_equal(initial[:, empty], final[:, empty]):
            had, got = initial[:, empty].flat[0], final[:, empty].flat[0]
            raise Unsupported(
                f"a row of length 0 does not end in its initial_{name}: "
                f"{called.format(name)} is {got:g}, not {had:g}"
            )
