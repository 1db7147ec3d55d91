"""Which reader a file is for, and what may be opened at all."""

from collections.abc import Callable, Collection
from pathlib import Path

from rnn_parity.models import canonical, flax_state, tf1, torch_file, torch_state
from rnn_parity.models.layer import Recurrent, Saved
from rnn_parity.models.settle import settle
from rnn_parity.models.stack import by_name, stacked
from rnn_parity_core.arrays import unpack
from rnn_parity_core.errors import FileError, unknown_name
from rnn_parity_core.files import read_bytes
from rnn_parity_core.spec import Array

MAX_BYTES = 2**31
"""Of a file; `memory` has what a reader may take up beside it."""


def read(
    path: Path, layer: str = "", cell: str = "", ignore: Collection[str] = ()
) -> Recurrent:
    """Take the recurrent layer that is named out of a file, or the only one.

    Args:
        path: The file.
        layer: Name of the layer. Several names, separated by commas, are a stack: each
            reads the one before.
        cell: Which cell it is, if the file does not say.
        ignore: Names of tensors and settings in its scope that take no part.

    Raises:
        FileError: The file is broken, of an unknown format, or holds several layers, or
            something in the layer's scope is not read.
        UsageError: There is no such layer, or the file does not say which cell it is.

    """
    found = by_name(saved_layers(path))
    if not found:
        raise FileError(
            f"{path} holds no recurrent layer; expected names as PyTorch, Keras, "
            "TensorFlow 1 and Flax give them, weight_ih_l0, …, or ONNX' nodes"
        )
    if not layer and len(found) > 1:
        listed = "; ".join(
            f"{name} ({', '.join(filter(None, [_cells(of), of.sizes]))})"
            for name, of in found.items()
        )
        raise FileError(
            f"{path} holds several layers, name one by --layer: {listed}; or some "
            "that read one another as a stack: --layer FIRST,SECOND"
        )
    names = [layer or next(iter(found))]
    if layer and layer not in found:
        names = layer.split(",")
    for name in names:
        if name not in found:
            raise unknown_name(f"layer of {path}", name, found)
    return settle(stacked([found[name] for name in names]), cell, ignore)


def _cells(layer: Saved) -> str:
    return " or ".join(filter(None, layer.cells)) or "not read"


def read_whole(path: Path, cell: str) -> Recurrent:
    """Take all layers of a file as one stack, as `write` wrote them.

    Raises:
        FileError: They are none.

    """
    return settle(stacked(saved_layers(path)), cell)


def saved_layers(path: Path) -> list[Saved]:
    """Find the recurrent layers of a file.

    Raises:
        FileError: The file is broken, or of an unknown format.
        UsageError: What reads the format is not installed.

    """
    if path.suffix not in _READERS:
        raise FileError(
            f"{path}: expected a file that ends in {', '.join(_READERS)}; of PyTorch, "
            "torch.save(model.state_dict(), FILE) writes a .pt"
        )
    data, origin = read_bytes(path, MAX_BYTES), str(path)
    return _READERS[path.suffix](data, origin)


def read_arrays(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a safetensors file: arrays, and its metadata.

    Raises:
        FileError: It cannot be read, or is too large, or not whole.

    """
    return unpack(read_bytes(path, MAX_BYTES), str(path))


def _safetensors(data: bytes, origin: str) -> list[Saved]:
    arrays, metadata = unpack(data, origin)
    if metadata.get("format") == canonical.FORMAT:
        return [canonical.saved(arrays, metadata.get("cell", ""), origin)]
    return [
        *torch_state.saved(arrays, origin),
        *tf1.saved(arrays, metadata, origin),
        *flax_state.saved(arrays, origin),
    ]


def _torch(data: bytes, origin: str) -> list[Saved]:
    return torch_state.saved(torch_file.read_arrays(data, origin), origin)


def _keras(data: bytes, origin: str) -> list[Saved]:
    from rnn_parity.models import keras_file  # noqa: PLC0415 - h5py is an extra

    return keras_file.saved_model(data, origin)


def _hdf5(data: bytes, origin: str) -> list[Saved]:
    from rnn_parity.models import keras_file  # noqa: PLC0415 - h5py is an extra

    return keras_file.saved_weights(data, origin)


def _onnx(data: bytes, origin: str) -> list[Saved]:
    from rnn_parity.models import onnx_file  # noqa: PLC0415 - onnx is an extra

    return onnx_file.saved(data, origin)


_READERS: dict[str, Callable[[bytes, str], list[Saved]]] = {
    ".safetensors": _safetensors,
    **dict.fromkeys((".pt", ".pth", ".bin"), _torch),
    ".keras": _keras,
    ".h5": _hdf5,
    ".onnx": _onnx,
}
