"""A glance at a hypothesis: float64 alone, mostly on few rows and steps.

It costs a small part of a certificate, and most hypotheses do not stand it.
"""

from collections.abc import Iterator

import numpy as np

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.conventions.cut import Cut, cut_at, weights_gone_through
from rnn_parity.judge.conventions.hypothesis import Prediction
from rnn_parity.judge.equations import AS_PUBLISHED, Equations
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import Array, Outcome, Problem

_ROWS, _STEPS = 2, 2

_FAR = 1000.0
"""Times the largest bound: no hypothesis has one as wide."""

_ROOM = 2.0
"""Times what bounds and errors are now, as a hypothesis may have larger ones."""


class Glance:
    """One glance.

    Args:
        problem: The problem.
        outcome: What a backend returned.
        right: What a right one would, from the same states.
        cut: What to look at; None: at everything, final states too.

    """

    def __init__(
        self, problem: Problem, outcome: Outcome, right: Prediction, cut: Cut | None
    ) -> None:
        self._cut = cut
        bounds = [right.outputs, *right.finals.values()]
        bound = max(float(of.error.max(initial=0)) for of in bounds)
        errors = self._errors(problem, outcome, AS_PUBLISHED)
        error = max(float(of.max(initial=0)) for of in errors)
        # What explains an outcome is not farther from it than what is right.
        far = min(_FAR * bound, _ROOM * max(bound, error))
        self._far = far if np.isfinite(far) else np.inf
        steps = min(cut.steps, problem.case.steps) if cut else problem.case.steps
        self.effort = weights_gone_through(problem) * steps / problem.case.steps / 3
        """As a share of what the same takes with bounds."""

    def rules_out(
        self, problem: Problem, outcome: Outcome, equations: Equations
    ) -> bool:
        """Whether an outcome is too far from what a hypothesis says."""
        errors = self._errors(problem, outcome, equations)
        return not all((error <= self._far).all() for error in errors)

    def _errors(
        self, problem: Problem, outcome: Outcome, equations: Equations
    ) -> Iterator[Array]:
        if self._cut:
            for part, seen in self._cut.pieces(problem, outcome["outputs"]):
                yield np.abs(
                    seen - trajectory(Float64(), part, seen, equations).outputs
                )
            return
        made = trajectory(Float64(), problem, outcome["outputs"], equations)
        yield np.abs(outcome["outputs"] - made.outputs)
        for name, values in made.finals.items():
            if f"final_{name}" in outcome:
                yield np.abs(outcome[f"final_{name}"] - np.stack(values))


def glances(
    problem: Problem, outcome: Outcome, right: Prediction, ratio: Array
) -> tuple[list[Glance], Cut | None]:
    """Give the glances to cast, the shortest first, and what the last one looks at.

    A mistake in weights or equations shows at the first step, be it the first wrong one
    or not. Then comes all that is before the first wrong step, and that.

    Args:
        problem: The problem.
        outcome: What a backend returned.
        right: What a right one would, from the same states.
        ratio: |error| / bound of the outputs.

    """
    start = cut_at(problem, ratio, _ROWS, _STEPS)
    cuts: list[Cut | None] = [Cut(start.rows, _STEPS)]
    if not (ratio > 1).any():
        cuts.append(None)
    elif start.steps > _STEPS:
        cuts.append(start)
    return [Glance(problem, outcome, right, cut) for cut in cuts], cuts[-1]
