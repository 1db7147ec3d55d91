"""What moved between two saved runs, or two backends of one: reports and numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from rnn_parity.judge.compare import BLOCK, compare_blocks
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.stored import Stored, in_pairs, same_bytes, unlike
from rnn_parity_core import Case, ParityError, UsageError, unknown_name
from rnn_parity_reports.moved import Moved, Numbers, moved
from rnn_parity_reports.results import Figures, Report, read_report_document


class _Outcomes(NamedTuple):
    """A run's outcomes, of all backends or of one under the name both sides share."""

    folder: RunFolder
    own: str = ""
    common: str = ""

    def answered(self) -> set[tuple[str, str]]:
        """Give the cases and backends of which there is an outcome on disk."""
        return {
            (entry.case, self.common or entry.backend)
            for entry in self.folder.record().entries
            if entry.status == "done" and self.own in {"", entry.backend}
        }

    def stored(self, case: Case, backend: str) -> dict[str, Stored]:
        return self.folder.stored_outcome(self.own or backend, case.id)


class _Side(NamedTuple):
    """One of two things that are held against each other."""

    name: str
    report: Report
    outcomes: _Outcomes | None
    """None for a report.json alone."""


def between_runs(old: Path, new: Path) -> Moved:
    """Say what moved between two runs, each a folder or a report.json.

    Raises:
        FileError: One of them is no whole report, or its run is broken.
        UsageError: They have no case on a backend in common.

    """
    found = _compared(_side(old), _side(new))
    if not found.common:
        raise UsageError(
            f"{old} and {new} have no case on one backend in common, so that nothing "
            "can have moved; give two runs of the same cases and backends. Backends of "
            "other names, torch and torch+threads=1, say, are compared in one run: "
            "--between torch,torch+threads=1"
        )
    return found


def between_backends(path: Path, first: str, second: str) -> Moved:
    """Say what moved from one backend of a run to another.

    Raises:
        FileError: The run is broken, or not there.
        UsageError: The run has no such backend.

    """
    whole = _side(path)
    known = list(dict.fromkeys(r.backend for r in whole.report.results))
    for name in (first, second):
        if name not in known:
            raise unknown_name(f"backend of {path}", name, known)
    if first == second:
        raise UsageError(f"--between {first},{second} names one backend twice")
    return _compared(*(_of_backend(whole, name, second) for name in (first, second)))


def _side(path: Path) -> _Side:
    run = _Outcomes(RunFolder(path)) if (path / "run.json").is_file() else None
    return _Side(str(path), read_report_document(path), run)


def _of_backend(side: _Side, backend: str, common: str) -> _Side:
    """Keep one backend's part of a report, under the name that both parts share."""
    report = side.report
    own = [replace(r, backend=common) for r in report.results if r.backend == backend]
    records = {common: report.backends[backend]} if backend in report.backends else {}
    part = replace(report, results=own, backends=records)
    run = side.outcomes._replace(own=backend, common=common) if side.outcomes else None
    return _Side(backend, part, run)


def _compared(old: _Side, new: _Side) -> Moved:
    numbers = []
    if old.outcomes and new.outcomes:
        numbers = list(_numbers(old.outcomes, new.outcomes))
    return moved(old.report, new.report, names=(old.name, new.name), numbers=numbers)


def _numbers(old: _Outcomes, new: _Outcomes) -> Iterator[Numbers]:
    cases = {case.id: case for case in new.folder.record().cases}
    same: dict[str, bool] = {}
    for name, backend in old.answered() & new.answered():
        if name not in same:
            alike = old.folder.path == new.folder.path
            same[name] = alike or _same_problem(cases[name], old.folder, new.folder)
        if same[name]:
            yield _of_outcomes(cases[name], backend, old, new)
        else:
            note = "weights or inputs differ"
            yield Numbers(name, backend, "other problem", note=note)


def _same_problem(case: Case, old: RunFolder, new: RunFolder) -> bool:
    first, second = old.stored_problem(case), new.stored_problem(case)
    return first.keys() == second.keys() and all(
        same_bytes(first[name], second[name]) for name in first
    )


def _of_outcomes(case: Case, backend: str, old: _Outcomes, new: _Outcomes) -> Numbers:
    """Hold what came of a case against what came of it before."""
    try:
        before, after = old.stored(case, backend), new.stored(case, backend)
        if note := _unlike(before, after):
            return Numbers(case.id, backend, "not comparable", note=note)
        arrays = {
            name: _figures(after[name], before[name], case)
            for name in after
            if not same_bytes(after[name], before[name])
        }
    except ParityError as error:
        return Numbers(case.id, backend, "not comparable", note=str(error))
    return Numbers(case.id, backend, "moved" if arrays else "equal", arrays)


def _unlike(before: dict[str, Stored], after: dict[str, Stored]) -> str:
    if before.keys() != after.keys():
        return f"arrays were {', '.join(before)}, are {', '.join(after)}"
    for name, second in after.items():
        first = before[name]
        if unlike(first, second):
            was, is_ = f"{first.dtype}{first.shape}", f"{second.dtype}{second.shape}"
            return f"{name} was {was}, is {is_}"
    return ""


def _figures(after: Stored, before: Stored, case: Case) -> Figures:
    """Give the deviations; integers, which tokens are, have no ulp."""
    pairs = in_pairs(after, before, BLOCK)
    if np.issubdtype(after.dtype, np.integer):
        plain = compare_blocks(pairs, after.shape, dtype="float64")
        return replace(plain, max_ulp=None)
    return compare_blocks(pairs, after.shape, dtype=case.dtype)
