"""A run on disk: what joins the stages, so that each can be done again by itself.

run.json                          what was asked, what came of it, where and when
journal.jsonl                     what came of it so far, while the run is at work
problems/CASE.safetensors         weights, batch, states
outcomes/BACKEND/CASE.safetensors what the backend returned
logs/BACKEND.log                  what the worker printed
report.json, report.md, …         what was made of it all
"""

import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import ascii_uppercase
from typing import IO, Annotated, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from harness.arrays import digest, pack, unpack
from harness.backend import BackendInfo
from harness.cases import check_case
from harness.contract import contract_violations, nonfinite, out_of_range
from harness.errors import FileError, UsageError
from harness.files import read_bytes
from harness.journal import LOCK, Journal
from harness.results import (
    MAX_REPORT_BYTES,
    BackendRecord,
    Count,
    Environment,
    Measure,
    encode,
    read_record,
)
from harness.spec import Array, Case, Problem

VIEWS = ("report.json", "report.html", "report.md", "results.csv", "junit.xml")
"""What a judged run leaves for readers."""

MAX_ARRAYS_BYTES = 2**34
"""Of a file of a problem or an outcome."""

_PUBLISHED = "published."
_FOLDERS = ("problems", "outcomes", "logs")
_WRITING = ".writing-"
"""What begins the name of a file until it is whole."""
# What Windows takes for a device.
_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)
}
_Named = TypeVar("_Named", bound=Hashable)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one case on one backend, before anyone judged it."""

    case: str
    backend: str
    status: Literal["done", "unsupported", "error", "absent"]
    detail: str = ""
    seconds: Measure | None = None
    arrays: list[str] = []
    """What the outcome is of, where that may be a part; nothing: all it must hold."""

    def shapes(self, case: Case) -> dict[str, tuple[int, ...]]:
        """Give the shapes of the arrays that the outcome must hold, by name."""
        every = case.output_shapes()
        return {name: every[name] for name in self.arrays or every}


class RunRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of run.json."""

    schema: Literal["rnn-parity.run/1"]
    environment: Environment
    cases: list[Case]
    infos: list[BackendInfo]
    backends: dict[str, BackendRecord]
    entries: list[Entry]
    left_out: list[tuple[str, str]] = []
    """Cases and backends that were not to be computed together, though others were."""
    verify: list[str] = []
    """Arguments of `rnn-parity verify`, where weights came from a file."""
    timeout: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 300.0
    """Seconds that one problem may take on one backend."""
    memory: Count = 0
    """Bytes that a worker may hold; 0: any number."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the journal: what came of a case, or what a backend said of itself."""

    entry: Entry | None = None
    said: tuple[str, BackendRecord] | None = None


class RunFolder:
    """Reads and writes one run's files; every write appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def journal(self) -> Journal[Line]:
        """What came of a run so far; looked up at each use, as links may be put there.

        Raises:
            FileError: A link leads out of the folder.

        """
        return Journal(self._inside("journal.jsonl"), Line)

    def prepare(self) -> None:
        """Make the folder ready for a new run, in place of an earlier run.

        Raises:
            FileError: It cannot be written, or holds what is not a run.

        """
        self.check()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.journal.remove()  # first: it is of the run.json that is still there
            for name in _FOLDERS:
                shutil.rmtree(self.path / name, ignore_errors=True)
                (self.path / name).mkdir()
            self.sweep()
            for name in VIEWS:
                (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"cannot write to {self.path}: {error.strerror}") from None

    def check(self) -> None:
        """See that `prepare` would take nothing away but an earlier run.

        Raises:
            FileError: The folder cannot be read, or holds what is not a run.

        """
        try:
            used = self.path.exists() and any(map(_counts, self.path.iterdir()))
        except OSError as error:
            raise FileError(f"cannot write to {self.path}: {error.strerror}") from None
        if used and not self._holds_run():
            raise FileError(
                f"{self.path} is not empty and holds no run of rnn-parity; "
                "nothing was written: choose another folder"
            )

    def sweep(self) -> None:
        """Remove what a process that was killed had not written to its end."""
        remove_unfinished(self.path)

    def _holds_run(self) -> bool:
        """Whether what is here was written by us, whole or cut short."""
        try:
            data = read_bytes(self._inside("run.json"), MAX_REPORT_BYTES)
            found = msgspec.json.decode(data)
        except (FileError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False
        schema = found.get("schema") if isinstance(found, dict) else None
        return isinstance(schema, str) and schema.startswith("rnn-parity.run/")

    def write(self, name: str, data: bytes) -> Path:
        """Write one file of the run, replacing it in one step."""
        return write_file(self._inside(name), data)

    def write_record(self, record: RunRecord) -> None:
        """Write run.json."""
        self.write("run.json", encode(record))

    def finish(self, record: RunRecord) -> None:
        """Write run.json with all that is done, and end the journal."""
        self.write_record(record)
        self.journal.remove()

    def record(self) -> RunRecord:
        """Read run.json and the journal, and check that they hang together.

        Raises:
            FileError: There is none, or it is broken.

        """
        path = self._inside("run.json")
        if not path.is_file():
            raise FileError(f"{self.path} holds no run of rnn-parity (no run.json)")
        record = _merged(read_record(path, RunRecord), self.journal.lines())
        _check_record(record, path)
        return record

    def write_problem(self, problem: Problem) -> None:
        """Write a problem, and the published tables with it."""
        case = problem.case
        published = {_PUBLISHED + name: a for name, a in problem.published.items()}
        data = pack({**problem.arrays, **published}, {"case": case.id})
        self.write(f"problems/{case.id}.safetensors", data)

    def has_problem(self, case: Case) -> bool:
        """Whether a problem was written."""
        return self._problem_path(case).is_file()

    def problem(self, case: Case) -> Problem:
        """Read a problem back.

        Raises:
            FileError: The file is broken, or does not hold the case's arrays.

        """
        path = self._problem_path(case)
        arrays = self._arrays(path, case.id)
        published = {
            name.removeprefix(_PUBLISHED): array
            for name, array in arrays.items()
            if name.startswith(_PUBLISHED)
        }
        own = {n: a for n, a in arrays.items() if not n.startswith(_PUBLISHED)}
        wrong = contract_violations(own, case.input_shapes(), case.dtype)
        shapes = {n: s for n, s in case.output_shapes().items() if n in published}
        wrong += contract_violations(published, shapes, "float64")
        wrong += nonfinite(arrays) if not wrong else []
        wrong += out_of_range(case, own) if not wrong else []
        if case.given and not wrong and digest(own) != case.given:
            wrong = [f"its arrays have the digest {digest(own)}"]
        if wrong:
            raise FileError(f"{path} does not hold case {case.id}: {'; '.join(wrong)}")
        return Problem(case, own, published)

    def write_outcome(self, backend: str, case: str, data: bytes) -> None:
        """Write the bytes of an outcome as they came from the worker."""
        self.write(_outcome_name(backend, case), data)

    def forget_outcome(self, backend: str, case: str) -> None:
        """Remove what a backend returned, where nobody will judge it again."""
        self._inside(_outcome_name(backend, case)).unlink(missing_ok=True)

    def outcome(self, backend: str, case: str) -> Mapping[str, Array]:
        """Read what a backend returned, as it is: judging it is not for here."""
        return self._arrays(self._inside(_outcome_name(backend, case)), case)

    def log(self, backend: str) -> Path:
        """Where a backend's worker prints to."""
        return self._inside(f"logs/{file_name(backend)}.log")

    def _inside(self, name: str) -> Path:
        return inside(self.path, name)

    def _problem_path(self, case: Case) -> Path:
        return self._inside(f"problems/{case.id}.safetensors")

    def _arrays(self, path: Path, case: str) -> dict[str, Array]:
        arrays, metadata = unpack(read_bytes(path, MAX_ARRAYS_BYTES), str(path))
        if metadata.get("case") != case:
            raise FileError(
                f"{path} holds case {metadata.get('case')!r}, expected {case!r}"
            )
        return arrays


def most_bytes(case: Case) -> int:
    """Bytes that an outcome may have: of other shapes and dtypes, but not of any."""
    asked = sum(math.prod(shape) for shape in case.output_shapes().values())
    return 2**20 + 128 * asked


def inside(folder: Path, name: str) -> Path:
    """Give the path of a file of a folder that may come from anyone.

    Raises:
        FileError: A link leads out of the folder.

    """
    path = folder / name
    try:
        within = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # links that go round in circles
        raise FileError(f"cannot follow {path}: {error}") from None
    if not within:
        raise FileError(
            f"{path} is a link that leads out of the run, and was not followed; "
            "put the file itself there"
        )
    return path


def write_file(target: Path, data: bytes) -> Path:
    """Write a file, replacing it in one step.

    Raises:
        FileError: It cannot be written.

    """
    with replacing(target) as file:
        file.write(data)
    return target


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Write a file bit by bit, and put it where it belongs once it is whole.

    Raises:
        FileError: It cannot be written.

    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=_WRITING, delete=False
        ) as file:
            temporary = Path(file.name)
            yield file
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        raise FileError(f"cannot write {target}: {error.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed had not written to its end."""
    for path in folder.rglob(f"{_WRITING}*"):
        path.unlink(missing_ok=True)


def _counts(path: Path) -> bool:
    """Whether a file or folder is more than what a run leaves that never began."""
    if path.name in _FOLDERS and path.is_dir():
        return any(path.iterdir())
    return path.name != LOCK and not path.name.startswith(_WRITING)


def _merged(record: RunRecord, lines: list[Line]) -> RunRecord:
    """Put what the journal says into a record, each backend's in the cases' order."""
    if not lines:
        return record
    said = record.backends | dict(line.said for line in lines if line.said)
    done = [*record.entries, *(line.entry for line in lines if line.entry)]
    found = {(entry.backend, entry.case): entry for entry in done}
    names = [info.name for info in record.infos]
    asked = [(name, case.id) for name in names for case in record.cases]
    # What nobody asked for is for the check to say.
    keys = [key for key in asked if key in found] + sorted(found.keys() - set(asked))
    return replace(
        record,
        backends={name: said[name] for name in (*names, *said) if name in said},
        entries=[found[key] for key in keys],
    )


def _check_record(record: RunRecord, path: Path) -> None:
    """Check names before any of them becomes a path or a key."""
    for case in record.cases:
        try:
            check_case(case)
        except UsageError as error:
            raise FileError(f"{path}: {error}") from None
    by_id = {case.id: case for case in record.cases}
    cases = _distinct([case.id for case in record.cases], path)
    backends = _distinct([info.name for info in record.infos], path)
    computed = [(entry.case, entry.backend) for entry in record.entries]
    both = _distinct(computed, path) & set(record.left_out)
    for named, backend in computed + record.left_out:
        if named not in cases or backend not in backends:
            raise FileError(
                f"{path}: an entry names {named!r} on {backend!r}, "
                "which the run does not list"
            )
    for entry in record.entries:
        _check_part(entry, by_id[entry.case], path)
    if both:
        raise FileError(f"{path}: {min(both)} is left out, and yet computed")


def _check_part(entry: Entry, case: Case, path: Path) -> None:
    """See that what an outcome is of, if somebody gave a part, can be judged alone."""
    forward = case.task == "forward" and case.variant != "variable_output"
    allowed = case.forward_shapes() if forward else ()
    if not set(entry.arrays) <= set(allowed):
        raise FileError(
            f"{path}: the outcome of {entry.case} on {entry.backend!r} is of "
            f"{', '.join(entry.arrays)}, which is no part of what it must hold"
        )


def _distinct(names: Iterable[_Named], path: Path) -> set[_Named]:
    counts = Counter(names)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise FileError(f"{path}: {twice[0]!r} is listed twice")
    return set(counts)


def file_name(backend: str) -> str:
    """Make a file name of a backend's name: another one for another name, no path.

    Some systems take A for a, and names of devices for these.
    """
    kept = [
        f"%{ord(c):X}" if c == "." or c in ascii_uppercase else quote(c, safe="")
        for c in backend
    ]
    if backend in _DEVICES:
        kept[0] = f"%{ord(kept[0]):X}"
    return "".join(kept)


def _outcome_name(backend: str, case: str) -> str:
    return f"outcomes/{file_name(backend)}/{case}.safetensors"
