"""Judges a whole saved run: case by case, on several processors if it is large."""

import os
import shlex
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import NamedTuple, Self

from msgspec.structs import replace

from rnn_parity.judge.allocator import keep_memory
from rnn_parity.judge.certify import reference
from rnn_parity.judge.estimate import Spreads
from rnn_parity.judge.not_shown import not_shown_by
from rnn_parity.judge.pairs import outlier, pairs
from rnn_parity.judge.sensitivity import (
    changes_by_estimate,
    changes_in_layers,
    sensitivity,
    slopes,
)
from rnn_parity.judge.verdict import judge_entry
from rnn_parity.processes.starting import starting_pool
from rnn_parity.runs.observer import RunObserver
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import UNANSWERED, Entry, RunRecord
from rnn_parity_core import BackendInfo, Case, ParityError
from rnn_parity_reports.results import COMPUTED, GOOD, Pair, Report, Result, summarize

_SMALL = 64
"""Cases that one process has judged before a second one has imported NumPy."""

_NICE = 10
"""How far judging stands back behind those who compute."""


class _CaseJudged(NamedTuple):
    results: list[Result]
    pairs: list[Pair]
    odd: str | None


_Asked = tuple[Case, list[tuple[BackendInfo, Entry]]]


class _Run:
    """A run's entries by case, as far as there are any."""

    def __init__(self, record: RunRecord) -> None:
        self.cases = {case.id: case for case in record.cases}
        self._infos = [i.of_model() if record.model else i for i in record.infos]
        self._left_out = set(record.left_out)
        self._entries: dict[str, dict[str, Entry]] = {}
        for entry in record.entries:
            self.take(entry)

    def take(self, entry: Entry) -> None:
        """Take an entry in, in place of an earlier one."""
        self._entries.setdefault(entry.case, {})[entry.backend] = entry

    def is_whole(self, case: str) -> bool:
        """Whether every backend has answered that is to."""
        entries = self._entries.get(case, {})
        return all(info.name in entries for info in self._backends(case))

    def asked(self, case: str) -> _Asked:
        """Give what there is to judge of a case."""
        of, entries = self.cases[case], self._entries.get(case, {})
        return of, [
            (info, entries.get(info.name) or _unanswered(of, info))
            for info in self._backends(case)
        ]

    def _backends(self, case: str) -> list[BackendInfo]:
        return [i for i in self._infos if (case, i.name) not in self._left_out]


class JudgePool(RunObserver):
    """Processes that judge cases; to be told of a run as it goes, if there is one.

    A case is judged once its last backend has answered, beside those that compute, and
    after them where processors are short. Of few cases none is judged ahead.

    Args:
        folder: The run's.
        jobs: Processes at most.
        observer: Told of what this is told of.

    """

    def __init__(
        self, folder: RunFolder, jobs: int, observer: RunObserver | None = None
    ) -> None:
        self._folder = folder
        self._jobs = jobs
        self._observer = observer or RunObserver()
        self._run: _Run | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._begun: dict[str, tuple[_Asked, Future[_CaseJudged]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exc_info: object) -> None:
        if self._pool:
            if kind or self._pool._broken:  # noqa: SLF001 - Python 3.14 has `kill_workers`
                _kill(self._pool)
            self._pool.shutdown(cancel_futures=True)

    def on_run_start(self, record: RunRecord) -> None:
        """Hear what the run is."""
        self._observer.on_run_start(record)
        self._run = _Run(record)

    def on_case_start(self, backend: str, case: str) -> None:
        """Hear that a backend begins a case."""
        self._observer.on_case_start(backend, case)

    def on_case_end(self, entry: Entry) -> None:
        """Hear what came of a case on a backend, and judge the case if it is whole."""
        self._observer.on_case_end(entry)
        if not (run := self._run):
            return
        run.take(entry)
        self._begun.pop(entry.case, None)  # by an outcome that was computed again
        if self._jobs == 1 or len(run.cases) <= _SMALL or not run.is_whole(entry.case):
            return
        with suppress(BrokenProcessPool):  # is said when the run is judged
            self.judge(run.asked(entry.case))

    def judge(self, asked: _Asked) -> "Future[_CaseJudged]":
        """Have a case judged, if exactly this is not being done already."""
        known, future = self._begun.get(asked[0].id, (None, None))
        if future and known == asked:
            return future
        with starting_pool():
            self._pool = self._pool or ProcessPoolExecutor(
                self._jobs, mp_context=get_context("spawn"), initializer=_stand_back
            )
            future = self._pool.submit(_judge_case, self._folder, asked)
        self._begun[asked[0].id] = asked, future
        return future


def _kill(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool that nobody waits for any more.

    Of a broken one, one that was just being started is ended by nobody else.
    """
    for process in list((pool._processes or {}).values()):  # noqa: SLF001
        process.kill()


def _stand_back() -> None:
    """Leave processors to workers that compute."""
    keep_memory()
    os.nice(_NICE)


def judge(
    folder: RunFolder,
    record: RunRecord,
    jobs: int = 1,
    observer: RunObserver | None = None,
    judges: JudgePool | None = None,
) -> Report:
    """Judge every outcome of a saved run.

    Args:
        folder: The run's.
        record: What is in its run.json.
        jobs: Processes at most.
        observer: Told of each case as it is judged.
        judges: Those who were told of the run while it was computed.

    Raises:
        FileError: The run, or one of its problems, is broken.
        ParityError: A process was ended from outside.

    """
    run = _Run(record)
    asked = [run.asked(case) for case in run.cases]
    done = []
    observer = observer or RunObserver()
    for of_case in _judged(folder, asked, jobs, observer, judges):
        done.append(of_case)
        observer.on_judged(of_case.results, len(asked))
    results = [result for of_case in done for result in of_case.results]
    results = [replace(r, reproduce=_again(record, r)) for r in results]
    return Report(
        schema="rnn-parity.report/2",
        environment=record.environment,
        backends=record.backends,
        results=results,
        pairs=[pair for of_case in done for pair in of_case.pairs],
        outliers={
            case.id: of_case.odd
            for case, of_case in zip(record.cases, done, strict=True)
            if of_case.odd
        },
        summary=summarize(results),
        cases=record.cases,
        strict=record.strict,
        require_bound=record.require_bound,
    )


def _again(record: RunRecord, result: Result) -> str:
    """Give the command that computes a result again: none builds arrays of memory."""
    if record.verify:
        computed = {info.name for info in record.infos if info.adapter}
        backend = result.backend if result.backend in computed else "numpy"
        return (
            f"rnn-parity verify {shlex.join([*record.verify, '--backends', backend])}"
        )
    return "" if any(case.given for case in record.cases) else result.reproduce


def _unanswered(case: Case, info: BackendInfo) -> Entry:
    return Entry(case.id, info.name, "error", UNANSWERED)


def _judged(
    folder: RunFolder,
    asked: list[_Asked],
    jobs: int,
    observer: RunObserver,
    judges: JudgePool | None,
) -> Iterator[_CaseJudged]:
    if jobs == 1 or len(asked) <= _SMALL:
        yield from (_judge_case(folder, of_case, observer) for of_case in asked)
        return
    try:
        with judges or JudgePool(folder, jobs) as at_work:
            for future in [at_work.judge(of_case) for of_case in asked]:
                yield future.result()
    except BrokenProcessPool:
        raise ParityError(
            "a process that judged was ended from outside, for want of memory perhaps; "
            f"judge again in one: rnn-parity compare {folder.path} --jobs 1"
        ) from None


def _judge_case(
    folder: RunFolder, asked: _Asked, observer: RunObserver | None = None
) -> _CaseJudged:
    case, entries = asked
    problem = folder.problem(case)
    layers = any({*entry.arrays} & {*case.layer_shapes()} for _, entry in entries)
    truth, spreads = reference(problem, layers=layers), Spreads(problem)
    weak = not_shown_by(problem, truth)
    results, certificates, moved = [], {}, None
    for info, entry in entries:
        if observer:
            observer.on_judging_start(info.name, case.id)
        result, certificate = judge_entry(folder, problem, truth, info, entry, spreads)
        shown = weak if result.verdict in COMPUTED else []
        notes = [*shown, *result.not_shown, *_not_given(case, entry)]
        changes: dict[str, float | None] = {}
        if certificate:
            # Nobody needs more, and sums for each weight are as large as the weights.
            certificate = certificate._replace(systematic={}, samples=())
            certificates[info.name] = certificate
            if result.verdict in GOOD and certificate.has_outputs:
                if certificate.below:
                    changes = changes_in_layers(certificate)
                elif result.estimate and (spread := spreads(info.accuracy_for(case))):
                    outcome = folder.outcome(info.name, case.id)
                    changes = changes_by_estimate(spread, outcome)
                else:
                    moved = moved or slopes(problem, truth)
                    changes = sensitivity(moved, certificate)
        results.append(replace(result, not_shown=notes, sensitivity=changes))
    compared = pairs(problem, certificates)
    return _CaseJudged(results, compared, outlier(compared))


def _not_given(case: Case, entry: Entry) -> list[str]:
    """Say what a verdict is not about, where somebody gave a part of an outcome."""
    rest = [name for name in case.output_shapes() if name not in entry.shapes(case)]
    said = f"{entry.backend} has no {', '.join(rest)}: nothing is said of what it lacks"
    return [said] if rest else []
