"""Arrays of a safetensors file that are read piece by piece, however large they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from rnn_parity_core import Array, FileError
from rnn_parity_core.arrays import header_size, not_whole, numpy_dtype, read_header
from rnn_parity_core.files import checked_size, unreadable

_PIECE = 2**16  # elements that are held to others bit by bit at a time


class Stored(NamedTuple):
    """Where an array lies in a file; its numbers are read when they are asked for."""

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    """Of its bytes in the file."""
    size: int
    """Bytes."""

    def blocks(self, elements: int) -> Iterator[Array]:
        """Give the array flat, in C order, in pieces that lie in the same memory.

        The file is read, not mapped: to touch what is mapped of a file that somebody
        cuts short meanwhile ends the process.

        Raises:
            FileError: The file cannot be read any more.

        """
        room = bytearray(min(elements * self.dtype.itemsize, self.size))
        left = self.size
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.start)
                while left:
                    piece = memoryview(room)[: min(left, len(room))]
                    if file.readinto(piece) != len(piece):
                        raise FileError(f"{self.path} was cut short while it was read")
                    left -= len(piece)
                    yield np.frombuffer(piece, self.dtype)
        except OSError as error:
            raise unreadable(self.path, error) from None


def open_stored(path: Path, most: int) -> tuple[dict[str, Stored], dict[str, str]]:
    """Read what a safetensors file holds, by name, and its metadata.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        FileError: It is not there, too large or no safetensors, has too long a
            header, or holds an unknown dtype.

    """
    size = checked_size(path, most)
    try:
        with path.open("rb") as file:
            length = header_size(file.read(8), size, str(path))
            with safe_open(path, framework="np"):  # holds sizes to the file's
                pass
            header = read_header(file.read(length))
    except (SafetensorError, ValueError, RecursionError) as error:
        raise not_whole(str(path), error) from None
    except OSError as error:
        raise unreadable(path, error) from None
    metadata = header.pop("__metadata__", None) or {}
    found = {}
    for name, said in sorted(header.items()):
        dtype = numpy_dtype(name, said["dtype"], str(path))
        begin, end = said["data_offsets"]
        start = 8 + length + begin
        found[name] = Stored(path, dtype, tuple(said["shape"]), start, end - begin)
    return found, metadata


def same_bytes(first: Stored, second: Stored) -> bool:
    """Whether two arrays agree in dtype, shape and every bit."""
    return not unlike(first, second) and all(
        np.array_equal(one.view(np.uint8), other.view(np.uint8))
        for one, other in in_pairs(first, second, _PIECE)
    )


def unlike(first: Stored, second: Stored) -> bool:
    """Whether dtypes or shapes differ."""
    return (first.dtype, first.shape) != (second.dtype, second.shape)


def in_pairs(
    first: Stored, second: Stored, elements: int
) -> Iterator[tuple[Array, Array]]:
    """Give two arrays of one dtype and shape in pieces of up to so many elements."""
    return zip(first.blocks(elements), second.blocks(elements), strict=True)
