"""A whole run, for every face: choose, compute, judge, write."""

import threading
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from msgspec.structs import replace

from rnn_parity.runs.engine import Engine
from rnn_parity.runs.environment import describe_environment
from rnn_parity.runs.judge_run import JudgePool, judge
from rnn_parity.runs.observer import RunObserver
from rnn_parity.runs.resume_check import another_environment, differences
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.journal import folder_lock
from rnn_parity.store.record import Entry, RunRecord
from rnn_parity_core import BackendInfo, Case, FileError, Problem, UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.formats import write_views
from rnn_parity_reports.results import Report


def compute(  # noqa: PLR0913 - as many as a run has
    cases: list[Case],
    infos: list[BackendInfo],
    out: Path,
    *,
    jobs: int,
    timeout: float,
    memory: int = 0,
    strict: bool = False,
    require_bound: bool = False,
    observer: RunObserver | None = None,
) -> RunFolder:
    """Compute cases on backends into a folder, without judging them.

    Args:
        cases: What is computed.
        infos: The backends.
        out: Folder for the results.
        jobs: Workers at a time.
        timeout: Seconds for one problem on one backend.
        memory: Bytes that a worker and what it starts may hold; 0: any number.
        strict: Whether what is inconclusive counts, as `Report.strict` says.
        require_bound: Whether what is consistent counts, too.
        observer: Told of what begins and ends.

    Raises:
        UsageError: Memory of another machine is to be watched.
        FileError: The folder cannot be used; what was done before is kept.

    """
    folder = RunFolder(out)
    if memory and any(info.host for info in infos):
        raise UsageError(
            "the memory of a worker on another machine is not seen from here; leave "
            "out --memory or --host"
        )
    folder.check()
    with folder_lock(out):
        record = new_record(cases, infos, timeout=timeout, memory=memory)
        counting = replace(record, strict=strict, require_bound=require_bound)
        begin(folder, counting)
        complete(folder, counting, infos, jobs=jobs, observer=observer)
    return folder


def resume(
    out: Path,
    infos: list[BackendInfo],
    *,
    jobs: int,
    observer: RunObserver | None = None,
) -> RunFolder:
    """Compute what is left of a run that was cut short, as `compute` would have.

    Args:
        out: The run's folder.
        infos: The backends that `pending` names, as they are here.
        jobs: Workers at a time.
        observer: Told of what begins and ends.

    Raises:
        UsageError: It would not go on in the environment in which it began.
        FileError: The folder holds no run, or cannot be used.

    """
    folder = RunFolder(out)
    begun = folder.record()
    recorded = {info.name: info for info in begun.infos}
    for info in infos:
        if found := differences(recorded[info.name], info):
            raise another_environment(info.name, found)
    here = replace(describe_environment(), started=begun.environment.started)
    if found := differences(begun.environment, here):
        raise another_environment("this environment", found)
    with folder_lock(out):
        folder.journal.mend()
        folder.sweep()
        complete(folder, begun, infos, jobs=jobs, observer=observer)
    return folder


def pending(folder: RunFolder, record: RunRecord) -> dict[str, list[Case]]:
    """Give the cases that are still to be computed, for each backend with any.

    One whose outcome is gone or broken is computed again.
    """
    done = {(e.case, e.backend) for e in record.entries if _is_kept(folder, e)}
    done |= set(record.left_out)
    found = {
        info.name: [case for case in record.cases if (case.id, info.name) not in done]
        for info in record.infos
    }
    return {name: cases for name, cases in found.items() if cases}


def _is_kept(folder: RunFolder, entry: Entry) -> bool:
    if entry.status != "done":
        return True
    try:
        folder.outcome(entry.backend, entry.case)
    except FileError:
        return False
    return True


def new_record(  # noqa: PLR0913 - as many as a run has
    cases: list[Case],
    infos: list[BackendInfo],
    *,
    timeout: float,
    memory: int,
    left_out: Sequence[tuple[str, str]] = (),
    model: bool = False,
    verify: Sequence[str] = (),
) -> RunRecord:
    """Give the record of a run that begins now."""
    return RunRecord(
        "rnn-parity.run/2",
        describe_environment(),
        cases,
        infos,
        backends={},
        entries=[],
        left_out=list(left_out),
        model=model,
        verify=list(verify),
        timeout=timeout,
        memory=memory,
    )


def begin(folder: RunFolder, record: RunRecord) -> None:
    """Make a folder ready for a run, and write what is to be computed.

    Raises:
        FileError: The folder cannot be used.

    """
    folder.prepare()
    # Written first too, so that a run which is cut short is known for one.
    folder.write_record(record)


def complete(
    folder: RunFolder,
    record: RunRecord,
    infos: list[BackendInfo],
    *,
    jobs: int,
    observer: RunObserver | None,
) -> None:
    """Compute what is pending of a run on backends, and write what came of it.

    Raises:
        UsageError: A backend is another one than that which began.
        FileError: The folder cannot be written, or is gone; what is left is said.

    """
    rest, observer = pending(folder, record), observer or RunObserver()
    observer.on_run_start(record)
    engine = Engine(
        *(folder, record), jobs=jobs, observer=observer, problem=_Problems(folder)
    )
    try:
        engine.run([info for info in infos if info.name in rest], rest)
        folder.finish(folder.record())
    except FileError as error:
        raise FileError(f"{error}; {_left(folder)}") from None


def _left(folder: RunFolder) -> str:
    """Say what there is to go on with, where a run did not come to its end."""
    try:
        entries = folder.record().entries
    except FileError:
        return "nothing is there to go on with"
    kept = "done" if all(_is_kept(folder, entry) for entry in entries) else "left"
    again = f"rnn-parity run --resume {quote(str(folder.path))}"
    return f"what is {kept} is kept, go on with: {again}"


class _Problems:
    """Gives a case's problem out of a run's folder, where it is written once.

    None is kept in memory: there may be tens of thousands.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def __call__(self, case: Case) -> Problem:
        with self._lock:
            try:
                return self._folder.problem(case)
            except FileError:
                if case.given:  # nothing else has its arrays
                    raise
            problem = catalogue.build(case)
            self._folder.write_problem(problem)
            return problem


def judge_and_write(
    folder: RunFolder,
    jobs: int = 1,
    observer: RunObserver | None = None,
    judges: JudgePool | None = None,
) -> Report:
    """Judge a saved run and write report.json and its views into its folder.

    Args:
        folder: The run's.
        jobs: Processes that judge, at most.
        observer: Told of each case as it is judged.
        judges: Those who were told of the run while it was computed.

    Raises:
        FileError: The run is broken, or its folder cannot be written.

    """
    record = folder.record()
    with folder_lock(folder.path):
        _write_what_was_not_reached(folder, record)
        report = judge(folder, record, jobs, observer, judges)
        write_views(report, folder.write)
    return report


def _write_what_was_not_reached(folder: RunFolder, record: RunRecord) -> None:
    """Write the problems that a run which was cut short had not begun with."""
    problem_of = _Problems(folder)
    computed = {entry.case for entry in record.entries if entry.status == "done"}
    for case in record.cases:
        if case.id not in computed and not folder.has_problem(case):
            problem_of(case)
