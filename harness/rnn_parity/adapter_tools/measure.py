"""Measures, in worker processes, what backends state of their functions."""

import math
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

from rnn_parity.adapter_tools.accuracy import (
    FUNCTIONS,
    Compute,
    Unmeasurable,
    can_measure,
    count,
    measure,
    ways,
)
from rnn_parity.adapter_tools.statement import (
    TOO_GENEROUS,
    Figure,
    Stated,
    Status,
    allowed_absolute,
    held,
    stated,
)
from rnn_parity.runs.engine import Runner
from rnn_parity.runs.observer import RunObserver
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry
from rnn_parity_core import (
    DTYPES,
    BackendInfo,
    FileError,
    Outcome,
    Problem,
    unknown_name,
)
from rnn_parity_core.exit_status import Exit, exit_of
from rnn_parity_core.limits import TIMEOUT

_FAILED = ("exceeded", "generous", "unstated", "wrong")


class Measurement(NamedTuple):
    """One statement of a backend's, or why nothing was measured of it."""

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
    observer: RunObserver | None = None,
) -> list[Measurement]:
    """Measure every function of every backend in every dtype.

    Args:
        infos: The backends; one after the other, as each uses all processors.
        dtypes: Names of dtypes.
        samples: Arguments of each function; in half precisions all there are.
        observer: Told of each problem as it ends.

    """
    with tempfile.TemporaryDirectory(prefix="rnn-parity-") as path:
        folder = RunFolder(Path(path))
        folder.prepare()
        return [
            row
            for info in infos
            for row in _backend(
                info, dtypes, samples, folder, observer or RunObserver()
            )
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
    observer: RunObserver,
) -> Iterator[Measurement]:
    """Give a backend's rows; a single one if it is absent."""
    with Runner(info, folder, TIMEOUT) as runner:

        def compute(problem: Problem) -> Outcome:
            entry = runner.entry(problem)
            observer.on_case_end(entry)
            return _outcome(folder, entry)

        for function, dtype in product(FUNCTIONS, dtypes):
            try:
                yield from _rows(info, function, dtype, samples, compute)
            except _Absent as reason:
                yield Measurement(info.name, "", "", "absent", detail=str(reason))
                return


def _rows(
    info: BackendInfo, function: str, dtype: str, samples: int, compute: Compute
) -> list[Measurement]:
    """Give a row for each of what is stated, or one that says why there is none."""
    said = stated(info, function, dtype)
    row = Measurement(info.name, function, dtype, "unmeasured", said[-1])
    if not can_measure(dtype):
        words = f"this machine's long double is no wider than {dtype}"
        return [row._replace(detail=words)]
    try:
        figures = measure(info, function, dtype, samples, compute)
    except Unmeasurable as reason:
        words = f"{function} in {dtype}: {reason}"
        return [row._replace(status="wrong", detail=words)]
    except _Died as reason:
        words = f"{function} in {dtype}: {reason}"
        return [row._replace(status="error", detail=words)]
    if not figures:
        return [row._replace(status="gap")]
    return [
        _held(row._replace(stated=one), figure)
        for one, figure in zip(said, figures, strict=True)
    ]


def _held(row: Measurement, figure: Figure) -> Measurement:
    row = row._replace(status=held(figure, row.stated, row.dtype), figure=figure)
    return row._replace(detail=_complaint(row, figure))


def _complaint(row: Measurement, figure: Figure) -> str:
    """Say what is wrong with a statement, and what to do."""
    ulp, flushed = figure.ulp, figure.absolute
    where = f"{row.function} in {row.dtype} errs by {ulp.error:.3g} ulp"
    where += f" at {ulp.at:.9g} ({ulp.way})"
    if row.stated.ulp is None:
        return f"{where}; nothing is stated: add it to accuracy"
    said = f"{row.stated.ulp:g} are stated{_range(row.stated)}"
    if row.status == "generous":
        over = f"{said}, over {TOO_GENEROUS} times as many"
        return f"{where} at most; {over}, which hides faults"
    if row.status == "exceeded" and ulp.error > row.stated.ulp:
        return f"{where}; {said}"
    if row.status == "exceeded":
        allowed = allowed_absolute(row.stated, row.dtype)
        return (
            f"{row.function} in {row.dtype} is flushed to zero, {flushed.error:.3g} "
            f"off, at {flushed.at:.9g} ({flushed.way}); bounds allow {allowed:.3g}"
        )
    return ""


def _range(said: Stated) -> str:
    """Say for which arguments a statement is made, if not for all."""
    limits = [f"|x| > {said.beyond:g}"] if said.beyond > 0 else []
    limits += [f"|x| <= {said.upto:g}"] if said.upto < math.inf else []
    return f" where {' and '.join(limits)}" if limits else ""


def exit_status(rows: list[Measurement]) -> Exit:
    """0 all kept, 1 a statement is not, 2 nothing measured, 3 a crash or a hang."""
    said = {row.status for row in rows}
    return exit_of(
        wrong=said.intersection(_FAILED), crashed="error" in said, done="kept" in said
    )
