"""PyTorch's `.pt`, `.pth` and `.bin`: a zip of a pickle and of the tensors' numbers.

The format is that of `torch.save` since PyTorch 1.6 (torch/serialization.py): members
`data.pkl`, `byteorder`, and `data/0`, … for storages, all in one folder.
"""

from math import prod
from typing import Any

import numpy as np

from rnn_parity.models.archive import Archive
from rnn_parity.models.torch_pickle import STORAGES, Global, unpickled
from rnn_parity_core import Array, FileError

_LEGACY = (
    "is no zip as torch.save writes since PyTorch 1.6, or was truncated; save it again "
    "there: torch.save(model.state_dict(), FILE)"
)
_MAX_AXES = 8
_MAX_DEPTH = 32
_MAX_NUMBER = 2**40
_SHARED = 8  # how many times a number may count that several tensors share


def read_arrays(data: bytes, origin: str) -> dict[str, Array]:
    """Read the tensors of a state_dict, or of a checkpoint with some in it.

    A checkpoint's tensors are named by the way to them: `state_dict.rnn.weight_ih_l0`.

    Args:
        data: The bytes of the file.
        origin: Where they come from, for messages.

    Raises:
        FileError: The file is broken, of the format before 1.6, or holds other things
            than tensors and plain values.

    """
    if not data.startswith(b"PK\3\4"):
        raise FileError(f"{origin} {_LEGACY}")
    archive = Archive(data, origin)
    roots = [
        n.removesuffix("data.pkl") for n in archive.names if n.endswith("/data.pkl")
    ]
    if len(roots) != 1:
        raise FileError(f"{origin} has {len(roots)} members data.pkl, expected one")
    order = f"{roots[0]}byteorder"
    if order in archive.names and archive.read(order) != b"little":
        raise FileError(
            f"{origin} was saved by a big-endian machine; save it on another"
        )
    storages = _Storages(archive, roots[0], origin, most=len(data))
    pickled = archive.read(f"{roots[0]}data.pkl")
    return _named(unpickled(pickled, storages.tensor, origin), origin)


class _Storages:
    """The storages of a file, and tensors as views of them."""

    def __init__(self, archive: Archive, root: str, origin: str, most: int) -> None:
        self._archive, self._root, self._origin = archive, root, origin
        self._read: dict[str, bytes] = {}
        self._left = _SHARED * most

    def tensor(self, key: Any, offset: Any, size: Any, strides: Any) -> Array:
        """Give a tensor.

        Raises:
            FileError: Its storage is not there, of another size, or smaller than the
                tensor; or all tensors together are larger than their file could have.

        """
        name, dtype, count = self._storage(key)
        if not _whole([offset]) or not _whole(size) or not _whole(strides):
            raise FileError(f"{self._origin}: a tensor has sizes that are no numbers")
        elements = prod(size)
        if elements > count or offset > count:
            raise FileError(
                f"{self._origin}: a tensor of {list(size)} claims to lie in storage "
                f"{name!r}, which has {count} elements"
            )
        # Tensors may share a storage; so many that nothing bounds them may not.
        self._left -= elements * dtype.itemsize
        if self._left < 0:
            raise FileError(
                f"{self._origin}: its tensors claim over {_SHARED} times its own size"
            )
        steps = [stride * dtype.itemsize for stride in strides]
        start = offset * dtype.itemsize
        try:
            if not elements:
                return np.zeros(size, dtype)
            return np.ndarray(size, dtype, self._read[name], start, steps)
        except (ValueError, TypeError):
            raise FileError(
                f"{self._origin}: a tensor of {list(size)} with strides "
                f"{list(strides)} from {offset} on leaves its storage {name!r}"
            ) from None

    def _storage(self, key: Any) -> tuple[str, np.dtype[Any], int]:
        match key:
            case ("storage", Global(name=of), str(name), str(), int(count)) if (
                of in STORAGES and len(name) < len("10000000") and count >= 0
            ):
                dtype = np.dtype(STORAGES[of])
            case _:
                raise FileError(f"{self._origin}: a tensor has no storage")
        if name not in self._read:
            self._read[name] = self._archive.read(f"{self._root}data/{name}")
        if len(self._read[name]) != count * dtype.itemsize:
            raise FileError(
                f"{self._origin}: storage {name!r} has {len(self._read[name])} bytes, "
                f"expected {count} elements of {dtype}"
            )
        return name, dtype, count


def _whole(numbers: Any) -> bool:
    return (
        isinstance(numbers, tuple | list)
        and len(numbers) <= _MAX_AXES
        and all(type(n) is int and 0 <= n < _MAX_NUMBER for n in numbers)
    )


def _named(found: Any, origin: str) -> dict[str, Array]:
    """Name tensors by the keys that lead to them; a dict seen twice counts once.

    Raises:
        FileError: Two have one name, or dicts are nested too deep.

    """
    arrays: dict[str, Array] = {}
    waiting: list[tuple[str, int, Any]] = [("", 0, found)]
    seen: set[int] = set()
    while waiting:
        prefix, depth, at = waiting.pop()
        if not isinstance(at, dict) or id(at) in seen:
            continue
        if depth > _MAX_DEPTH:
            raise FileError(f"{origin} has dicts over {_MAX_DEPTH} deep")
        seen.add(id(at))
        for key, value in at.items():
            name = f"{prefix}{key}"
            if not isinstance(value, np.ndarray):
                waiting.append((f"{name}.", depth + 1, value))
            elif name in arrays:
                raise FileError(f"{origin} has two tensors of the name {name[:100]!r}")
            else:
                arrays[name] = value
    return arrays
