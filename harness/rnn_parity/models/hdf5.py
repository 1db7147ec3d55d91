"""HDF5 files of weights: arrays by their paths, and the few words that go with them.

Keras stores arrays as they are, side by side. Only such are read: what is packed, in
chunks, made up from a fill value, linked, or kept in another file is refused, so that
nothing is read that the file does not hold, and no more than it holds.
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from rnn_parity_core import DTYPES, Array, FileError, UsageError

try:
    import h5py
except ModuleNotFoundError:
    raise UsageError(
        "h5py is not installed, which reads and writes Keras' files; install it with: "
        "pip install 'rnn-parity[models]'"
    ) from None

MAX_OBJECTS = 100_000
_MAX_DEPTH = 64


class Contents(NamedTuple):
    """What is in a file."""

    arrays: dict[str, Array]
    """Floating-point arrays by path."""
    names: dict[str, str]
    """Paths of groups → their attribute `name`, which Keras 3 gives its layers'."""
    config: str
    """The root's attribute `model_config`; `""` without one."""
    version: str = ""
    """The root's attribute `keras_version`; `""` without one."""
    others: Mapping[str, Array] = {}
    """Arrays of other dtypes by path: their shapes alone."""


def read(data: bytes, origin: str) -> Contents:
    """Read all arrays of a file that are of our dtypes.

    Args:
        data: The bytes of the file.
        origin: Where they come from, for messages.

    Raises:
        FileError: It is broken, or holds what is refused.

    """
    try:
        with h5py.File(h5py.h5f.open_file_image(data)) as file:
            return _contents(file, len(data), origin)
    # What h5py makes of HDF5's errors depends on where in the file they are.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())[:200]
        raise FileError(
            f"{origin} is not a whole HDF5 file ({said}); it was truncated, or written "
            "by something else"
        ) from None


def written(arrays: dict[str, Array]) -> bytes:
    """Give the bytes of a file of arrays by path; bfloat16 as Keras marks it."""
    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, array in arrays.items():
            dataset = file.create_dataset(path, data=array)
            if array.dtype == ml_dtypes.bfloat16:
                dataset.attrs["dtype"] = "bfloat16"
    return buffer.getvalue()


def _contents(file: Any, size: int, origin: str) -> Contents:
    arrays: dict[str, Array] = {}
    names: dict[str, str] = {}
    others: dict[str, Array] = {}
    left = size
    for path, found in _objects(file, origin):
        where = f"{origin}: its {path!r}"
        if isinstance(found, h5py.Group):
            if name := _text(found, "name"):
                names[path] = name
        elif isinstance(found, h5py.Dataset):
            _check_stored(found, where)
            left -= found.nbytes
            if left < 0:
                raise FileError(f"{where} claims more bytes than the file has")
            if (dtype := _dtype(found)) is not None:
                raw = np.empty(found.shape, found.dtype)
                if raw.size:
                    found.read_direct(raw)
                arrays[path] = (
                    raw.view(dtype) if raw.dtype.kind == "V" else raw.astype(dtype)
                )
            else:
                others[path] = np.broadcast_to(np.int8(0), found.shape)
    config, version = _text(file, "model_config"), _text(file, "keras_version")
    return Contents(arrays, names, config, version, others)


def _objects(file: Any, origin: str) -> Iterator[tuple[str, Any]]:
    """Give every group and array once, by the one hard link that leads to it."""
    waiting: list[tuple[str, Any]] = [("", file)]
    seen: set[int] = set()
    while waiting:
        path, group = waiting.pop()
        for name in group:
            inner = f"{path}/{name}".lstrip("/")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise FileError(
                    f"{origin}: its {inner!r} is a link to somewhere else, and was not "
                    "followed; save the model again"
                )
            found = group[name]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen or len(seen) > MAX_OBJECTS:
                raise FileError(
                    f"{origin}: its {inner!r} is there twice, or one of over "
                    f"{MAX_OBJECTS} objects"
                )
            seen.add(address)
            yield inner, found
            if isinstance(found, h5py.Group):
                if inner.count("/") > _MAX_DEPTH:
                    raise FileError(f"{origin} has groups over {_MAX_DEPTH} deep")
                waiting.append((inner, found))


def _check_stored(dataset: Any, where: str) -> None:
    """See that an array's bytes are in the file, one after the other.

    Raises:
        FileError: They are not.

    """
    if dataset.external or dataset.is_virtual:
        raise FileError(f"{where} is kept in another file, which was not opened")
    if dataset.shape is None:
        raise FileError(f"{where} has no shape")
    if dataset.chunks or dataset.id.get_storage_size() != dataset.nbytes:
        raise FileError(
            f"{where} of shape {list(dataset.shape)} is compressed, in chunks, or not "
            "stored whole, which Keras does not do; save the model again"
        )


def _dtype(dataset: Any) -> np.dtype[Any] | None:
    """Give the dtype of ours that an array has; None if it has another."""
    if _text(dataset, "dtype") == "bfloat16" and dataset.dtype.itemsize == len("bf"):
        return np.dtype("bfloat16")
    plain: np.dtype[Any] = dataset.dtype.newbyteorder("=")
    return plain if plain.name in DTYPES else None


def _text(found: Any, name: str) -> str:
    """Give an attribute that is one string; `""` if it is not there, or not one."""
    if name not in found.attrs:
        return ""
    attribute = found.attrs.get_id(name)
    if attribute.shape != () or h5py.check_string_dtype(attribute.dtype) is None:
        return ""
    text = found.attrs[name]
    return text.decode() if isinstance(text, bytes) else str(text)
