"""Which writer a form is for, and how its files are named."""

from collections.abc import Callable
from typing import NamedTuple

from rnn_parity.models import canonical, flax_state, tf1, torch_state
from rnn_parity.models.layer import Recurrent


class Writer(NamedTuple):
    """How a layer is written in one form."""

    suffix: str
    write: Callable[[Recurrent], bytes]


def _keras(layer: Recurrent) -> bytes:
    from rnn_parity.models import keras_write  # noqa: PLC0415 - h5py is an extra

    return keras_write.write(layer)


def _onnx(layer: Recurrent) -> bytes:
    from rnn_parity.models import onnx_write  # noqa: PLC0415 - onnx is an extra

    return onnx_write.write(layer)


WRITERS = {
    "torch": Writer(".safetensors", torch_state.write),
    "keras": Writer(".keras", _keras),
    "tensorflow-v1": Writer(".safetensors", tf1.write),
    "flax": Writer(".safetensors", flax_state.write),
    "onnx": Writer(".onnx", _onnx),
    "canonical": Writer(".safetensors", canonical.write),
}
"""Forms that `rnn-parity convert --to` knows."""
