"""A `.keras` of a layer, as `keras.saving.load_model` opens it."""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from zipfile import ZipFile, ZipInfo

from rnn_parity.models import hdf5
from rnn_parity.models.keras_config import snake
from rnn_parity.models.layer import Recurrent
from rnn_parity_backends.with_keras.layout import biases_to_keras, to_keras
from rnn_parity_core import CELLS, Array, Case, Cell, FileError
from rnn_parity_core.activations import ACTIVATIONS

_INNER = {"forward": "/forward_layer", "reverse": "/backward_layer"}
# Cell → Keras' layer, and what it is told to be that cell beside activations.
_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("SimpleRNN", {}),
    "rnn_relu": ("SimpleRNN", {}),
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {"reset_after": True}),
    "gru_reset_before": ("GRU", {"reset_after": False}),
}
_FUNCTIONS = (
    *("tanh", "sigmoid", "relu", "linear", "hard_sigmoid"),
    *("softsign", "relu6", "hard_tanh"),
)
_KERAS = "3.15.1"  # whose format this is


def write(layer: Recurrent) -> bytes:
    """Give a `.keras` of a `Sequential` of a layer's layers, from `[B, T, D]` on.

    Raises:
        FileError: Keras has no such layer.

    """
    case = layer.case
    cell = CELLS[case.cell]
    if cell.base not in _CLASSES:
        raise FileError(f"Keras has no layer for {case.cell}: choose --to canonical")
    _activations(cell)
    if case.direction == "reverse":
        raise FileError(
            "Keras leaves the outputs of a layer in reverse last step first: choose "
            "--to canonical"
        )
    kind = _CLASSES[cell.base][0]
    both = case.direction == "bidirectional"
    outer = "Bidirectional" if both else kind
    arrays: dict[str, Array] = {}
    layers: list[dict[str, Any]] = [_input(case)]
    for n in range(case.layers):
        name = snake(outer) + (f"_{n}" if n else "")
        own = _recurrent(case, f"{snake(kind)}_{n}" if both else name)
        layers.append(_both(own, name) if both else own)
        for way in case.directions:
            inner = _INNER[way] if both else ""
            native = to_keras(case.cell, layer.of_pass(n, way))
            if cell.base == "gru" and (n, way) in layer.biases:
                native[2] = biases_to_keras(layer.biases[n, way])
            for at, array in enumerate(native):
                arrays[f"layers/{name}{inner}/cell/vars/{at}"] = array
    model = _object("Sequential", {"name": "rnn_parity", "layers": layers}, "keras")
    return _zipped(
        {
            "metadata.json": json.dumps({"keras_version": _KERAS}).encode(),
            "config.json": json.dumps(model).encode(),
            "model.weights.h5": hdf5.written(arrays),
        }
    )


def _input(case: Case) -> dict[str, Any]:
    shape = [None, None, case.features]
    config = {"batch_shape": shape, "dtype": case.dtype, "name": "inputs"}
    return _object("InputLayer", config)


def _activations(cell: Cell) -> dict[str, str]:
    """Give Keras' settings of a cell's activations.

    Raises:
        FileError: Keras has no such function, or not at such places.

    """
    chosen = cell.chosen
    active = chosen["activation"]
    other = chosen.get("output_activation", active)
    if lacking := [name for name in chosen.values() if name not in _FUNCTIONS]:
        said = f"{ACTIVATIONS[lacking[0]].says} is no activation of Keras 3"
        raise FileError(f"{said}: choose --to onnx or canonical")
    if active != other:
        raise FileError(
            f"Keras has one activation for the candidate and the cell state, and this "
            f"has {active} and {other}: choose --to onnx or canonical"
        )
    settings = ("activation", "recurrent_activation")
    return {place: chosen[place] for place in settings if place in chosen}


def _recurrent(case: Case, name: str) -> dict[str, Any]:
    cell = CELLS[case.cell]
    kind, told = _CLASSES[cell.base]
    policy = _object("DTypePolicy", {"name": case.dtype}, "keras")
    config = {
        "name": name,
        "dtype": policy,
        "units": case.units,
        "use_bias": case.bias,
        "return_sequences": True,
        **_activations(cell),
        **told,
    }
    return _object(kind, config)


def _both(layer: dict[str, Any], name: str) -> dict[str, Any]:
    """Put a layer into a Bidirectional; Keras makes the other direction after it."""
    dtype = layer["config"]["dtype"]
    config = {"name": name, "dtype": dtype, "merge_mode": "concat", "layer": layer}
    return _object("Bidirectional", config)


def _object(kind: str, config: Any, module: str = "keras.layers") -> dict[str, Any]:
    """Give an object as keras.saving.serialize_keras_object has it."""
    return {
        "module": module,
        "class_name": kind,
        "config": config,
        "registered_name": None,
    }


def _zipped(members: Mapping[str, bytes]) -> bytes:
    """Store members; the same ones are the same bytes, whenever it is done."""
    buffer = BytesIO()
    with ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(ZipInfo(name), data)
    return buffer.getvalue()
