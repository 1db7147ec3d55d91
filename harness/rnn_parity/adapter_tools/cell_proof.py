"""What proves a cell: two forms that agree, bounds, gradients, weights and mistakes."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from rnn_parity.adapter_tools.cell_gradients import apart
from rnn_parity.adversary.suite import judged
from rnn_parity.judge.certify import Certificate, certify, reference
from rnn_parity.judge.diagnose import explain
from rnn_parity.judge.sensitivity import sensitivity, slopes
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import CELLS, Array, Case, Outcome, Problem
from rnn_parity_core.exit_status import Exit, exit_of
from rnn_parity_core.functions import Function
from rnn_parity_core.validate import contract_violations, nonfinite
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults.equations import known_mistake

NETWORKS = 300
"""Networks that the bounds are tried on."""

_AGREE = 1e-6
"""Relative to what a difference is of: far above what finite differences err by."""
_MOST_EXPLAINED = 3
"""Cases of one mistake that explanations are asked of."""
_GRID = np.linspace(-6.0, 6.0, 4001)
_FEW = 1 / 2
"""Share of networks that may outgrow their dtype."""


class Check(NamedTuple):
    """One thing that was checked of a cell."""

    name: str
    said: str
    """What was found, in one line."""
    troubles: tuple[str, ...] = ()
    """What is wrong, a line each; nothing if nothing is."""

    @property
    def passes(self) -> bool:
        """Whether nothing is wrong."""
        return not self.troubles


class CellProof(NamedTuple):
    """What came of all checks of a cell."""

    cell: str
    checks: list[Check]

    @property
    def exit_status(self) -> Exit:
        """0 proven, 1 something is wrong, 2 nothing was checked."""
        wrong = any(not check.passes for check in self.checks)
        return exit_of(wrong=wrong, crashed=False, done=self.checks)


def prove_cell(
    cell: str,
    networks: int = NETWORKS,
    notify: Callable[[str], None] = lambda _: None,
) -> CellProof:
    """Check a cell in every way.

    Args:
        cell: Its name.
        networks: How many the bounds are tried on.
        notify: Told the name of each check as it begins.

    """
    found = []
    for name, check in checks(cell, networks).items():
        notify(name)
        found.append(check())
    return CellProof(cell, found)


def checks(cell: str, networks: int = NETWORKS) -> dict[str, Callable[[], Check]]:
    """Return the checks of a cell by name."""
    made: dict[str, Callable[[], Check]] = {
        "by hand": lambda: by_hand(cell),
        "bounds": lambda: bounds(cell, networks),
        "gradients": lambda: gradients(cell),
        "weights": lambda: weights(cell),
        "mistakes": lambda: mistakes(cell),
    }
    return {name: _caught(name, check) for name, check in made.items()}


def _caught(name: str, check: Callable[[], Check]) -> Callable[[], Check]:
    """Make a trouble of what a cell's functions raise."""

    def called() -> Check:
        try:
            with np.errstate(all="ignore"):
                return check()
        except Exception as error:  # noqa: BLE001 - the cell is somebody's own
            said = f"{type(error).__name__}: {error}"
            return Check(name, "raised", (" ".join(said.split())[:300],))

    return called


def _cases(cell: str) -> list[Case]:
    """Return the cases of a cell's suite that NumPy computes."""
    every = catalogue.select([f"cell:{cell}"], [], [])
    return [case for case in every if not INFO.gap(case)]


def _certified(problem: Problem, outcome: Outcome) -> Certificate:
    return certify(problem, outcome, INFO.accuracy_for(problem.case))


def by_hand(cell: str) -> Check:
    """See that the step by hand, in NumPy, is the one over the operations."""
    cases, backend, worst = _cases(cell), NumpyBackend(), 0.0
    troubles = [] if cases else [f"NumPy computes no case of cell:{cell}"]
    for case in cases:
        problem = catalogue.build(case)
        outcome = backend.run(problem)
        wrong = contract_violations(outcome, case.output_shapes(), case.dtype)
        if not (wrong := wrong or nonfinite(outcome)):
            ratio = _certified(problem, outcome).bound_ratio
            worst = max(worst, ratio)
            wrong = [f"an error of {ratio:.3g}x its bound"] if not ratio <= 1 else []
        troubles += [f"{case.id}: {'; '.join(wrong)}"] * bool(wrong)
    passing = max(len(cases) - len(troubles), 0)
    said = f"{passing} of {len(cases)} cases pass"
    return Check("by hand", f"{said}; error / bound at most {worst:.2g}", (*troubles,))


def bounds(cell: str, networks: int = NETWORKS) -> Check:
    """See that no correct implementation is called wrong."""
    troubles = [*_too_gentle(cell)]
    ratios, outgrown = [], 0
    for number in range(networks):
        of = judged(number, cells=[cell])
        if not np.isfinite(of.ratio):  # numbers that its dtype has not
            outgrown += 1
            continue
        ratios.append(of.ratio)
        if of.ratio > 1:
            troubles.append(
                f"network {number}, {of.case}: {of.part} {of.ratio:.3g}x the bound, "
                "though each operation is right: a Function states too little"
            )
    if outgrown > _FEW * networks:
        troubles.append(f"{outgrown} of {networks} networks outgrow their dtype")
    median = float(np.median(ratios)) if ratios else np.nan
    said = f"{len(ratios)} networks; error / bound {median:.2g} in the middle, "
    said += f"at most {max(ratios, default=np.nan):.2g}"
    said += f"; {outgrown} more outgrew their dtype" if outgrown else ""
    return Check("bounds", said, (*troubles,))


def _functions(cell: str) -> list[Function]:
    used = (of.function for of in CELLS[cell].activations.values())
    return list(dict.fromkeys(used))


def _differences(function: Function) -> tuple[Array, Array]:
    """Return arguments away from kinks, and central differences there."""
    near = [np.abs(_GRID - kink) < _GRID[1] - _GRID[0] for kink in function.kinks]
    x = _GRID[~np.any(near, axis=0)] if near else _GRID
    half = 2.0**-17
    moved = function.value(x + half) - function.value(x - half)
    return x, moved / (2 * half)


def _too_gentle(cell: str) -> Iterator[str]:
    """Say of which functions the steepest slope is larger than is stated."""
    for function in _functions(cell):
        x, slope = _differences(function)
        allowed = function.slopes(x, x) * (1 + _AGREE) + _AGREE
        if (over := np.abs(slope) > allowed).any():
            at = int(np.abs(np.where(over, slope, 0)).argmax())
            yield (
                f"{function.name} has a slope of {slope[at]:.4g} at {x[at]:.4g}, and "
                f"states {function.steepest:g} at most: see `steepest`"
            )


def gradients(cell: str) -> Check:
    """See that gradients going back are those of finite differences."""
    troubles = []
    for function in _functions(cell):
        x, slope = _differences(function)
        try:
            stated = function.slope(x)
        except NotImplementedError:  # of what every arithmetic has by its own name
            continue
        off = np.abs(stated - slope)
        if (off > 1e3 * _AGREE * (1 + np.abs(slope))).any():
            at = int(off.argmax())
            troubles.append(
                f"{function.name} states the slope {stated[at]:.4g} at {x[at]:.4g}, "
                f"where it is {slope[at]:.4g}: see `slope`"
            )
    found = apart(cell)
    troubles += [
        f"the gradient by {name} is {off:.2g} of its size from differences"
        for name, off in found.items()
        if not off <= _AGREE
    ]
    worst = max(found.values())
    said = f"{len(found)} arrays; at most {worst:.1g} from finite differences"
    return Check("gradients", said, (*troubles,))


def weights(cell: str) -> Check:
    """See that a change of any weight shows in some case of the suite."""
    least: dict[str, float] = {}
    for case in _cases(cell):
        if case.layers > 1 or case.variant == "variable_output":
            continue
        problem = catalogue.build(case)
        truth = reference(problem)
        exact = {n: a.astype(case.dtype) for n, a in truth.items()}
        shown = sensitivity(slopes(problem, truth), _certified(problem, exact))
        for name, change in shown.items():
            if change is not None:
                least[name] = min(change, least.get(name, np.inf))
    troubles = [
        f"{name}: no case shows a change of it; the step does not use it, or seeds "
        "make its part too small"
        for name in CELLS[cell].weights
        if name not in least
    ]
    said = f"{len(least)} of {len(CELLS[cell].weights)} show"
    if worst := max(least, key=lambda name: least[name], default=""):
        said += f"; {worst} least, from {least[worst]:.1g} of it on"
    return Check("weights", said, (*troubles,))


def mistakes(cell: str) -> Check:
    """See that known mistakes are caught, and count those that are named."""
    cases = sorted(_cases(cell), key=lambda case: (case.probe, case.dtype != "float64"))
    troubles, caught, named = [], 0, 0
    every = CELLS[cell].mistakes
    wanted = [words for words, mistake in every.items() if not mistake.far_out]
    for words in wanted:
        seen = 0
        for _, first in _outcomes_of(words, cases):
            seen += 1
            if first == words:
                named += 1
                break
            if seen == _MOST_EXPLAINED:
                break
        caught += bool(seen)
        if not seen:
            troubles.append(f"{words}: no case of the suite shows it")
    said = f"{caught} of {len(wanted)} caught, {named} named in their own words"
    far = len(every) - len(wanted)
    said += f"; {far} more make no difference to moderate numbers" if far else ""
    return Check("mistakes", said, (*troubles,))


def _outcomes_of(words: str, cases: list[Case]) -> Iterator[tuple[Case, str]]:
    """Go through the cases that show a mistake, with what explains it first."""
    fault, backend = known_mistake(words), NumpyBackend()
    for case in cases:
        if not fault.applies(case):
            continue
        problem = catalogue.build(case)
        outcome = fault.run(backend.run, problem, {})
        if nonfinite(outcome):
            yield case, ""
        elif not _certified(problem, outcome).bound_ratio <= 1:
            said = explain(problem, outcome, INFO.accuracy_for(case))
            yield case, said[0] if said else ""
