"""Which mistake in one layer of a stack, or in all, explains what an estimate rejects.

Bounds cannot tell where they are wider than outputs. So each mistake in weights is
tried on the whole network in float64, of few rows, and confirmed by the spread of right
implementations of the network that has it.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.conventions.weights import everywhere_or_not, gate_orders
from rnn_parity.judge.estimate import can_estimate, fits, simulated
from rnn_parity.judge.stepwise import rows_of
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import CELLS, Accuracy, Array, Outcome, Problem

_ROWS = 2
_NEARER = 2.0**-4
"""Of the error of what is right, what a mistake that explains an outcome leaves."""
MOST = 2
"""Explanations that are given at most."""


def explain_by_estimate(
    problem: Problem, outcome: Outcome, accuracy: Accuracy
) -> list[str]:
    """Name the mistakes in weights with which a stack would be consistent."""
    if "outputs" not in outcome or not can_estimate(problem):
        return []
    part = rows_of(problem, slice(0, _ROWS))
    wanted = outcome["outputs"][:_ROWS].astype(np.float64)
    with np.errstate(all="ignore"):
        far = _apart(part, wanted)
        left = [
            (_apart(_with(part, arrays), wanted), name, arrays)
            for name, arrays in _mistakes(problem)
        ]
    near = sorted((of for of in left if of[0] <= _NEARER * far), key=lambda of: of[0])
    return [
        name
        for _, name, arrays in near[:MOST]
        if fits(simulated(_with(problem, arrays), accuracy), outcome)
    ]


def _mistakes(problem: Problem) -> Iterator[tuple[str, dict[str, Array]]]:
    """Give each mistake in all layers, then in each of them alone."""
    alters = [
        *everywhere_or_not(CELLS[problem.case.cell]).items(),
        *gate_orders(problem),
    ]
    for name, alter in alters:
        changed = {
            weight: array
            for weight, array in alter(problem, "").items()
            if weight in problem.arrays and not np.array_equal(array, problem[weight])
        }
        by_layer: dict[str, dict[str, Array]] = {}
        for weight, array in changed.items():
            by_layer.setdefault(weight.partition(".")[0], {})[weight] = array
        if changed:
            yield name, changed
        if len(by_layer) > 1:
            for layer, own in by_layer.items():
                yield f"{name} in {layer.replace('layer', 'layer ')} alone", own


def _with(problem: Problem, arrays: dict[str, Array]) -> Problem:
    return replace(problem, arrays={**problem.arrays, **arrays})


def _apart(problem: Problem, wanted: Array) -> float:
    """Give how far a network is from outputs: the root of the mean square."""
    made = trajectory(Float64(), problem).outputs
    return float(np.sqrt(np.square(wanted - made).mean()))
