"""Which planted faults are killed: by the certificate, and by fixed tolerances.

Every fault of the catalogue is planted in a real adapter and run through cases that it
applies to; healthy runs of the same cases say what each check calls broken for nothing.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from rnn_parity.judge.certify import reference
from rnn_parity.judge.fixed_tolerances import FIXED_TOLERANCES, within_fixed_tolerances
from rnn_parity.judge.verdict import judge_entry
from rnn_parity.runs.engine import Runner
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.pool import side_by_side
from rnn_parity_core import BackendInfo, Case, UsageError
from rnn_parity_core.cases import spread
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import KINDS, Fault, plant
from rnn_parity_reports.results import GOOD

OURS = "rnn-parity"
CHECKS = (OURS, *FIXED_TOLERANCES)
HEALTHY = "healthy"

_TITLES = ["faults", "cases", OURS, "named", *FIXED_TOLERANCES]

Suites = dict[str, list[Case]]
"""What a user calls a suite → its cases."""
Table = tuple[list[str], list[list[str]]]
"""Titles, and rows."""


class FaultTrial(NamedTuple):
    """One case, computed with a fault planted or without."""

    suite: str
    backend: str
    kind: str
    """The fault's kind; `healthy` without one."""
    fault: str
    case: str
    broken: dict[str, bool]
    """Check → whether it says that the outcome is wrong."""
    named: bool
    """Whether the verdict names what would explain the outcome."""
    detail: str
    """What the verdict says."""


class _Work(NamedTuple):
    """Cases of a suite to try a fault in, or nothing."""

    suite: str
    info: BackendInfo
    kind: str
    fault: str
    cases: list[Case]


def mutation_test(
    infos: list[BackendInfo],
    suites: Suites,
    *,
    each: int,
    jobs: int,
    notify: Callable[[FaultTrial], None] = lambda _: None,
) -> list[FaultTrial]:
    """Plant every fault, for each suite in the first backend where it applies.

    Args:
        infos: The backends that faults are planted in.
        suites: The suites.
        each: Cases of a suite that one fault is tried in, spread over those that it
            applies to.
        jobs: Worker processes.
        notify: Called with each trial.

    Raises:
        UsageError: A suite has no case that any fault applies to.

    """
    work = [item for suite in suites for item in _work(infos, suites, suite, each)]
    # A worker's backend changes once; the shares are alike: kinds take turns.
    work.sort(key=lambda item: infos.index(item.info))
    runners: list[Runner] = []
    stopping = threading.Event()

    def of_share(share: list[_Work]) -> list[FaultTrial]:
        trials = []
        for trial in _trials(share, runners):
            notify(trial)
            trials.append(trial)
            if stopping.is_set():
                break
        return trials

    def interrupt() -> None:
        stopping.set()
        for runner in runners:
            runner.interrupt()

    shares = [partial(of_share, work[number::jobs]) for number in range(jobs)]
    trials = [trial for of in side_by_side(shares, jobs, interrupt) for trial in of]
    kinds, names = [*KINDS, HEALTHY], list(suites)
    return sorted(trials, key=lambda t: (kinds.index(t.kind), names.index(t.suite)))


def _work(
    infos: list[BackendInfo], suites: Suites, suite: str, each: int
) -> Iterator[_Work]:
    """Plan a suite: every fault that applies, then its cases without any."""
    used: dict[tuple[str, str], _Work] = {}
    for kind, faults in KINDS.items():
        for name, fault in faults.items():
            info, fitting = _planted_in(infos, suites[suite], fault)
            chosen = spread(fitting, each)
            yield _Work(suite, info, kind, name, chosen)
            for case in chosen:
                at = info.name, case.id
                used.setdefault(at, _Work(suite, info, HEALTHY, "", [case]))
    if not used:
        names = " or ".join(info.name for info in infos)
        raise UsageError(f"no fault applies to any case of {suite} on {names}")
    yield from used.values()


def _planted_in(
    infos: list[BackendInfo], cases: list[Case], fault: Fault
) -> tuple[BackendInfo, list[Case]]:
    """Give the first backend where a fault applies, and all cases in which it does."""
    for info in infos:
        fitting = [c for c in cases if fault.applies(c) and not info.gap(c)]
        if fitting:
            return info, fitting
    return infos[0], []


def _trials(work: list[_Work], runners: list[Runner]) -> Iterator[FaultTrial]:
    """Try one share; a process for each backend, as frameworks do not share one."""
    with tempfile.TemporaryDirectory(prefix="rnn-parity-") as path:
        folder = RunFolder(Path(path))
        folder.prepare()
        for info, items in groupby(work, key=lambda item: item.info):
            with Runner(info, folder, TIMEOUT) as runner:
                runners.append(runner)
                for item in items:
                    for case in item.cases:
                        yield _trial(folder, runner, item, case)


def _trial(folder: RunFolder, runner: Runner, work: _Work, case: Case) -> FaultTrial:
    """Compute a case with a fault planted, or without, and judge it."""
    healthy = work.kind == HEALTHY
    info = work.info if healthy else plant(work.info, work.fault)
    calls = 1 if healthy else KINDS[work.kind][work.fault].calls
    problem = catalogue.build(case)
    truth = reference(problem)
    runner.switch(info)
    for _ in range(calls):
        entry = runner.entry(problem)
    result = judge_entry(folder, problem, truth, info, entry).result
    broken = dict.fromkeys(FIXED_TOLERANCES, True)
    if entry.status == "done":
        outcome = folder.outcome(info.name, case.id)
        passes = within_fixed_tolerances(problem, truth, outcome)
        broken = {name: not fine for name, fine in passes.items()}
    # Of what is inconclusive nothing is said: no fault is killed by that, and no
    # healthy backend called broken.
    broken[OURS] = result.verdict not in {*GOOD, "inconclusive"}
    return FaultTrial(
        *(work.suite, work.info.name, work.kind, work.fault, case.id),
        broken=broken,
        named=bool(result.explanations),
        detail=result.detail,
    )


def by_kind(trials: list[FaultTrial]) -> Table:
    """Give the titles and rows of the scores of each kind of fault.

    In each cell: faults killed in at least one case, and the share of all cases. What
    our verdict names is counted among what it kills.
    """
    kinds = dict.fromkeys(trial.kind for trial in trials)
    rows = [_row(kind, [t for t in trials if t.kind == kind]) for kind in kinds]
    return ["kind", *_TITLES], rows


def by_suite(trials: list[FaultTrial]) -> Table:
    """Give the same for each suite: all kinds together, then what is healthy.

    Faults are said of how many there are: the others apply to none of its cases.
    """
    rows = []
    known = sum(len(faults) for faults in KINDS.values())
    for suite in dict.fromkeys(trial.suite for trial in trials):
        own = [trial for trial in trials if trial.suite == suite]
        faulty = _row(suite, [t for t in own if t.kind != HEALTHY])
        faulty[1] += f" of {known}"
        rows += [faulty, _row(f"{suite}, {HEALTHY}", [t for t in own if not t.fault])]
    return ["suite", *_TITLES], rows


def _row(label: str, trials: list[FaultTrial]) -> list[str]:
    planted = str(len({trial.fault for trial in trials if trial.fault}) or "none")
    ours, *others = [_score(trials, check) for check in CHECKS]
    return [label, planted, str(len(trials)), ours, _named(trials), *others]


def _named(trials: list[FaultTrial]) -> str:
    """Say of how many kills the verdict says what was done."""
    killed = [trial for trial in trials if trial.broken[OURS] and trial.fault]
    named = sum(trial.named for trial in killed)
    return f"{100 * named / len(killed):.0f} %" if killed else ""


def _score(trials: list[FaultTrial], check: str) -> str:
    caught = [trial for trial in trials if trial.broken[check]]
    share = f"{100 * len(caught) / len(trials):.0f} %"
    if trials[0].kind == HEALTHY:
        return f"{len(caught)} false alarms ({share})" if caught else "no false alarm"
    return f"{len({trial.fault for trial in caught})} ({share})"


def survivors(trials: list[FaultTrial]) -> list[str]:
    """Name the faults that no case of any suite has shown, and the false alarms."""
    found = []
    for fault in dict.fromkeys(t.fault for t in trials if t.kind != HEALTHY):
        of_fault = [trial for trial in trials if trial.fault == fault]
        if not any(trial.broken[OURS] for trial in of_fault):
            cases = ", ".join(trial.case for trial in of_fault)
            found.append(f"{of_fault[0].kind}: {fault} survives {cases}")
    return found + [
        f"false alarm: {trial.detail}"
        for trial in trials
        if trial.kind == HEALTHY and trial.broken[OURS]
    ]


def remarks(
    infos: list[BackendInfo], suites: Suites, trials: list[FaultTrial]
) -> Iterator[str]:
    """Say which faults are not planted in the first backend, or nowhere."""
    for number, info in enumerate(infos[1:], 1):
        own = [t.fault for t in trials if t.fault and t.backend == info.name]
        if own:
            before = " and ".join(other.name for other in infos[:number])
            names = ", ".join(dict.fromkeys(own))
            yield f"planted in {info.name}, where {before} has no case: {names}"
    if found := idle(infos, suites):
        yield f"apply to no case here: {', '.join(found)}"


def idle(infos: list[BackendInfo], suites: Suites) -> list[str]:
    """Name the faults that apply to none of the cases on any of the backends."""
    cases = [case for suite in suites.values() for case in suite]
    return [
        name
        for faults in KINDS.values()
        for name, fault in faults.items()
        if not _planted_in(infos, cases, fault)[1]
    ]
