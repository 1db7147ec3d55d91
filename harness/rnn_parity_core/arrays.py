"""Named arrays as safetensors bytes: the one format on disk and between processes.

Safetensors holds no code, so a file from anyone can be opened. The helpers of its NumPy
side drop the metadata on reading, hence the few lines here.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import ml_dtypes  # noqa: F401 - gives NumPy the name bfloat16
import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from rnn_parity_core.errors import FileError
from rnn_parity_core.files import objects_once
from rnn_parity_core.functions import Array

# Safetensors' name of every dtype that may travel: more than cases have, so that an
# outcome of a wrong dtype is kept and judged as such.
DTYPE_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "bool": "BOOL",
}
MAX_HEADER_BYTES = 2**23
"""Of the JSON that a safetensors file begins with; one tensor takes some 100."""
_NUMPY_NAMES = {short: name for name, short in DTYPE_NAMES.items()}


def pack(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """Serialize named arrays, with string metadata in the header.

    Raises:
        FileError: An array has a dtype that the format here does not carry.

    """
    for name, array in arrays.items():
        if array.dtype.name not in DTYPE_NAMES:
            known = ", ".join(DTYPE_NAMES)
            raise FileError(f"{name} has dtype {array.dtype}; only {known} can be kept")
    # `save` reads memory from the first byte on, whatever the strides.
    contiguous = {name: np.asarray(a, order="C") for name, a in arrays.items()}
    return save(contiguous, metadata=dict(metadata))


def unpack(data: bytes, origin: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Read what `pack` wrote: read-only arrays over `data`, and the metadata.

    Args:
        data: The bytes of one safetensors file.
        origin: Where they come from, for the message of an error.

    Raises:
        FileError: The bytes are not safetensors, have too long a header, or hold a
            dtype unknown here.

    """
    size = header_size(data[:8], len(data), origin)
    try:
        tensors = deserialize(data)  # type: ignore[no-untyped-call]
        metadata = read_header(data[8 : 8 + size]).get("__metadata__") or {}
        # They come in any order, and some frameworks compile anew for another one.
        ordered = sorted(tensors, key=lambda named: named[0])
        return {
            name: _array(name, tensor, origin) for name, tensor in ordered
        }, metadata
    except (SafetensorError, ValueError, RecursionError) as error:
        raise not_whole(origin, error) from None


def header_size(begin: bytes, whole: int, origin: str) -> int:
    """Give the bytes of a safetensors file's header, before anything parses it.

    Args:
        begin: The first 8 bytes of the file.
        whole: How many it has; a header that claims more is safetensors' to refuse.
        origin: Where they come from, for the message of an error.

    Raises:
        FileError: It has more than are read here.

    """
    size = int.from_bytes(begin, "little")
    if MAX_HEADER_BYTES < size <= whole - len(begin):
        raise FileError(
            f"{origin} has a header of {size} bytes, more than {MAX_HEADER_BYTES}"
        )
    return size


def read_header(data: bytes) -> dict[str, Any]:
    """Read the JSON that a safetensors file begins with.

    Raises:
        ValueError: It is none, or names a tensor twice: safetensors' own parser takes
            either of the two.

    """
    header: dict[str, Any] = json.loads(data, object_pairs_hook=objects_once)
    return header


def numpy_dtype(name: str, short: str, origin: str) -> np.dtype[Any]:
    """Give the dtype of a tensor that a safetensors file calls `F32`, say.

    Raises:
        FileError: It is unknown here.

    """
    if short not in _NUMPY_NAMES:
        raise FileError(f"{origin}: {name!r} has dtype {short}, unknown")
    return np.dtype(_NUMPY_NAMES[short])


def not_whole(origin: str, error: Exception) -> FileError:
    """Say that something is no safetensors file, and why."""
    said = " ".join(str(error).split())
    return FileError(
        f"{origin} is not a whole safetensors file ({said}); "
        "it was truncated, or written by something else"
    )


def digest(arrays: Mapping[str, Array]) -> str:
    """Give 16 hexadecimal digits of names, dtypes, shapes and bytes."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name} {array.dtype} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def _array(name: str, tensor: dict[str, Any], origin: str) -> Array:
    dtype = numpy_dtype(name, tensor["dtype"], origin)
    # Bytes, not the bytearray that comes: what was read is not written to.
    return np.frombuffer(bytes(tensor["data"]), dtype=dtype).reshape(tensor["shape"])
