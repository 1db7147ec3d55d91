"""Which planted faults are killed: by the certificate, and by fixed tolerances.

Every fault of the catalogue is planted in a real adapter and run through cases that it
applies to; healthy runs of the same cases say what each check calls broken for nothing.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from fixtures import catalogue
from fixtures.faults import KINDS, plant
from harness.backend import BackendInfo
from harness.cases import spread
from harness.errors import UsageError
from harness.folder import Entry, RunFolder
from harness.judge.certify import reference
from harness.judge.peers import PEERS, peers
from harness.judge.verdict import judge_entry
from harness.run.process import Worker, WorkerError
from harness.spec import Case, Problem

OURS = "rnn-parity"
CHECKS = (OURS, *PEERS)
HEALTHY = "healthy"

_TIMEOUT = 300.0  # seconds for one case

_Work = tuple[str, str, list[Case]]  # a kind, a fault, and cases to try it in


class Trial(NamedTuple):
    """One case, computed with a fault planted or without."""

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


def audit(
    info: BackendInfo,
    cases: list[Case],
    *,
    each: int,
    jobs: int,
    notify: Callable[[Trial], None] = lambda _: None,
) -> list[Trial]:
    """Plant every fault in a backend.

    Args:
        info: The backend that faults are planted in.
        cases: The suite.
        each: Cases that one fault is tried in, spread over those that it applies to.
        jobs: Worker processes.
        notify: Called with each trial.

    Raises:
        UsageError: The suite has no case that any fault applies to.

    """
    own = [case for case in cases if not info.gap(case)]
    work = [
        (kind, name, spread([c for c in own if fault.applies(c)], each))
        for kind, faults in KINDS.items()
        for name, fault in faults.items()
    ]
    used = {case.id: case for _, _, chosen in work for case in chosen}
    if not used:
        raise UsageError(f"no fault applies to any of these cases on {info.name}")
    work.append((HEALTHY, "", list(used.values())))
    # The shares are alike: kinds take turns.
    stopping = threading.Event()

    def of_share(share: list[_Work]) -> list[Trial]:
        trials = []
        for trial in _trials(info, share):
            notify(trial)
            trials.append(trial)
            if stopping.is_set():
                break
        return trials

    with ThreadPoolExecutor(jobs) as pool:
        try:
            done = pool.map(of_share, [work[number::jobs] for number in range(jobs)])
            trials = [trial for share in done for trial in share]
        except BaseException:  # Ctrl-C: threads would go on to the end of their shares
            stopping.set()
            raise
    order = [*KINDS, HEALTHY]
    return sorted(trials, key=lambda trial: order.index(trial.kind))


def _trials(info: BackendInfo, work: list[_Work]) -> Iterator[Trial]:
    """Try one worker's share."""
    with tempfile.TemporaryDirectory(prefix="rnn-parity-") as path:
        bench = _Bench(Path(path))
        try:
            for kind, name, cases in work:
                calls = KINDS[kind][name].calls if name else 1
                planted = plant(info, name) if name else info
                for case in cases:
                    trial = bench.trial(planted, case, calls)
                    yield trial._replace(kind=kind, fault=name)
        finally:
            bench.close()


class _Bench:
    """One worker that adapters, faulty or not, are loaded into one after the other."""

    def __init__(self, path: Path) -> None:
        self._folder = RunFolder(path)
        self._folder.prepare()
        self._worker: Worker | None = None
        self._loaded: set[str] = set()

    def close(self) -> None:
        if self._worker:
            self._worker.close()
        self._worker = None
        self._loaded.clear()

    def trial(self, info: BackendInfo, case: Case, calls: int) -> Trial:
        problem = catalogue.build(case)
        truth = reference(problem)
        for _ in range(calls):
            entry = self._entry(info, problem)
        result = judge_entry(self._folder, problem, truth, info, entry).result
        broken = dict.fromkeys(PEERS, True)
        if entry.status == "done":
            outcome = self._folder.outcome(info.name, case.id)
            passes = peers(problem, truth, outcome)
            broken = {name: not fine for name, fine in passes.items()}
        broken[OURS] = result.verdict != "pass"
        named = bool(result.explanations)
        return Trial("", "", case.id, broken, named, result.detail)

    def _entry(self, info: BackendInfo, problem: Problem) -> Entry:
        case = problem.case.id
        try:
            if not self._worker:
                self._worker = Worker(self._folder.log("audit"))
            if info.name not in self._loaded:
                self._worker.load(info)
                self._loaded.add(info.name)
            kind, *rest = self._worker.run(info.name, problem, _TIMEOUT)
        except WorkerError as death:
            self.close()
            return Entry(case, info.name, "error", str(death))
        if kind != "outcome":
            return Entry(case, info.name, kind, str(rest[0]))
        self._folder.write_outcome(info.name, case, rest[0])
        return Entry(case, info.name, "done", seconds=rest[1])


def table(trials: list[Trial]) -> tuple[list[str], list[list[str]]]:
    """Give the titles and rows of the scores: for each kind and check what it killed.

    In each cell: faults killed in at least one case, and the share of all cases. What
    our verdict names is counted among what it kills.
    """
    rows = []
    for kind in dict.fromkeys(trial.kind for trial in trials):
        of_kind = [trial for trial in trials if trial.kind == kind]
        faults = len({trial.fault for trial in of_kind})
        planted = "none" if kind == HEALTHY else str(faults)
        ours, *others = [_score(of_kind, check) for check in CHECKS]
        rows.append([kind, planted, str(len(of_kind)), ours, _named(of_kind), *others])
    return ["kind", "faults", "cases", OURS, "named", *PEERS], rows


def _named(trials: list[Trial]) -> str:
    """Say of how many kills the verdict says what was done."""
    killed = [trial for trial in trials if trial.broken[OURS] and trial.fault]
    named = sum(trial.named for trial in killed)
    return f"{100 * named / len(killed):.0f} %" if killed else ""


def _score(trials: list[Trial], check: str) -> str:
    caught = [trial for trial in trials if trial.broken[check]]
    share = f"{100 * len(caught) / len(trials):.0f} %"
    if trials[0].kind == HEALTHY:
        return f"{len(caught)} false alarms ({share})" if caught else "no false alarm"
    return f"{len({trial.fault for trial in caught})} ({share})"


def survivors(trials: list[Trial]) -> list[str]:
    """Name the faults that no case has shown, and the healthy cases called broken."""
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


def idle(info: BackendInfo, cases: list[Case]) -> list[str]:
    """Name the faults that apply to none of the cases."""
    own = [case for case in cases if not info.gap(case)]
    return [
        name
        for faults in KINDS.values()
        for name, fault in faults.items()
        if not any(map(fault.applies, own))
    ]
