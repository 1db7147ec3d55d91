"""What a problem's data cannot show: a pass on it proves that much less."""

import numpy as np

from harness.spec import CELLS, Outcome, Problem

# An output this near to 1 moves by less than 1/64 of what its pre-activation moves by.
_FLAT = 1 - 1 / 128
_MANY = 0.25


def weaknesses(problem: Problem, reference: Outcome) -> list[str]:
    """List what could be wrong without this problem showing it.

    Args:
        problem: The arrays that backends are given.
        reference: The float64 outcome, for what saturates.

    """
    case, found = problem.case, []
    if not problem["bias"].any():
        found.append("all biases are zero: a dropped or doubled bias would not show")
    if not problem["initial_h"].any():
        found.append("initial state is zero: an ignored initial state would not show")
    if case.steps == 1 and not problem["initial_h"].any():
        found.append("one step from zero: the recurrent kernel is not used at all")
    for name, axes in CELLS[case.cell].weights.items():
        weight = problem[name]
        if name != "bias" and not weight.any():
            found.append(f"{name} is all zeros: what it reads would not show")
        elif weight.size > 1 and np.ptp(weight) == 0 and weight.any():
            found.append(f"{name} is constant: a wrong order of it would not show")
        square = len(axes) > 1 and weight.shape[0] == weight.shape[1]
        if square and case.units > 1 and np.array_equal(weight, weight.T):
            found.append(f"{name} is symmetric: a transposed one would not show")
    if (np.abs(reference["outputs"]) > _FLAT).mean() > _MANY:
        found.append("over a quarter of outputs are saturated: errors before tanh hide")
    return found
