"""Files from anyone: only what is a file is read, and no more than it may have.

And files that are written: whole, or not at all.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from rnn_parity_core.errors import FileError

WRITING = ".writing-"
"""What begins the name of a file until it is whole."""

_DEVICES = (Path("/dev"), Path("/dev/fd"))


def checked_size(path: Path, most: int) -> int:
    """Give the bytes of what is a file and not too large; a pipe would be waited for.

    Raises:
        FileError: It is not there, is none, or has more than `most` bytes.

    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # a name may hold what no system takes
        raise unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise FileError(f"{path} is no file")
    if found.st_size > most:
        raise FileError(f"{path} has {found.st_size} bytes, more than {most}")
    return found.st_size


def read_bytes(path: Path, most: int) -> bytes:
    """Read what is a file and not too large.

    Raises:
        FileError: It cannot be read, is none, or has more than `most` bytes.

    """
    checked_size(path, most)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> FileError:
    """Say why the system does not read a file."""
    return FileError(f"cannot read {path}: {getattr(error, 'strerror', '') or error}")


def objects_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of a JSON object, as `object_pairs_hook` of Python's `json`.

    Raises:
        ValueError: Two values have one name, of which readers take either.

    """
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("an object has two values of one name")
    return made


def check_names(data: bytes) -> None:
    """See that no object in a JSON text has two values of one name, and keep none.

    Raises:
        ValueError: One has.

    """
    json.loads(data, object_pairs_hook=lambda pairs: objects_once(pairs) and None)


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
def replacing(target: Path, named: Path | None = None) -> Iterator[IO[bytes]]:
    """Write a file bit by bit, and put it where it belongs once it is whole.

    Args:
        target: The file.
        named: What it is called if it cannot be written, if not by its own name.

    Raises:
        FileError: It cannot be written.

    """
    temporary = target.parent / f"{WRITING}{uuid4().hex}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
        temporary.replace(target)
    except OSError as error:
        raise unwritable(named or target, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_named(target: Path, data: bytes) -> None:
    """Write a file that a user names: where a link leads, or into a pipe or device.

    Raises:
        FileError: It cannot be written.

    """
    try:
        if target.parent in _DEVICES or _is_pipe_or_device(target):
            target.write_bytes(data)
        else:
            with replacing(target.resolve(), target) as file:
                file.write(data)
    except (OSError, RuntimeError) as error:  # links that go round in circles
        raise unwritable(target, error) from None


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed had not written to its end.

    What only has such a name, a folder say, is left alone.
    """
    with suppress(OSError):
        for path in folder.rglob(f"{WRITING}*"):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def appending(path: Path) -> IO[bytes]:
    """Open a file to add to its end; a pipe would be waited for, a link followed.

    Raises:
        FileError: It is no file, or cannot be written.

    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = os.fdopen(os.open(path, flags, 0o666), "ab", buffering=0)
    except OSError as error:
        raise unwritable(path, error) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileError(f"cannot write {path}: it is no file")
    return file


def unwritable(path: Path, error: Exception) -> FileError:
    """Say why the system does not write a file."""
    return FileError(f"cannot write {path}: {getattr(error, 'strerror', '') or error}")


def _is_pipe_or_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()
