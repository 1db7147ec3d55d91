"""Equations with another term: known mistakes of a cell, and other activations."""

from collections.abc import Iterator

import numpy as np

from rnn_parity.judge.conventions.hypothesis import Hypothesis
from rnn_parity.judge.equations import Equations
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import CELLS, Accuracy, Array, Outcome, Problem
from rnn_parity_core.cell import Fitted


def equation_conventions(problem: Problem) -> Iterator[tuple[str, Equations]]:
    """Give every other form of the cell's equations."""
    for words, mistake in CELLS[problem.case.cell].mistakes.items():
        if mistake.changes and mistake.applies(problem.case):
            yield words, Equations.of(mistake.changes)


def fitted_conventions(problem: Problem, outcome: Outcome) -> Iterator[Hypothesis]:
    """Give equations with a number that is read off the outcome."""
    for fitted in CELLS[problem.case.cell].fitted:
        number = _number(fitted, problem, outcome)
        if number is not None:
            yield Hypothesis(
                fitted.says.format(number),
                equations=Equations.of(fitted.changes(number)),
            )


def _number(fitted: Fitted, problem: Problem, outcome: Outcome) -> float | None:
    if fitted.negative and (outcome["outputs"] < 0).any():
        slope = _fitted_slope(fitted, problem, outcome)
        return slope if 0 < abs(slope) < 1 else None
    if (final := f"final_{fitted.repeats}") in outcome:
        # No number comes twice by chance.
        size = np.abs(outcome[final])
        values, counts = np.unique(size[size > 0], return_counts=True)
        if (counts > 1).any():
            return float(values[counts.argmax()])
    return None


def _fitted_slope(fitted: Fitted, problem: Problem, outcome: Outcome) -> float:
    """Find a number by Gauss and Newton's method, in one unknown.

    The difference between outputs and steps vanishes at the right one, and is nearly
    linear in it.
    """
    got = outcome["outputs"].astype(np.float64)
    ops = Rounded(Accuracy(problem.case.dtype, {}))

    def difference(slope: float) -> Array:
        equations = Equations.of(fitted.changes(slope))
        made = trajectory(ops, problem, observed=got, equations=equations)
        return np.asarray((made.outputs.value - got).ravel())

    slope, nudge = 0.1, 2.0**-20
    for _ in range(6):
        here = difference(slope)
        tangent = (difference(slope + nudge) - here) / nudge
        if not (steepness := float(tangent @ tangent)):
            break
        slope -= float(tangent @ here) / steepness
    return float(f"{slope:.6g}")
