"""Measures, in worker processes, what backends state of their functions."""

import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

from harness.accuracy import (
    FUNCTIONS,
    TOO_GENEROUS,
    Compute,
    Figure,
    Stated,
    Status,
    Unmeasurable,
    allowed_absolute,
    can_measure,
    count,
    held,
    measure,
    stated,
    ways,
)
from harness.backend import BackendInfo
from harness.errors import FileError, unknown_name
from harness.folder import RunFolder
from harness.record import Entry
from harness.run.engine import Runner
from harness.spec import DTYPES, Outcome, Problem
from harness.watch import Watch

_TIMEOUT = 300.0  # seconds for one problem
_FAILED = ("exceeded", "generous", "unstated", "wrong")


class Row(NamedTuple):
    """One function of one backend in one dtype, or why there is nothing of it."""

    backend: str
    function: str
    dtype: str
    status: Status | Literal["wrong", "gap", "error", "absent", "unmeasured"]
    stated: Stated = Stated(None)
    figure: Figure | None = None
    detail: str = ""
    """What is wrong, or why there is no figure."""


class _Died(Exception):  # noqa: N818 - as a verdict has it: an error of the backend
    """The adapter raised, or its process died or hung."""


class _Absent(Exception):  # noqa: N818 - an answer, not a fault
    """What the backend runs on is not here."""


def check_dtypes(names: list[str]) -> list[str]:
    """Give the named dtypes, or all if none is named.

    Raises:
        UsageError: A name is unknown.

    """
    for name in names:
        if name not in DTYPES:
            raise unknown_name("dtype", name, DTYPES)
    return list(dict.fromkeys(names)) or list(DTYPES)


def problems(
    infos: list[BackendInfo], dtypes: list[str], samples: int
) -> dict[str, int]:
    """Count the problems that measuring takes, for each backend."""
    return {
        info.name: sum(
            count(dtype, samples) * len(ways(info, function, dtype))
            for function, dtype in product(FUNCTIONS, dtypes)
            if can_measure(dtype)
        )
        for info in infos
    }


def measure_backends(
    infos: list[BackendInfo],
    dtypes: list[str],
    samples: int,
    watch: Watch | None = None,
) -> list[Row]:
    """Measure every function of every backend in every dtype.

    Args:
        infos: The backends; one after the other, as each uses all processors.
        dtypes: Names of dtypes.
        samples: Arguments of each function; in half precisions all there are.
        watch: Told of each problem as it ends.

    """
    with tempfile.TemporaryDirectory(prefix="rnn-parity-") as path:
        folder = RunFolder(Path(path))
        folder.prepare()
        return [
            row
            for info in infos
            for row in _backend(info, dtypes, samples, folder, watch or Watch())
        ]


def _outcome(folder: RunFolder, entry: Entry) -> Outcome:
    if entry.status == "absent":
        raise _Absent(entry.detail)
    if entry.status == "unsupported":
        raise Unmeasurable(f"undeclared gap: {entry.detail}; declare it as a Gap")
    if entry.status != "done":
        raise _Died(entry.detail)
    try:
        return folder.outcome(entry.backend, entry.case)
    except FileError as error:
        raise Unmeasurable(str(error)) from None


def _backend(
    info: BackendInfo,
    dtypes: list[str],
    samples: int,
    folder: RunFolder,
    watch: Watch,
) -> Iterator[Row]:
    """Give a backend's rows; a single one if it is absent."""
    with Runner(info, folder, _TIMEOUT) as runner:

        def compute(problem: Problem) -> Outcome:
            entry = runner.entry(problem)
            watch.entry(entry)
            return _outcome(folder, entry)

        for function, dtype in product(FUNCTIONS, dtypes):
            try:
                yield _row(info, function, dtype, samples, compute)
            except _Absent as reason:
                yield Row(info.name, "", "", "absent", detail=str(reason))
                return


def _row(
    info: BackendInfo, function: str, dtype: str, samples: int, compute: Compute
) -> Row:
    said = stated(info, function, dtype)
    row = Row(info.name, function, dtype, "unmeasured", said)
    if not can_measure(dtype):
        words = f"this machine's long double is no wider than {dtype}"
        return row._replace(detail=words)
    try:
        figure = measure(info, function, dtype, samples, compute)
    except Unmeasurable as reason:
        words = f"{function} in {dtype}: {reason}"
        return row._replace(status="wrong", detail=words)
    except _Died as reason:
        return row._replace(status="error", detail=f"{function} in {dtype}: {reason}")
    if figure is None:
        return row._replace(status="gap")
    row = row._replace(status=held(figure, said, dtype), figure=figure)
    return row._replace(detail=_complaint(row, figure))


def _complaint(row: Row, figure: Figure) -> str:
    """Say what is wrong with a statement, and what to do."""
    ulp, flushed = figure.ulp, figure.absolute
    where = f"{row.function} in {row.dtype} errs by {ulp.error:.3g} ulp"
    where += f" at {ulp.at:.9g} ({ulp.way})"
    if row.stated.ulp is None:
        return f"{where}; nothing is stated: add it to elementwise_ulp"
    if row.status == "generous":
        over = f"{row.stated.ulp:g} are stated, over {TOO_GENEROUS} times as many"
        return f"{where} at most; {over}, which hides faults"
    if row.status == "exceeded" and ulp.error > row.stated.ulp:
        return f"{where}; {row.stated.ulp:g} are stated"
    if row.status == "exceeded":
        allowed = allowed_absolute(row.stated, row.dtype)
        return (
            f"{row.function} in {row.dtype} is flushed to zero, {flushed.error:.3g} "
            f"off, at {flushed.at:.9g} ({flushed.way}); bounds allow {allowed:.3g}"
        )
    return ""


def exit_status(rows: list[Row]) -> int:
    """0 all kept, 1 a statement is not, 2 nothing measured, 3 a crash or a hang."""
    said = {row.status for row in rows}
    if said.intersection(_FAILED):
        return 1
    if "error" in said:
        return 3
    return 0 if "kept" in said else 2
