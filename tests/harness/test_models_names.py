"""Names that TensorFlow 1 and Flax give weights in safetensors."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rnn_parity.models.read import read, saved_layers
from rnn_parity_core import Array, FileError, ParityError


def drawn(*shape: int) -> Array:
    return np.random.default_rng(3).normal(size=shape).astype("float32")


def v1(scope: str, features: int = 4, units: int = 5) -> dict[str, Array]:
    """Give the variables of one legacy cell."""
    kind = scope.rpartition("/")[2]
    if kind == "gru_cell":
        return {
            f"{scope}/gates/kernel": drawn(features + units, 2 * units),
            f"{scope}/gates/bias": drawn(2 * units),
            f"{scope}/candidate/kernel": drawn(features + units, units),
            f"{scope}/candidate/bias": drawn(units),
        }
    size = units * (4 if "lstm" in kind else 1)
    return {
        f"{scope}/kernel": drawn(features + units, size),
        f"{scope}/bias": drawn(size),
    }


SLOTS = {"rnn/lstm_cell/kernel/Adam": drawn(2)}  # of an optimiser
PEEPHOLES = {f"rnn/lstm_cell/w_{gate}_diag": drawn(5) for gate in "fio"}
PROJECTION = {
    "rnn/lstm_cell/kernel": drawn(4 + 3, 20),
    "rnn/lstm_cell/bias": drawn(20),
    "rnn/lstm_cell/projection/kernel": drawn(5, 3),
}


@pytest.mark.parametrize(
    ("found", "arrays"),
    [
        ("rnn lstm 1 forward", v1("rnn/basic_lstm_cell")),
        (
            "rnn lstm 1 forward",
            v1("rnn/lstm_cell") | SLOTS,
        ),
        ("my/rnn gru_reset_before 1 forward", v1("my/rnn/gru_cell")),
        ("rnn lstm_peephole 1 forward", v1("rnn/lstm_cell") | PEEPHOLES),
        ("rnn lstm_projection 1 forward", PROJECTION),
        (
            "rnn lstm 2 forward",
            v1("rnn/multi_rnn_cell/cell_0/lstm_cell")
            | v1("rnn/multi_rnn_cell/cell_1/lstm_cell", features=5),
        ),
        (
            "lstm_cell lstm 1 bidirectional",
            v1("bidirectional_rnn/fw/lstm_cell") | v1("bidirectional_rnn/bw/lstm_cell"),
        ),
        (
            "bidirectional_rnn/bw lstm 2 reverse",
            v1("bidirectional_rnn/bw/multi_rnn_cell/cell_0/lstm_cell")
            | v1("bidirectional_rnn/bw/multi_rnn_cell/cell_1/lstm_cell", features=5),
        ),
    ],
)
def test_variables_of_tensorflow_1_are_found_by_their_scopes(
    found: str, arrays: dict[str, Array], tmp_path: Path
) -> None:
    save_file(arrays, tmp_path / "m.safetensors")
    layer = read(tmp_path / "m.safetensors")
    case = layer.case
    said = f"{layer.name} {case.cell} {case.layers} {case.direction}"
    assert (said, case.units) == (found, 5)
    assert any("forget_bias=1" in note for note in layer.notes) == ("lstm" in case.cell)


def cell(kind: str, prefix: str = "") -> dict[str, Array]:
    """Give the state of one cell of Flax."""
    if kind == "LSTMCell":
        gates = {f"i{g}": (4, 5) for g in ("i", "f_", "g", "o")}
        gates |= {f"h{g}": (5, 5) for g in "ifgo"}
        named = {f"{module}.kernel": drawn(*shape) for module, shape in gates.items()}
        named |= {f"h{g}.bias": drawn(5) for g in "ifgo"}
    else:
        size = 5 * {"OptimizedLSTMCell": 4, "GRUCell": 3, "SimpleCell": 1}[kind]
        biased = "dense_h" if kind == "OptimizedLSTMCell" else "dense_i"
        named = {
            "dense_i.kernel": drawn(4, size),
            "dense_h.kernel": drawn(5, size),
            f"{biased}.bias": drawn(size),
        }
    return {f"{prefix}cell.{name}": array for name, array in named.items()}


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        ("LSTMCell", "lstm"),
        ("OptimizedLSTMCell", "lstm"),
        ("GRUCell", "gru"),
        ("SimpleCell", "rnn_relu"),
    ],
)
def test_cells_of_flax_are_told_by_their_parameters(
    kind: str, ours: str, tmp_path: Path
) -> None:
    save_file(cell(kind, "enc."), tmp_path / "m.safetensors")
    if kind == "SimpleCell":
        with pytest.raises(ParityError, match="give --cell rnn_tanh or --cell"):
            read(tmp_path / "m.safetensors")
    layer = read(tmp_path / "m.safetensors", "enc", ours)
    assert (layer.case.cell, layer.case.direction) == (ours, "forward")


def test_layers_of_flax_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    arrays = {}
    for number in (10, 9, 2):
        for way in ("forward_rnn", "backward_rnn"):
            arrays |= cell("GRUCell", f"layers.{number}.{way}.")
    save_file(arrays, tmp_path / "m.safetensors")
    names = [layer.name for layer in saved_layers(tmp_path / "m.safetensors")]
    assert names == ["layers.2", "layers.9", "layers.10"]


GRU = cell("GRUCell")
GATED = cell("LSTMCell")
LSTM = cell("OptimizedLSTMCell")
V1_GRU = v1("rnn/gru_cell")
V1_LSTM = v1("rnn/lstm_cell")


@pytest.mark.parametrize(
    ("words", "arrays"),
    [
        (
            "dense_h.bias, dense_i.kernel is missing",
            {"cell.dense_h.kernel": drawn(5, 20)},
        ),
        ("dense_i.bias is not asked for", LSTM | {"cell.dense_i.bias": drawn(20)}),
        ("expected 1 .RNN.", GRU | {"cell.dense_h.kernel": drawn(5, 11)}),
        ("is missing or no matrix", GRU | {"cell.dense_h.kernel": drawn(5)}),
        ("hf.bias has shape", GATED | {"cell.hf.bias": drawn(4)}),
        ("if_.kernel has shape", GATED | {"cell.if_.kernel": drawn(3, 5)}),
        ("kernel has shape", V1_LSTM | {"rnn/lstm_cell/bias": drawn(19)}),
        ("is no cell's variables", {"rnn/lstm_cell/kernel": drawn(9, 20)}),
        ("gates/kernel has shape", V1_GRU | {"rnn/gru_cell/gates/kernel": drawn(9)}),
        ("candidate/kernel has", V1_GRU | {"rnn/gru_cell/gates/kernel": drawn(8, 10)}),
        ("layer 0 forward is missing", v1("rnn/multi_rnn_cell/cell_1/lstm_cell")),
        ("must each be at least 1", V1_LSTM | {"rnn/lstm_cell/kernel": drawn(3, 20)}),
    ],
)
def test_parameters_that_are_no_cell_are_refused(
    words: str, arrays: dict[str, Array], tmp_path: Path
) -> None:
    save_file(arrays, tmp_path / "m.safetensors")
    with pytest.raises(FileError, match=words):
        read(tmp_path / "m.safetensors")
