"""Files made to harm: each refused in one line, nothing run, little read."""

import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hostile import layer, torch_zip
from rnn_parity.models import keras_write, onnx_write

Cli = Callable[..., tuple[int, str, str]]
Refused = Callable[[bytes, str, str], str]


def node(change: Callable[[onnx.ModelProto], object]) -> bytes:
    """Write a model of a layer, and change it."""
    case = "lstm-dynamic-B1-T1-D4-H5-f32-s1"
    model = onnx.ModelProto.FromString(onnx_write.write(layer(case)))
    change(model)
    return model.SerializeToString()


def initializer(model: onnx.ModelProto, name: str) -> TensorProto:
    return next(t for t in model.graph.initializer if t.name == f"{name}_0")


def lstm(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.op_type == "LSTM")


def external_data(model: onnx.ModelProto) -> None:
    onnx.external_data_helper.set_external_data(initializer(model, "W"), "/etc/passwd")
    initializer(model, "W").ClearField("raw_data")


def integers(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.zeros((1, 20, 4), np.int32), "W_0")
    initializer(model, "W").CopyFrom(tensor)


def computed(model: onnx.ModelProto) -> None:
    initializer(model, "R").Clear()


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("is kept in another file, which was not opened", external_data),
        ("its W is none of float64", integers),
        ("its R is no constant of the model", computed),
    ],
)
def test_a_node_without_its_weights_is_refused(
    words: str, change: Callable[[onnx.ModelProto], object], refused: Refused
) -> None:
    refused(node(change), "m.onnx", words)


@pytest.mark.parametrize("sizes", [(2**40, 2**40), (-1, 20, -4), (1,) * 99, (1, 20, 5)])
def test_a_tensor_of_other_sizes_than_it_has_numbers_is_refused(
    sizes: tuple[int, ...], refused: Refused
) -> None:
    def change(model: onnx.ModelProto) -> None:
        initializer(model, "W").dims[:] = sizes

    refused(node(change), "m.onnx", "its W has 80 numbers for shape")


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("it has clip", "clip", 1.0),
        ("it has input_forget", "input_forget", 1),
        ("its activations are sigmoid, relu", "activations", ["Sigmoid", "Relu"]),
        ("its direction is 'sideways'", "direction", "sideways"),
        ("its direction is '3'", "direction", 3),
        ("its activations are 7; expected 3", "activations", 7),
        ("its hidden_size is 6", "hidden_size", 6),
        ("its hidden_size is 0", "hidden_size", "5"),
    ],
)
def test_a_node_that_computes_something_else_is_refused(
    words: str, name: str, value: Any, refused: Refused
) -> None:
    def change(model: onnx.ModelProto) -> None:
        for old in [a for a in lstm(model).attribute if a.name == name]:
            lstm(model).attribute.remove(old)
        lstm(model).attribute.append(helper.make_attribute(name, value))

    refused(node(change), "m.onnx", words)


@pytest.mark.parametrize("name", ["m.onnx", "m.keras", "m.h5", "m.pt", "m.safetensors"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_a_truncated_file_is_refused(share: float, name: str, refused: Refused) -> None:
    keras = keras_write.write(layer())
    whole = {
        "m.onnx": onnx_write.write(layer()),
        "m.keras": keras,
        "m.h5": zipfile.ZipFile(BytesIO(keras)).read("model.weights.h5"),
        "m.pt": torch_zip(b"\x80\x02}.", **{"data/0": bytes(16)}),
        "m.safetensors": b"\x10\0\0\0\0\0\0\0" + b'{"a":{}}' + bytes(90),
    }[name]
    said = refused(whole[: int(len(whole) * share)], name, "")
    assert "whole" in said or "truncated" in said
