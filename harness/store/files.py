"""Files from anyone: only what is a file is read, and no more than it may have."""

import json
from pathlib import Path
from typing import Any

from harness.errors import FileError


def checked_size(path: Path, most: int) -> int:
    """Give the bytes of what is a file and not too large; a pipe would be waited for.

    Raises:
        FileError: It is not there, is none, or has more than `most` bytes.

    """
    try:
        if path.exists() and not path.is_file():
            raise FileError(f"{path} is no file")
        size = path.stat().st_size
    except (OSError, ValueError) as error:  # a name may hold what no system takes
        raise unreadable(path, error) from None
    if size > most:
        raise FileError(f"{path} has {size} bytes, more than {most}")
    return size


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
