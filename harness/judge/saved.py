"""Judges a whole saved run: case by case, on several processors if it is large."""

import shlex
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

from msgspec.structs import replace

from harness.backend import BackendInfo
from harness.errors import ParityError
from harness.folder import RunFolder
from harness.judge.certify import reference
from harness.judge.helper import serve
from harness.judge.pairs import odd_one_out, pairs
from harness.judge.sensitivity import slopes, smallest_changes
from harness.judge.verdict import judge_entry
from harness.judge.weak import weaknesses
from harness.record import Entry, RunRecord
from harness.results import Pair, Report, Result, summarize
from harness.spec import Case
from harness.watch import Watch

_SMALL = 64
"""Cases that one process has judged before a second one has imported NumPy."""

VACUOUS = "a bound has grown wider than what it is for: nothing is shown by it"
"""What a result's `weak` says where it proves nothing."""


class _CaseJudged(NamedTuple):
    results: list[Result]
    pairs: list[Pair]
    odd: str | None


_Asked = tuple[Case, list[tuple[BackendInfo, Entry]]]


def judge(folder: RunFolder, jobs: int = 1, watch: Watch | None = None) -> Report:
    """Judge every outcome of a saved run.

    Args:
        folder: The run's.
        jobs: Processes at most.
        watch: Told of each case as it is judged.

    Raises:
        FileError: The run, or one of its problems, is broken.
        ParityError: A process was ended from outside.

    """
    record = folder.record()
    entries = {(entry.case, entry.backend): entry for entry in record.entries}
    left_out = set(record.left_out)
    asked = [
        (
            case,
            [
                (info, entries.get((case.id, info.name)) or _unanswered(case, info))
                for info in record.infos
                if (case.id, info.name) not in left_out
            ],
        )
        for case in record.cases
    ]
    done = []
    watch = watch or Watch()
    for of_case in _judged(folder, asked, jobs, watch):
        done.append(of_case)
        watch.judged(of_case.results, len(asked))
    results = [result for of_case in done for result in of_case.results]
    results = [replace(r, reproduce=_again(record, r.reproduce)) for r in results]
    return Report(
        schema="rnn-parity.report/1",
        environment=record.environment,
        backends=record.backends,
        results=results,
        pairs=[pair for of_case in done for pair in of_case.pairs],
        odd_one_out={
            case.id: of_case.odd
            for case, of_case in zip(record.cases, done, strict=True)
            if of_case.odd
        },
        summary=summarize(results),
        cases=record.cases,
    )


def _again(record: RunRecord, run: str) -> str:
    """Give the command that computes a result again: none builds arrays of memory."""
    if record.verify:
        return f"rnn-parity verify {shlex.join(record.verify)}"
    return "" if any(case.given for case in record.cases) else run


def _unanswered(case: Case, info: BackendInfo) -> Entry:
    detail = "the run ended before this was computed"
    return Entry(case.id, info.name, "error", detail)


def _judged(
    folder: RunFolder, asked: list[_Asked], jobs: int, watch: Watch
) -> Iterator[_CaseJudged]:
    if jobs == 1 or len(asked) <= _SMALL:
        yield from (_judge_case(folder, of_case, watch) for of_case in asked)
        return
    judge_one = partial(_judge_case, folder)
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=serve)
    try:
        yield from pool.map(judge_one, asked, chunksize=4)
    except BrokenProcessPool:
        raise ParityError(
            "a process that judged was ended from outside, for want of memory perhaps; "
            f"judge again in one: rnn-parity compare {folder.path} --jobs 1"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _judge_case(
    folder: RunFolder, asked: _Asked, watch: Watch | None = None
) -> _CaseJudged:
    case, entries = asked
    problem = folder.problem(case)
    truth = reference(problem)
    weak = weaknesses(problem, truth)
    results, certificates, moved = [], {}, None
    for info, entry in entries:
        if watch:
            watch.judging(info.name, case.id)
        result, certificate = judge_entry(folder, problem, truth, info, entry)
        notes = [*weak, *_not_given(case, entry)]
        changes: dict[str, float | None] = {}
        if certificate:
            # Nobody needs more, and sums for each weight are as large as the weights.
            certificate = certificate._replace(systematic={}, samples=())
            certificates[info.name] = certificate
            notes += [VACUOUS] if certificate.is_vacuous else []
            if result.verdict == "pass" and certificate.has_outputs:
                moved = moved or slopes(problem, truth)
                changes = smallest_changes(moved, certificate)
        results.append(replace(result, weak=notes, smallest_changes=changes))
    compared = pairs(problem, certificates)
    return _CaseJudged(results, compared, odd_one_out(compared))


def _not_given(case: Case, entry: Entry) -> list[str]:
    """Say what a verdict is not about, where somebody gave a part of an outcome."""
    rest = [name for name in case.output_shapes() if name not in entry.shapes(case)]
    said = f"{entry.backend} has no {', '.join(rest)}: nothing is said of what it lacks"
    return [said] if rest else []
