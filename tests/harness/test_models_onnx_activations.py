"""Activations of ONNX nodes: what attributes say, and what ONNX Runtime computes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import rnn_parity
from rnn_parity.models.read import read
from rnn_parity_core import FileError

STEPS, ROWS, SIZE, UNITS = 7, 3, 4, 5


def onnx_model(kind: str, dtype: Any = np.float32, **told: Any) -> onnx.ModelProto:
    """Make a model of one node with drawn weights."""
    ways = 2 if told.get("direction") == "bidirectional" else 1
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind] * UNITS
    draw = np.random.default_rng(3).normal
    arrays = {
        "W": draw(0, 0.6, (ways, gates, SIZE)),
        "R": draw(0, 0.6, (ways, gates, UNITS)),
        "B": draw(0, 0.6, (ways, 2 * gates)),
    }
    tensors = [numpy_helper.from_array(a.astype(dtype), n) for n, a in arrays.items()]
    node = helper.make_node(
        kind, ["X", "W", "R", "B"], ["Y"], hidden_size=UNITS, **told
    )
    kind_of = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    x = helper.make_tensor_value_info("X", kind_of, (STEPS, ROWS, SIZE))
    y = helper.make_tensor_value_info("Y", kind_of, None)
    graph = helper.make_graph([node], "g", [x], [y], tensors)
    opsets = [helper.make_opsetid("", 14)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


BOTH: dict[str, Any] = {"direction": "bidirectional"}
TOLD: list[tuple[str, str, dict[str, Any]]] = [
    (
        "LSTM",
        "lstm.recurrent_hard_sigmoid_5",
        {"activations": ["HardSigmoid", "Tanh", "Tanh"]},
    ),
    (
        "LSTM",
        "lstm.recurrent_hard_sigmoid_5.output_hard_sigmoid",
        {
            "activations": ["HardSigmoid", "Tanh", "HardSigmoid"],
            "activation_alpha": [0.2, 1 / 6],
            "activation_beta": [0.5, 0.5],
        },
    ),
    (
        "LSTM",
        "lstm.recurrent_hard_sigmoid.activation_relu.output_softsign",
        BOTH
        | {
            "activations": ["HardSigmoid", "Relu", "Softsign"] * 2,
            "activation_alpha": [1 / 6, 1 / 6],
            "activation_beta": [0.5, 0.5],
        },
    ),
    (
        "GRU",
        "gru.recurrent_hard_sigmoid_5",
        BOTH
        | {
            "activations": ["HardSigmoid", "Tanh"] * 2,
            "activation_alpha": [0.2, 0.2],
            "linear_before_reset": 1,
        },
    ),
    (
        "GRU",
        "gru_reset_before.recurrent_softsign.activation_relu",
        {"activations": ["Softsign", "Relu"]},
    ),
    (
        "RNN",
        "rnn_tanh.activation_linear",
        {
            "activations": ["Affine"],
            "activation_alpha": [1.0],
            "activation_beta": [0.0],
        },
    ),
    ("RNN", "rnn_tanh.activation_sigmoid", {"activations": ["Sigmoid"]}),
]


@pytest.mark.parametrize(("kind", "cell", "told"), TOLD)
def test_a_node_is_the_cell_that_onnxruntime_computes(
    kind: str, cell: str, told: dict[str, Any], tmp_path: Path
) -> None:
    model = onnx_model(kind, **told)
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    x = np.random.default_rng(0).normal(0, 2, (STEPS, ROWS, SIZE)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (y,) = session.run(None, {"X": x})  # [T, directions, B, H]
    outputs = y.transpose(2, 0, 1, 3).reshape(ROWS, STEPS, -1)
    assert read(path).case.cell == cell
    report = rnn_parity.verify(
        path,
        inputs=np.ascontiguousarray(x.swapaxes(0, 1)),
        expected=np.ascontiguousarray(outputs),
        backends=["numpy", "onnxruntime"],
    )
    assert {one.verdict for one in report.results} == {"pass"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("its activations are sigmoid, relu; expected 3", ["Sigmoid", "Relu"]),
        (r"activations is elu\(1\); computed are Tanh", ["Elu", "Tanh", "Tanh"]),
        (r"is leakyrelu\(0.01", ["Sigmoid", "LeakyRelu", "Tanh"]),
        ("is softplus", ["Sigmoid", "Softplus", "Tanh"]),
        (r"is affine\(nan, nan\)", ["Sigmoid", "Affine", "Tanh"]),
    ],
)
def test_a_function_that_is_none_of_ours_is_refused_by_its_name(
    words: str, told: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(onnx_model("LSTM", activations=told), path)
    with pytest.raises(FileError, match=words):
        read(path)


HARD_GATES = ["HardSigmoid", "Tanh", "Tanh"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            r"is hardsigmoid\(0.25.*, 0.5\)",
            {"activations": HARD_GATES, "activation_alpha": [0.25]},
        ),
        (
            "more alpha or beta than",
            {"activations": HARD_GATES, "activation_alpha": [0.2, 0.2]},
        ),
        ("no activations that they are of", {"activation_alpha": [0.2]}),
        (
            "its directions differ",
            BOTH | {"activations": [*HARD_GATES, "Sigmoid", "Tanh", "Tanh"]},
        ),
        (
            "alpha and beta are float32 and the weights float64",
            {"activations": HARD_GATES, "dtype": np.float64},
        ),
    ],
)
def test_numbers_that_are_not_those_of_a_function_are_refused(
    words: str, told: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(onnx_model("LSTM", **told), path)
    with pytest.raises(FileError, match=words):
        read(path)
