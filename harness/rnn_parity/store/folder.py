"""A run on disk: what joins the stages, so that each can be done again by itself.

run.json                          what was asked, what came of it, where and when
journal.jsonl                     what came of it so far, while the run is at work
problems/CASE.safetensors         weights, batch, states
outcomes/BACKEND/CASE.safetensors what the backend returned
logs/BACKEND.log                  what the worker printed
report.json, report.md, …         what was made of it all
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from urllib.parse import quote

import msgspec

from rnn_parity.store.journal import LOCK, Journal
from rnn_parity.store.record import JournalLine, RunRecord, check_record, merged
from rnn_parity.store.stored import Stored, open_stored
from rnn_parity_core import Array, Case, FileError, Problem
from rnn_parity_core.arrays import digest, pack, unpack
from rnn_parity_core.files import (
    WRITING,
    inside,
    read_bytes,
    remove_unfinished,
    unwritable,
    write_file,
)
from rnn_parity_core.validate import contract_violations, nonfinite, out_of_range
from rnn_parity_reports.results import MAX_REPORT_BYTES, encode, read_record

VIEWS = ("report.json", "report.html", "report.md", "results.csv", "junit.xml")
"""What a judged run leaves for readers."""

MAX_ARRAYS_BYTES = 2**34
"""Of a file of a problem or an outcome."""

_PUBLISHED = "published."
_BIASES = "biases."
_FOLDERS = ("problems", "outcomes", "logs")


class RunFolder:
    """Reads and writes one run's files; every write appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def journal(self) -> Journal[JournalLine]:
        """What came of a run so far; looked up at each use, as links may be put there.

        Raises:
            FileError: A link leads out of the folder.

        """
        return Journal(self._inside("journal.jsonl"), JournalLine)

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
                if (self.path / name).exists():
                    shutil.rmtree(self.path / name)
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
        for name in (*_FOLDERS, "journal.jsonl", *VIEWS):
            path = self._inside(name)  # or half a run would be taken away
            is_folder = path.is_dir() and not path.is_symlink()
            if os.path.lexists(path) and is_folder != (name in _FOLDERS):
                raise FileError(
                    f"cannot write to {self.path}: {name} is no "
                    f"{'file' if is_folder else 'folder'}; nothing was written: "
                    "remove it, or choose another folder"
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
        """Write one file of the run, replacing it in one step.

        Raises:
            FileError: It cannot be written, or the folder was taken away meanwhile.

        """
        if not self.path.is_dir():
            raise FileError(f"cannot write {self.path / name}: the folder is gone")
        return write_file(self._inside(name), data)

    def write_record(self, record: RunRecord) -> None:
        """Write run.json."""
        self.write("run.json", encode(record))

    def finish(self, record: RunRecord) -> None:
        """Write run.json with all that is done, and end the journal."""
        self.write_record(record)
        self.journal.remove()

    def check_begun(self) -> None:
        """See that a run at work was not taken away.

        Raises:
            FileError: It was.

        """
        if not self._inside("run.json").is_file():
            raise FileError(f"{self.path} holds no run of rnn-parity (no run.json)")

    def record(self) -> RunRecord:
        """Read run.json and the journal, and check that they hang together.

        Raises:
            FileError: There is none, or it is broken.

        """
        self.check_begun()
        path = self._inside("run.json")
        # The journal first: a run writes what it says into run.json, and then ends it.
        lines = self.journal.lines()
        record = merged(read_record(path, RunRecord), lines)
        check_record(record, path)
        return record

    def write_problem(self, problem: Problem) -> None:
        """Write a problem, and with it what no adapter sees of it."""
        case = problem.case
        published = {_PUBLISHED + name: a for name, a in problem.published.items()}
        biases = {_BIASES + name: a for name, a in problem.biases.items()}
        data = pack({**problem.arrays, **published, **biases}, {"case": case.id})
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
        published, biases = (
            {n.removeprefix(p): a for n, a in arrays.items() if n.startswith(p)}
            for p in (_PUBLISHED, _BIASES)
        )
        beside = (_PUBLISHED, _BIASES)
        own = {n: a for n, a in arrays.items() if not n.startswith(beside)}
        wrong = contract_violations(own, case.input_shapes(), case.dtype)
        shapes = {n: s for n, s in case.output_shapes().items() if n in published}
        wrong += contract_violations(published, shapes, "float64")
        shapes = {f"layer{n}.{way}": (2, *case.shape("G")) for n, way in case.passes}
        shapes = {name: shape for name, shape in shapes.items() if name in biases}
        wrong += contract_violations(biases, shapes, case.dtype)
        wrong += nonfinite(arrays) if not wrong else []
        wrong += out_of_range(case, own) if not wrong else []
        if case.given and not wrong and digest(own) != case.given:
            wrong = [f"its arrays have the digest {digest(own)}"]
        if wrong:
            raise FileError(f"{path} does not hold case {case.id}: {'; '.join(wrong)}")
        return Problem(case, own, published, biases)

    def write_outcome(self, backend: str, case: str, data: bytes) -> None:
        """Write the bytes of an outcome as they came from the worker."""
        self.write(_outcome_name(backend, case), data)

    def forget_outcome(self, backend: str, case: str) -> None:
        """Remove what a backend returned, where nobody will judge it again.

        Raises:
            FileError: It cannot be.

        """
        path = self._inside(_outcome_name(backend, case))
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None

    def outcome(self, backend: str, case: str) -> Mapping[str, Array]:
        """Read what a backend returned, as it is: judging it is not for here."""
        return self._arrays(self._inside(_outcome_name(backend, case)), case)

    def stored_problem(self, case: Case) -> dict[str, Stored]:
        """Give a problem's arrays as they lie on disk, unread and unchecked.

        Raises:
            FileError: The file is broken, or another case's.

        """
        return self._stored(self._problem_path(case), case.id)

    def stored_outcome(self, backend: str, case: str) -> dict[str, Stored]:
        """Give an outcome's arrays as they lie on disk, unread.

        Raises:
            FileError: The file is broken, or another case's.

        """
        return self._stored(self._inside(_outcome_name(backend, case)), case)

    def log(self, backend: str) -> Path:
        """Where a backend's worker prints to."""
        return self._inside(f"logs/{file_name(backend)}.log")

    def _inside(self, name: str) -> Path:
        return inside(self.path, name)

    def _problem_path(self, case: Case) -> Path:
        return self._inside(f"problems/{case.id}.safetensors")

    def _arrays(self, path: Path, case: str) -> dict[str, Array]:
        arrays, metadata = unpack(read_bytes(path, MAX_ARRAYS_BYTES), str(path))
        _check_of(case, metadata, path)
        return arrays

    def _stored(self, path: Path, case: str) -> dict[str, Stored]:
        arrays, metadata = open_stored(path, MAX_ARRAYS_BYTES)
        _check_of(case, metadata, path)
        return arrays


def _check_of(case: str, metadata: Mapping[str, str], path: Path) -> None:
    if (found := metadata.get("case")) != case:
        raise FileError(f"{path} holds case {found!r}, expected {case!r}")


def _counts(path: Path) -> bool:
    """Whether a file or folder is more than what a run leaves that never began."""
    if path.name in _FOLDERS and path.is_dir():
        return any(path.iterdir())
    return not is_left_over(path.name)


def is_left_over(name: str) -> bool:
    """Whether a name is of what a process leaves that was killed: no result."""
    return name == LOCK or name.startswith(WRITING)


def file_name(backend: str) -> str:
    """Make a file name of a backend's name: another one for another name, no path.

    Some file systems take A for a.
    """
    return "".join(
        f"%{ord(c):X}" if c == "." or c in ascii_uppercase else quote(c, safe="")
        for c in backend
    )


def _outcome_name(backend: str, case: str) -> str:
    return f"outcomes/{file_name(backend)}/{case}.safetensors"
