"""How far right implementations spread, where no bound shows anything: an estimate.

The whole network is run several times from its inputs, each time rounded otherwise as
is legal (`stochastic`). An outcome is held to the spread of these runs, element by
element, and weight by weight: errors that lie in the direction in which one weight
moves all that comes after it add up, while those of rounding do not (`matched`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from rnn_parity.judge.blame import element
from rnn_parity.judge.matched import scores
from rnn_parity.judge.shown import not_shown
from rnn_parity.judge.stochastic import Stochastic
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import CELLS, Accuracy, Array, BackendInfo, Case, Outcome, Problem
from rnn_parity_core.layers import taken_apart
from rnn_parity_reports.results import Estimate

SIMULATIONS = 24
FACTOR = 12.0
"""Spreads that an error may have. Sums that are added up term by term, the longest
chain in use, reach 9.3 in trained stacks, and engines 8
(`benchmarks/stack_detection.py`)."""

_LEAST = 0.05
"""Of the median spread: elements that happen to round well are not told by it."""
_LARGEST = 2.0**-7
"""Of what outputs are: a wider spread, times the factor, shows next to nothing."""
_EFFORT, _EFFORT_OF_DRAWN = 4e11, 3e9
"""Multiplications that an estimate may take, for arrays of the user's and others."""


class Spread(NamedTuple):
    """What right implementations of a problem return."""

    problem: Problem
    exact: Mapping[str, Array]
    """Array of an outcome → float64."""
    errors: Mapping[str, Array]
    """Array → what each simulation is off by, `[simulations, *its shape]`."""
    size: Mapping[str, Array]
    """Array → how far these spread, of its shape."""


class Spreads:
    """Spreads of one problem, each made once it is asked for."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._made: list[tuple[Accuracy, Spread | None]] = []

    def __call__(self, accuracy: Accuracy) -> Spread | None:
        """Give what right outcomes spread by; None where that shows nothing, too."""
        for known, spread in self._made:
            if known == accuracy:
                return spread
        found = None
        if can_estimate(self._problem):
            made = simulated(self._problem, accuracy)
            found = None if is_wide(made) else made
        self._made.append((accuracy, found))
        return found


def asks_estimate(case: Case, shares: Mapping[str, float], info: BackendInfo) -> bool:
    """Whether bounds leave room for an estimate.

    Of our own backends only where nothing is shown: on stacks that a user's framework
    computed it shows more than bounds do, which carry lower layers along.
    """
    theirs = not info.adapter and case.layers > 1
    return theirs or bool(not_shown(shares))


def is_wide(spread: Spread) -> bool:
    """Whether any output could be far off: simulations part there, as chaos makes them.

    Errors are then no longer sums of small ones, and what comes after can be anything.
    """
    size, value = spread.size["outputs"], np.abs(spread.exact["outputs"])
    moved = np.abs(spread.errors["outputs"]).max(axis=0) > 0
    if not (np.isfinite(size).all() and np.isfinite(value).all() and moved.any()):
        return True
    scale = np.sqrt(np.square(value[moved]).mean())
    return bool((size > _LARGEST * np.maximum(value, scale)).any())


def can_estimate(problem: Problem) -> bool:
    """Whether there is something to estimate, and it does not take too long."""
    case = problem.case
    if case.task != "forward" or case.variant == "variable_output" or case.steps == 1:
        return False
    weights = sum(problem[name].size for name in case.weight_shapes())
    effort = 3 * (SIMULATIONS + 1) * case.batch * case.steps * weights
    return effort <= (_EFFORT if case.given else _EFFORT_OF_DRAWN)


def simulated(problem: Problem, accuracy: Accuracy) -> Spread:
    """Run a network `SIMULATIONS` times, always the same ones."""
    times, rows = SIMULATIONS + 1, problem.case.batch
    ops = Stochastic(accuracy, rows, SIMULATIONS, np.random.default_rng(rows))
    with np.errstate(all="ignore"):  # what is not a number says so itself
        made = trajectory(ops, _repeated(problem, times))
        arrays = {"outputs": made.outputs.reshape(times, rows, *made.outputs.shape[1:])}
        for name, values in made.finals.items():
            each = [of.reshape(times, rows, *of.shape[1:]) for of in values]
            arrays[f"final_{name}"] = np.stack(each, axis=1)
        errors = {name: of[1:] - of[0] for name, of in arrays.items()}
        size = {name: _spread(of) for name, of in errors.items()}
    exact = {name: of[0] for name, of in arrays.items()}
    return Spread(problem, exact, errors, size)


def _repeated(problem: Problem, times: int) -> Problem:
    """Give a problem whose rows come again and again."""
    states = [f"initial_{state}" for state in CELLS[problem.case.cell].states]
    arrays = dict(problem.arrays)
    for name in ("inputs", "lengths", *states):
        if name in arrays:
            axis = int(name in states)
            arrays[name] = np.concatenate([arrays[name]] * times, axis=axis)
    return Problem(replace(problem.case, batch=problem.case.batch * times), arrays)


def _spread(errors: Array) -> Array:
    """Give the root of the mean square of errors, and not much less than is usual."""
    found = np.sqrt(np.square(errors).mean(axis=0))
    moved = found[found > 0]
    least = _LEAST * float(np.median(moved)) if moved.size else 0.0
    return np.where(found > 0, np.maximum(found, least), least)


def estimate(spread: Spread, outcome: Outcome) -> Estimate:
    """Hold an outcome to the spread of right ones: each element, then each weight."""
    return estimates(spread, [outcome])[0]


def estimate_in_layers(
    problem: Problem, outcome: Outcome, accuracy: Accuracy
) -> Estimate | None:
    """Hold each layer to what right ones spread that read the same: much less."""
    if not can_estimate(problem):
        return None
    found = []
    for layer, (own, part) in enumerate(taken_apart(problem, outcome)):
        spread = simulated(own, accuracy)
        if is_wide(spread):
            return None
        of = estimate(spread, part)
        where = of.where.replace("layer0", f"layer{layer}")
        if of.where in part:
            where = f"{of.where} of layer {layer}"
        found.append(replace(of, where=where))
    return max(found, key=lambda of: np.inf if of.ratio is None else of.ratio)


def estimates(spread: Spread, outcomes: Sequence[Outcome]) -> list[Estimate]:
    """Hold outcomes that have the same arrays, so that all go back at once."""
    with np.errstate(all="ignore"):
        found = [[*_of_elements(spread, outcome)] for outcome in outcomes]
        left = [k for k, of in enumerate(found) if all(ratio <= 1 for ratio, _ in of)]
        if left:
            of_weights = _of_weights(spread, [outcomes[k] for k in left])
            for k, of in zip(left, zip(*of_weights, strict=True), strict=True):
                found[k] += of
    return [_as_estimate(*max(of)) for of in found]


def _as_estimate(ratio: float, where: str) -> Estimate:
    return Estimate(ratio if np.isfinite(ratio) else None, FACTOR, SIMULATIONS, where)


def fits(spread: Spread, outcome: Outcome) -> bool:
    """Whether no element of an outcome is farther off than right ones are."""
    with np.errstate(all="ignore"):
        return all(ratio <= 1 for ratio, _ in _of_elements(spread, outcome))


def error_of(spread: Spread, name: str, outcome: Outcome) -> Array:
    """Give how far an array is from the exact one, in float64."""
    return np.asarray(outcome[name].astype(np.float64) - spread.exact[name])


def _of_elements(spread: Spread, outcome: Outcome) -> Iterator[tuple[float, str]]:
    """Give the worst |error| / (factor x spread) of each array, and which it is."""
    for name in spread.exact:
        if name not in outcome:
            continue
        error = np.abs(error_of(spread, name, outcome))
        allowed = FACTOR * spread.size[name]
        ratios = np.where(error == 0, 0.0, error / allowed)
        worst = float(np.nan_to_num(ratios, nan=np.inf).max(initial=0.0))
        yield worst, name


def _of_weights(
    spread: Spread, outcomes: Sequence[Outcome]
) -> Iterator[list[tuple[float, str]]]:
    """Give the worst sum of errors in any weight's direction, against its spread.

    Errors are weighted by the inverse square of what they spread, as is best where they
    are independent. That they are not does not matter: simulations' are summed up in
    the same way, and it is their sums that the outcomes' are held to.
    """
    case, seeds = spread.problem.case, {}
    for name in (name for name in spread.exact if name in outcomes[0]):
        errors = np.stack([error_of(spread, name, of) for of in outcomes])
        weight = np.where(spread.size[name] > 0, spread.size[name] ** -2.0, 0.0)
        seeds[name] = np.concatenate([spread.errors[name], errors]) * weight
    for name, found in scores(spread.problem, seeds):
        allowed = FACTOR * _spread(found[:SIMULATIONS])
        said = []
        for own in found[SIMULATIONS:]:
            ratios = np.where(own == 0, 0.0, np.abs(own) / allowed)
            ratios = np.nan_to_num(ratios, nan=np.inf)
            at = np.unravel_index(int(ratios.argmax()), ratios.shape)
            index = tuple(int(i) for i in at)
            where = f"as if {element(case, name, index)} were off"
            said.append((float(ratios[index]), where))
        yield said
