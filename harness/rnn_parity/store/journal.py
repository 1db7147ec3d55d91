"""What makes a run survive its end: a journal of what is done, and a lock for one.

Both are in the run's folder while it is at work, and gone afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

import filelock
import msgspec

from rnn_parity_core import FileError
from rnn_parity_core.files import appending, read_bytes, unwritable

LOCK = ".lock"
MAX_BYTES = 2**30
"""Of a journal."""

Line = TypeVar("Line", bound=msgspec.Struct)


class Journal(Generic[Line]):
    """A file that grows by a line of JSON at a time, written by one thread at a time.

    Args:
        path: The file; there is none without a line.
        kind: What a line holds.

    """

    def __init__(self, path: Path, kind: type[Line]) -> None:
        self._path = path
        self._kind = kind

    def append(self, line: Line) -> None:
        """Write a line, whole or not at all.

        Raises:
            FileError: There is no room for it, or the file cannot be written.

        """
        data = msgspec.json.encode(line) + b"\n"
        try:
            with appending(self._path) as file:
                size = file.tell()
                try:
                    written = file.write(data)
                except OSError:
                    file.truncate(size)
                    raise
                if written != len(data):
                    file.truncate(size)
                    raise FileError(f"cannot write {self._path}: no room is left")
        except OSError as error:
            raise unwritable(self._path, error) from None

    def lines(self) -> list[Line]:
        """Read what was written, without a last line that was cut short.

        Raises:
            FileError: It cannot be read, or is no journal.

        """
        try:
            whole = self._whole()
            return [msgspec.json.decode(line, type=self._kind) for line in whole]
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise FileError(
                f"{self._path} is no journal of rnn-parity: {error}"
            ) from None

    def mend(self) -> None:
        """Take off a last line that was cut short, so that more can be written.

        Raises:
            FileError: It cannot be written.

        """
        try:
            if self._path.exists():
                size = sum(len(line) + 1 for line in self._whole())
                with self._path.open("r+b") as file:
                    file.truncate(size)
        except OSError as error:
            raise unwritable(self._path, error) from None

    def remove(self) -> None:
        """Take the file away, if there is one.

        Raises:
            FileError: It cannot be.

        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"cannot remove {self._path}: {error.strerror}") from None

    def _whole(self) -> list[bytes]:
        try:
            return read_bytes(self._path, MAX_BYTES).split(b"\n")[:-1]
        except FileError:
            if self._path.exists():
                raise
            return []  # there is none, or its run came to its end just now


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder, made if it is not there; the system lets go of it for the dead.

    Raises:
        FileError: Another process holds it, or it cannot be written.

    """
    path = folder / LOCK
    lock = filelock.FileLock(
        path, timeout=0, thread_local=False, fallback_to_soft=False
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise FileError(
            f"another run is at work in {folder}; wait for its end, or choose another "
            "folder"
        ) from None
    except OSError as error:
        raise FileError(f"cannot write to {folder}: {error.strerror}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)  # while it is held: nobody waits for it
        lock.release()
