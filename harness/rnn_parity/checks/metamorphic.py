"""Asks every backend whether it agrees with itself: relations, cases, workers.

Each trial is one relation in one case on one backend, in the worker that engines use
too. Whatever becomes of a worker, the other trials are whole.
"""

import tempfile
import threading
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_parity.checks.relations import RELATIONS, Relation, cases_asked
from rnn_parity.judge.agreement import agreement
from rnn_parity.runs.engine import Runner
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.pool import side_by_side
from rnn_parity_core import (
    Array,
    BackendInfo,
    Case,
    Outcome,
    ParityError,
    Problem,
    UsageError,
)
from rnn_parity_core.cases import spread
from rnn_parity_core.exit_status import Exit, exit_of
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_core.validate import contract_violations, nonfinite
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.describe import MARKS

Status = Literal["holds", "violated", "inconclusive", "gap", "error", "absent"]
RelationPlan = dict[str, list[Case]]
"""Relation → the cases in which it is tried."""


class RelationTrial(NamedTuple):
    """One relation in one case on one backend."""

    relation: str
    backend: str
    case: str
    status: Status
    """`inconclusive`: the bounds are too wide to show anything; `gap`: the backend
    declines what the relation asks for, as it declares that it may."""
    bound_ratio: float | None = None
    """Difference / what both bounds allow; None where bits are compared, or nothing."""
    detail: str = ""

    @property
    def words(self) -> str:
        """What came of it, and where: one line."""
        return f"{self.relation}: {self.detail} [{self.backend}, {self.case}]"

    @property
    def reproduce(self) -> str:
        """The command that does it again."""
        chosen = f"--cases {self.case} --backends {quote(self.backend)}"
        return f"rnn-parity metamorphic {chosen}"


class _NoAnswer(Exception):  # noqa: N818 - what a trial ends with, not a fault of ours
    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def relate(
    infos: list[BackendInfo], cases: list[Case], *, each: int, jobs: int
) -> list[RelationTrial]:
    """Try every relation on every backend.

    Args:
        infos: The backends.
        cases: The suite; its forward cases are chosen from.
        each: Cases that one relation is tried in, spread over those it applies to.
        jobs: Worker processes at a time, one for each backend.

    Raises:
        UsageError: No relation applies to any of the cases on any of the backends.

    """
    plans = [plan(info, cases, each) for info in infos]
    _check_plans(plans, infos)
    stopping, runners = threading.Event(), list[Runner]()

    def of_backend(info: BackendInfo, chosen: RelationPlan) -> list[RelationTrial]:
        with tempfile.TemporaryDirectory(prefix="rnn-parity-") as path:
            folder = RunFolder(Path(path))
            folder.prepare()
            with Runner(info, folder, TIMEOUT) as runner:
                runners.append(runner)
                bench = Bench(info, folder, runner)
                return [
                    bench.trial(name, case)
                    for name, of_relation in chosen.items()
                    for case in of_relation
                    if not stopping.is_set()
                ]

    def interrupt() -> None:
        stopping.set()
        for runner in runners:
            runner.interrupt()

    work = [partial(of_backend, *of) for of in zip(infos, plans, strict=True)]
    return [trial for of in side_by_side(work, jobs, interrupt) for trial in of]


def _check_plans(plans: list[RelationPlan], infos: list[BackendInfo]) -> None:
    """See that there is something to try."""
    if not any(chosen for each_plan in plans for chosen in each_plan.values()):
        names = ", ".join(info.name for info in infos) or "no backend"
        raise UsageError(
            f"no relation applies to any of these cases on {names}; it takes cases of "
            "the task forward that a backend declares no gap for"
        )


def plan(info: BackendInfo, cases: list[Case], each: int) -> RelationPlan:
    """Choose cases for each relation: the backend does them, and all that is asked."""
    fitting: RelationPlan = {name: [] for name in RELATIONS}
    for case in cases:
        if case.task != "forward" or info.gap(case):
            continue
        problem = catalogue.build(case)
        for name, relation in RELATIONS.items():
            if relation.applies(case) and not any(
                map(info.gap, cases_asked(relation, problem))
            ):
                fitting[name].append(case)
    return {name: spread(chosen, each) for name, chosen in fitting.items()}


class Bench:
    """One backend that is asked for problems.

    Args:
        info: The backend.
        folder: Where its answers go; prepared already.
        runner: Its worker.

    """

    def __init__(self, info: BackendInfo, folder: RunFolder, runner: Runner) -> None:
        self._info = info
        self._folder = folder
        self._runner = runner

    def trial(self, name: str, case: Case) -> RelationTrial:
        """Compute a case as it is and by way of a relation, and compare the two."""
        problem, relation = catalogue.build(case), RELATIONS[name]
        made = RelationTrial(name, self._info.name, case.id, "holds")
        try:
            own = self._ask(problem)
            other = relation.answer(problem, self._ask)
            return self._compared(made, relation, problem, (own, other))
        except _NoAnswer as reason:
            return made._replace(status=reason.status, detail=str(reason))
        except ParityError as error:
            return made._replace(status="error", detail=str(error))

    def _ask(self, problem: Problem) -> Outcome:
        case = problem.case
        entry = self._runner.entry(problem)
        if entry.status == "unsupported" and self._info.may_decline(case):
            raise _NoAnswer("gap", entry.detail)
        if entry.status == "unsupported":
            detail = f"undeclared gap: {entry.detail}; declare it as a Gap ({case.id})"
            raise _NoAnswer("violated", detail)
        if entry.status != "done":
            raise _NoAnswer(entry.status, entry.detail)
        outcome = self._folder.outcome(self._info.name, case.id)
        wrong = contract_violations(outcome, case.output_shapes(), case.dtype)
        if wrong := wrong or nonfinite(outcome):
            raise _NoAnswer("violated", f"{'; '.join(wrong)} (asked for {case.id})")
        return outcome

    def _compared(
        self,
        made: RelationTrial,
        relation: Relation,
        problem: Problem,
        outcomes: tuple[Outcome, Outcome],
    ) -> RelationTrial:
        if relation.same_bits:
            words = other_bits(*outcomes)
            return made._replace(status="violated" if words else "holds", detail=words)
        found = agreement(problem, self._info, *outcomes)
        status: Status = "holds" if found.is_shown else "inconclusive"
        return made._replace(
            status="violated" if found.words else status,
            bound_ratio=found.bound_ratio,
            detail=found.words,
        )


def other_bits(own: Outcome, other: Outcome) -> str:
    """Say where two outcomes are not the same to the last bit; nothing if they are."""
    found = []
    for name, want in own.items():
        apart = _apart(want, other[name])
        if apart.any():
            at = tuple(int(i) for i in np.argwhere(apart)[0])
            found.append(
                f"{name}: {int(apart.sum())} of {apart.size} elements are of other "
                f"bits; the first at {list(at)}: allowed {float(want[at]):.9g}, "
                f"got {float(other[name][at]):.9g}"
            )
    return "; ".join(found)


def _apart(first: Array, second: Array) -> NDArray[np.bool_]:
    """Mark the elements whose bits differ, -0.0 and 0.0 among them."""
    size = first.dtype.itemsize
    a, b = (
        np.ascontiguousarray(array)[..., np.newaxis].view(f"V{size}").view(np.uint8)
        for array in (first, second)
    )
    return np.asarray((a.reshape(*first.shape, size) != b.reshape(a.shape)).any(-1))


def exit_status(trials: list[RelationTrial]) -> Exit:
    """0 all hold, 1 a violation, 2 nothing checked, 3 a crash, 4 nothing is shown."""
    said = {trial.status for trial in trials}
    return exit_of(
        wrong="violated" in said,
        crashed="error" in said,
        done=said & {"holds", "inconclusive"},
        unshown="holds" not in said,
    )


def table(trials: list[RelationTrial], backends: list[str]) -> list[list[str]]:
    """Give a row for each relation: its name, and for each backend what came of it."""
    rows = []
    for name in RELATIONS:
        of_name = [trial for trial in trials if trial.relation == name]
        cells = [_cell([t for t in of_name if t.backend == b]) for b in backends]
        rows.append([name, *cells])
    return rows


def _cell(trials: list[RelationTrial]) -> str:
    """Count what was checked, with the worst ratio: `✓ 3 0.42`, `✗ 1/3 2e+04`."""
    counts = {s: sum(t.status == s for t in trials) for s in ("violated", "error")}
    shown = [t for t in trials if t.status not in {"inconclusive", "gap"}]
    numbers = [t.bound_ratio for t in shown if t.bound_ratio is not None]
    worst = _number(max(numbers)) if numbers else "bits"
    if counts["violated"]:
        return f"✗ {counts['violated']}/{len(trials)} {worst}"
    if counts["error"]:
        return f"error {counts['error']}/{len(trials)}"
    held = sum(trial.status == "holds" for trial in trials)
    if held:
        return f"✓ {held} {worst}"
    if not trials:
        return "none"
    said = trials[0].status
    return MARKS["inconclusive"] if said == "inconclusive" else said


def _number(bound_ratio: float) -> str:
    text = f"{bound_ratio:.2f}"
    return text if len(text) <= len("9.99") else f"{bound_ratio:.0e}"
