"""A sweep on disk: what is asked, and a file of rows for each slice that is done.

sweep.json                    what is asked, by what it is computed
parts/BACKEND/NNNNN.parquet   rows of one slice; `pandas.read_parquet` takes the folder
failures.csv, smallest.csv    every case that fails; the smallest of each kind
summary.md                    what came of it all
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from rnn_parity.models.memory_limits import bounded
from rnn_parity.store.folder import file_name, is_left_over
from rnn_parity.sweep.messages import Slice, Sweep, SweepRow
from rnn_parity_core import Case, FileError
from rnn_parity_core.files import checked_size, inside, remove_unfinished, write_file
from rnn_parity_reports.describe import failure_signature
from rnn_parity_reports.results import Verdict, encode, read_record
from rnn_parity_reports.rows import COLUMNS, REALS, TEXTS, row

MAX_PART_BYTES = 2**24
"""Of one file of rows."""

_OF_CASE = ("cell", "variant", "dtype", "task")
_LEFT_OUT = ("outliers", "sensitivity")  # of several backends; of much time
_OF_RESULT = tuple(name for name in COLUMNS if name not in _LEFT_OUT)
_TEXTS = (*_OF_CASE, *TEXTS, "kind")
PART_COLUMNS = ("number", *_OF_CASE, *_OF_RESULT, "kind")
"""Of a file of rows: those of results.csv, and what sums them up."""
_ALWAYS = ("kind", "detail", "reproduce", "fixed_tolerances_failing")


def _type(name: str) -> pa.DataType:
    if name in _TEXTS:
        return pa.string()
    return pa.float64() if name in REALS else pa.int64()


_SCHEMA = pa.schema([(name, _type(name)) for name in PART_COLUMNS])


class Store:
    """Reads and writes one sweep's files; every write appears whole or not at all.

    Args:
        path: The folder.

    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_new(self) -> None:
        """See that the folder is there for a new sweep.

        Raises:
            FileError: It holds something: a sweep takes long, and is not replaced.

        """
        try:
            held = [p for p in self.path.iterdir() if not is_left_over(p.name)]
        except FileNotFoundError:
            return
        except OSError as error:
            raise FileError(f"cannot write to {self.path}: {error.strerror}") from None
        if held:
            raise FileError(
                f"{self.path} is not empty; choose another folder, or go on with a "
                f"sweep that is there by --resume {self.path}"
            )

    def begin(self, sweep: Sweep) -> None:
        """Write what is asked.

        Raises:
            FileError: It cannot be written.

        """
        self.clean()
        self.write("sweep.json", encode(sweep))

    def sweep(self) -> Sweep:
        """Read what is asked.

        Raises:
            FileError: There is none, or it is broken.

        """
        path = self.file("sweep.json")
        if not path.is_file():
            raise FileError(f"{self.path} holds no sweep of rnn-parity (no sweep.json)")
        return read_record(path, Sweep)

    def clean(self) -> None:
        """Remove what a process that was killed had not written to its end."""
        remove_unfinished(self.path)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, replacing it in one step.

        Raises:
            FileError: It cannot be written.

        """
        write_file(self.file(name), data)

    def file(self, name: str) -> Path:
        """Say where a file is.

        Raises:
            FileError: A link leads out of the folder.

        """
        return inside(self.path, name)

    def part(self, of: Slice) -> Path:
        """Say where a slice's rows are."""
        return self.file(f"parts/{file_name(of.backend)}/{of.number:05}.parquet")

    def write_part(
        self, of: Slice, cases: Sequence[Case], rows: list[SweepRow]
    ) -> None:
        """Keep a slice's rows.

        Raises:
            FileError: They cannot be written.

        """
        lines = [_line(case, made) for case, made in zip(cases, rows, strict=True)]
        columns = zip(*lines, strict=True)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
        file = io.BytesIO()
        pq.write_table(pa.table(arrays, schema=_SCHEMA), file, compression="zstd")
        write_file(self.part(of), file.getvalue())

    def is_done(self, of: Slice, first: int, cases: Sequence[Case]) -> bool:
        """Whether a slice's rows are there; what is broken is computed again."""
        path = self.part(of)
        if not path.is_file():
            return False
        try:
            # The file may be anyone's here, and what it claims may take any memory.
            with bounded(checked_size(path, MAX_PART_BYTES), str(path)):
                self.rows(of, first, cases)
        except FileError:
            return False
        return True

    def rows(
        self, of: Slice, first: int, cases: Sequence[Case]
    ) -> Iterator[dict[str, Any]]:
        """Read a slice's rows by the names of their columns.

        Args:
            of: The slice.
            first: Number of its first case.
            cases: What it must be of.

        Raises:
            FileError: They are of something else, or broken.

        """
        path = self.part(of)
        checked_size(path, MAX_PART_BYTES)
        try:
            table = _read(path, len(cases))
            found = table.to_pylist()
        except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
            said = " ".join(str(error).split())[:300]
            raise FileError(f"{path} is no part of a sweep: {said}") from None
        for number, (case, line) in enumerate(
            zip(cases, found, strict=True), start=first
        ):
            _check(line, number, case, of.backend, path)
        return iter(found)


def _read(path: Path, rows: int) -> pa.Table:
    # Opened here: pyarrow takes no path that is not UTF-8.
    with path.open("rb") as opened, pq.ParquetFile(opened, pre_buffer=False) as file:
        if not file.schema_arrow.equals(_SCHEMA):
            raise ValueError("it has other columns")
        if file.metadata.num_rows != rows:
            raise ValueError(f"it has {file.metadata.num_rows} rows, expected {rows}")
        table = file.read(use_threads=False)
    table.validate(full=True)
    if table.num_rows != rows:
        raise ValueError(f"it has {table.num_rows} rows, expected {rows}")
    return table


def _line(case: Case, made: SweepRow) -> list[Any]:
    """Give a row in the order of `PART_COLUMNS`."""
    of_case = [getattr(case, name) for name in _OF_CASE]
    cells = dict(zip(COLUMNS, row(made.result), strict=True))
    of_result = [cells[name] for name in _OF_RESULT]
    return [made.number, *of_case, *of_result, failure_signature(made.result)]


def _check(
    line: dict[str, Any], number: int, case: Case, backend: str, path: Path
) -> None:
    """See that a row is of the case that it should be."""
    expected = {"number": number, "case": case.id, "backend": backend}
    expected |= {name: getattr(case, name) for name in _OF_CASE}
    for name, want in expected.items():
        if line[name] != want:
            got = repr(line[name])[:200]
            raise FileError(f"{path}: row {number} has {name} {got}, expected {want!r}")
    if line["verdict"] not in get_args(Verdict):
        raise FileError(f"{path}: row {number} has no verdict")
    if lacking := [name for name in _ALWAYS if line[name] is None]:
        raise FileError(f"{path}: row {number} lacks {lacking[0]}")
