"""What a problem's data cannot show: a pass on it proves that much less."""

from collections.abc import Iterator

import numpy as np

from rnn_parity_core import CELLS, Array, Outcome, Problem

# An output this near to 1 moves by less than 1/64 of what its pre-activation moves by.
_FLAT = 1 - 1 / 128
_MANY = 0.25


def not_shown_by(problem: Problem, reference: Outcome) -> list[str]:
    """List what could be wrong without this problem showing it.

    Args:
        problem: The arrays that backends are given.
        reference: The float64 outcome, for what saturates.

    """
    found = [*_of_biases(problem), *_of_states(problem), *_of_weights(problem)]
    if "tokens" in reference:
        stop = int(problem["start_stop"][1])
        found += _of_tokens(reference["tokens"], stop)
    # A probe saturates what it does not look at.
    may = not CELLS[problem.case.cell].grows and not problem.case.probe
    if may and (np.abs(reference["outputs"]) > _FLAT).mean() > _MANY:
        found.append("over a quarter of outputs are saturated: errors before tanh hide")
    return found


def _of_tokens(tokens: Array, stop: int) -> Iterator[str]:
    if not (tokens[:, :-1] == stop).any():
        yield "no row says stop before the step limit: what follows it would not show"
    if len(tokens) > 1 and (tokens == tokens[0]).all():
        yield "all rows say the same: rows mixed up would not show"


def _of_states(problem: Problem) -> Iterator[str]:
    case = problem.case
    states = CELLS[case.cell].states
    zero = [state for state in states if not problem[f"initial_{state}"].any()]
    if len(zero) == len(states):
        yield "initial state is zero: an ignored initial state would not show"
    else:
        yield from (f"initial {s} is zero: an ignored one would not show" for s in zero)
    if case.steps == 1 and "h" in states and not problem["initial_h"].any():
        yield "one step from zero: the recurrent kernel is not used at all"
    if "lengths" in problem.arrays and (problem["lengths"] == case.steps).all():
        yield "all rows are of full length: ignored lengths would not show"


def _of_biases(problem: Problem) -> Iterator[str]:
    weights = problem.case.weight_shapes()
    biases = [problem[name] for name in weights if name.endswith("bias")]
    if biases and not any(bias.any() for bias in biases):
        yield "all biases are zero: a dropped or doubled bias would not show"


def _of_weights(problem: Problem) -> Iterator[str]:
    for name in problem.case.weight_shapes():
        weight = problem[name]
        if not weight.any():
            if not name.endswith(".bias"):
                yield f"{name} is all zeros: what it reads would not show"
        elif weight.size > 1 and np.ptp(weight) == 0:
            yield f"{name} is constant: a wrong order of it would not show"
        square = weight.ndim > 1 and weight.shape[0] == weight.shape[1] > 1
        if square and np.array_equal(weight, weight.T):
            yield f"{name} is symmetric: a transposed one would not show"
