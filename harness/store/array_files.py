"""Named arrays out of a user's file: .npy, .npz or .safetensors.

Nothing of a NumPy file is read before its header is known to tell the truth: a small
one may claim, or unpack to, more than there is memory for.
"""

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from harness.errors import FileError
from harness.models.read import MAX_BYTES, read_arrays
from harness.spec import Array
from harness.store.arrays import DTYPE_NAMES
from harness.store.files import checked_size, unreadable

_MOST_MEMBERS = 64
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
_BROKEN = (
    *(ValueError, EOFError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error),
)
_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


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
            return dict(_members(path))
        with path.open("rb") as file:
            return {alone: _array(file, size, str(path))}
    except OSError as error:
        raise unreadable(path, error) from None
    except _BROKEN as error:
        said = " ".join(str(error).split())
        raise FileError(f"{path} is no whole {path.suffix} file: {said}") from None


def _members(path: Path) -> Iterator[tuple[str, Array]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if len(members) > _MOST_MEMBERS or unpacked > MAX_BYTES:
            raise FileError(
                f"{path} unpacks to {len(members)} arrays of {unpacked} bytes, "
                f"expected at most {_MOST_MEMBERS} of {MAX_BYTES}"
            )
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise FileError(f"{path} has two arrays of one name")
        for name, member in zip(names, members, strict=True):
            origin = f"{path}, {member.filename!r}"
            if member.compress_type not in _PACKED or member.flag_bits & 1:
                raise FileError(f"{origin} is not packed as numpy.savez does")
            with archive.open(member) as file:
                yield name, _array(file, member.file_size, origin)


def _array(file: IO[bytes], size: int, origin: str) -> Array:
    """Read one array of a stream of `size` bytes.

    Raises:
        FileError: Its header says something else than there is.
        ValueError: It is no .npy.

    """
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"format version {version} is not read here")
    try:
        shape, fortran, dtype = _HEADERS[version](file)
    except Exception as error:  # noqa: BLE001 - its parser raises anything
        raise ValueError(f"its header cannot be read: {error}") from None
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
    data = file.read(declared)
    if len(data) != declared:
        raise FileError(f"{origin} ends too early")
    flat = np.frombuffer(data, dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
