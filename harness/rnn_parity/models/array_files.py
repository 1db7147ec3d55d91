"""Named arrays out of a user's file: .npy, .npz or .safetensors.

Nothing of a NumPy file is read before its header is known to tell the truth: a small
one may claim, or unpack to, more than there is memory for.
"""

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO, FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from rnn_parity.models.memory_limits import BESIDE, TIMES
from rnn_parity.models.read import MAX_BYTES, read_arrays
from rnn_parity_core import Array, FileError
from rnn_parity_core.arrays import DTYPE_NAMES
from rnn_parity_core.files import checked_size, unreadable

_MOST_MEMBERS = 64
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
_BROKEN = (
    *(ValueError, EOFError, RuntimeError, OverflowError, struct.error),
    *(zipfile.BadZipFile, zlib.error),
)
# Format version → bytes that its header's length takes, and what reads the header.
_HEADERS = {
    (1, 0): (2, npy.read_array_header_1_0),
    (2, 0): (4, npy.read_array_header_2_0),
}
_MAX_HEADER = 10_000  # bytes; NumPy's own limit, which it sees to once it has read all
_PIECE = 2**20  # bytes that are read at a time


def read_named(path: Path, alone: str) -> dict[str, Array]:
    """Read the arrays of a file by name.

    Args:
        path: The file.
        alone: Name of the one array of a .npy file.

    Raises:
        FileError: It cannot be read, is of another kind, too large, or not whole.

    """
    if path.suffix == ".safetensors":
        return read_arrays(path)[0]
    if path.suffix not in {".npy", ".npz"}:
        raise FileError(f"{path}: expected .npy, .npz or .safetensors")
    size = checked_size(path, MAX_BYTES)
    try:
        if path.suffix == ".npz":
            return dict(_members(path, size))
        with path.open("rb") as file:
            return {alone: _array(file, size, str(path))}
    except OSError as error:
        raise unreadable(path, error) from None
    except _BROKEN as error:
        said = " ".join(str(error).split())
        raise FileError(f"{path} is no whole {path.suffix} file: {said}") from None


class _Pieces(FileIO):
    """A file that is read in pieces: `zipfile` reads a directory of any size at once.

    What it makes of one takes over ten times as much.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a piece.

        Raises:
            BadZipFile: It is larger than one.

        """
        if size is not None and size > _PIECE:
            raise zipfile.BadZipFile(f"its directory has {size} bytes")
        return super().read(size)


def _members(path: Path, size: int) -> Iterator[tuple[str, Array]]:
    with _Pieces(path) as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if len(members) > _MOST_MEMBERS or unpacked > MAX_BYTES:
            raise FileError(
                f"{path} unpacks to {len(members)} arrays of {unpacked} bytes, "
                f"expected at most {_MOST_MEMBERS} of {MAX_BYTES}"
            )
        if unpacked > TIMES * size + BESIDE:
            raise FileError(
                f"{path} unpacks to {unpacked} bytes, more than {TIMES} times its "
                f"{size} and {BESIDE}: save it by numpy.savez instead of "
                "numpy.savez_compressed"
            )
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise FileError(f"{path} has two arrays of one name")
        for name, member in zip(names, members, strict=True):
            origin = f"{path}, {member.filename!r}"
            if member.compress_type not in _PACKED or member.flag_bits & 1:
                raise FileError(f"{origin} is not packed as numpy.savez does")
            with archive.open(member) as stream:
                yield name, _array(stream, member.file_size, origin)


def _array(file: IO[bytes], size: int, origin: str) -> Array:
    """Read one array of a stream of `size` bytes.

    Raises:
        FileError: Its header says something else than there is.
        ValueError: It is no .npy.

    """
    shape, fortran, dtype = _header(file)
    if dtype.name not in DTYPE_NAMES or not dtype.isnative:
        hint = "; save bfloat16 as .safetensors" if dtype.kind == "V" else ""
        raise FileError(
            f"{origin} has dtype {dtype}, expected {', '.join(DTYPE_NAMES)}{hint}"
        )
    declared, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or declared != there:
        raise FileError(
            f"{origin} says that it has the shape {list(shape)[:8]}, which would take "
            f"{min(declared, 10**30)} bytes, and has {there}"
        )
    data = bytearray()  # grows as there is something, whatever is declared
    while piece := file.read(min(_PIECE, declared - len(data))):
        data += piece
    if len(data) != declared:
        raise FileError(f"{origin} ends too early")
    flat = np.frombuffer(memoryview(data).toreadonly(), dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read a .npy's header: shape, whether in Fortran's order, and dtype.

    Raises:
        ValueError: It is none, or says something twice.

    """
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"format version {version} is not read here")
    width, read = _HEADERS[version]
    length = file.read(width)
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER:
        raise ValueError(f"its header has {size} bytes, more than {_MAX_HEADER}")
    text = file.read(size)
    try:
        shape, fortran, dtype = read(BytesIO(length + text))
    except Exception as error:  # noqa: BLE001 - its parser raises anything
        raise ValueError(f"its header cannot be read: {error}") from None
    if text.count(b":") != len(("descr", "fortran_order", "shape")):
        raise ValueError("its header does not say dtype, order and shape once each")
    if any(type(n) is not int for n in shape):
        raise ValueError(f"its shape {shape!r:.100} is not of whole numbers")
    return shape, fortran, dtype
