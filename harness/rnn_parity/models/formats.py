"""The forms that a layer's file can have; others register theirs.

A distribution names a `ModelFormat` by the entry point group `rnn_parity.models`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from rnn_parity.models import canonical, flax_state, tf1, torch_file, torch_state
from rnn_parity.models.layer import Recurrent, Saved
from rnn_parity_core import ParityError
from rnn_parity_core.arrays import unpack
from rnn_parity_core.plugins import registered

GROUP = "rnn_parity.models"


@dataclass(frozen=True)
class ModelFormat:
    """How layers are read out of files and written, in one form."""

    name: str
    """What `rnn-parity convert --to` calls it; its layers' `convention`."""
    backend: str = "numpy"
    """The backend of the framework that it is of: it runs what such a file holds."""
    suffixes: tuple[str, ...] = ()
    """Endings of the files that `read` is for."""
    read: Callable[[bytes, str], list[Saved]] | None = None
    """A file's bytes, and what it is called in messages → its recurrent layers."""
    written_as: str = ""
    """Ending of the files that `write` makes."""
    write: Callable[[Recurrent], bytes] | None = None


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


def _write_keras(layer: Recurrent) -> bytes:
    from rnn_parity.models import keras_write  # noqa: PLC0415 - h5py is an extra

    return keras_write.write(layer)


def _write_onnx(layer: Recurrent) -> bytes:
    from rnn_parity.models import onnx_write  # noqa: PLC0415 - onnx is an extra

    return onnx_write.write(layer)


_TENSORS = ".safetensors"
BUILT_IN = (
    ModelFormat(
        *("torch", "torch", (".pt", ".pth", ".bin"), _torch),
        *(_TENSORS, torch_state.write),
    ),
    ModelFormat("keras", "tensorflow", (".keras",), _keras, ".keras", _write_keras),
    ModelFormat("hdf5", "tensorflow", (".h5",), _hdf5),
    ModelFormat("onnx", "onnxruntime", (".onnx",), _onnx, ".onnx", _write_onnx),
    # Of several conventions, which are told by the names in it.
    ModelFormat("safetensors", "numpy", (_TENSORS,), _safetensors),
    ModelFormat("canonical", "numpy", (), None, _TENSORS, canonical.write),
    ModelFormat("tensorflow-v1", "tensorflow:v1", (), None, _TENSORS, tf1.write),
    ModelFormat("flax", "flax", (), None, _TENSORS, flax_state.write),
)


def formats() -> dict[str, ModelFormat]:
    """Return every form by name: the built-in ones, then those of others.

    Raises:
        ParityError: One that is registered takes a name or an ending of another.

    """
    found = {of.name: of for of in BUILT_IN}
    for origin, of in registered(GROUP, ModelFormat):
        taken = {suffix for known in found.values() for suffix in known.suffixes}
        for name in [of.name] * (of.name in found) + sorted(taken & {*of.suffixes}):
            raise ParityError(f"{origin} takes {name!r}, which is in use")
        found[of.name] = of
    return found


def readers() -> dict[str, Callable[[bytes, str], list[Saved]]]:
    """Return what reads a file, by its ending."""
    every = formats().values()
    return {suffix: of.read for of in every if of.read for suffix in of.suffixes}


class Writer(NamedTuple):
    """How a layer is written in one form, and what then runs it."""

    suffix: str
    write: Callable[[Recurrent], bytes]
    backend: str


def writers() -> dict[str, Writer]:
    """Return what writes a file, by the name of its form."""
    return {
        name: Writer(of.written_as, of.write, of.backend)
        for name, of in formats().items()
        if of.write
    }
