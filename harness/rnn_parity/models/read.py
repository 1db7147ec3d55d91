"""Which reader a file is for, and what may be opened at all."""

from collections.abc import Collection
from pathlib import Path

from rnn_parity.models.formats import readers
from rnn_parity.models.layer import UNNAMED, Recurrent, Saved
from rnn_parity.models.settle import settle
from rnn_parity.models.stack import by_name, stacked
from rnn_parity_core import Array, FileError, UsageError, unknown_name
from rnn_parity_core.arrays import unpack
from rnn_parity_core.files import read_bytes

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
        if name not in found and list(found) == [UNNAMED]:
            raise UsageError(
                f"{path} has one layer, and no name for it; leave out --layer {name}"
            )
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
    known = readers()
    if path.suffix not in known:
        raise FileError(
            f"{path}: expected a file that ends in {', '.join(known)}; of PyTorch, "
            "torch.save(model.state_dict(), FILE) writes a .pt"
        )
    data, origin = read_bytes(path, MAX_BYTES), str(path)
    return known[path.suffix](data, origin)


def read_arrays(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a safetensors file: arrays, and its metadata.

    Raises:
        FileError: It cannot be read, or is too large, or not whole.

    """
    return unpack(read_bytes(path, MAX_BYTES), str(path))
