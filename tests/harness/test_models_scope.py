"""What is in a layer's scope and not read refuses it by name; what is beside does not.

The names are those of public implementations: PyTorch's benchmarks/fastrnns, LSTMCells
with normalization, TensorFlow 1's contrib cells, Flax' cells in somebody's own.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import rnn_parity
from hostile import LONE, layer
from rnn_parity.models import canonical
from rnn_parity.models.read import read
from rnn_parity_core import Array, FileError, UsageError
from rnn_parity_core.arrays import pack, unpack
from rnn_parity_reports.results import read_report_document

Cli = Callable[..., tuple[int, str, str]]
FILES = Path(__file__).parent / "files"
H, D = 5, 4


def drawn(*shape: int) -> Array:
    return np.random.default_rng(3).normal(size=shape).astype("float32")


def torch(prefix: str = "", end: str = "_l0", gates: int = 4) -> dict[str, Array]:
    """Give a layer of PyTorch, or with no `end` a cell."""
    g = gates * H
    shapes = {
        "weight_ih": (g, D),
        "weight_hh": (g, H),
        "bias_ih": (g,),
        "bias_hh": (g,),
    }
    return {f"{prefix}{name}{end}": drawn(*shape) for name, shape in shapes.items()}


def vectors(*names: str, size: int = H) -> dict[str, Array]:
    return {name: drawn(size) for name in names}


def norm(*names: str, size: int = H) -> dict[str, Array]:
    return vectors(*(f"{n}.{w}" for n in names for w in ("weight", "bias")), size=size)


def v1(scope: str) -> dict[str, Array]:
    return {f"{scope}/kernel": drawn(D + H, 4 * H), f"{scope}/bias": drawn(4 * H)}


def flax(cell: str = "cell.") -> dict[str, Array]:
    return {
        f"{cell}dense_i.kernel": drawn(D, 4 * H),
        f"{cell}dense_h.kernel": drawn(H, 4 * H),
        f"{cell}dense_h.bias": drawn(4 * H),
    }


def saved(arrays: dict[str, Array], folder: Path) -> Path:
    save_file(arrays, folder / "m.safetensors")
    return folder / "m.safetensors"


IN_THE_STEP = [
    # In the module that holds the weights, under whatever name.
    (torch(), norm("ln_ih", "ln_hh", size=4 * H)),
    (torch(), norm("layernorm_i")),
    (torch(), norm("norm.0", "norm.1")),
    (torch(), norm("ln_i2h")),
    (torch(), vectors("gamma", "beta_h", "h0")),
    (torch(gates=3), norm("layernorm_h", size=3 * H)),
    (torch("encoder.lstm."), norm("encoder.lstm.ln_cell")),
    (torch("rnn.", end=""), norm("rnn.ln_ih", "rnn.ln_ho")),
    (torch("layers.0.cell.", ""), norm("layers.0.cell.layernorm_h")),
    (torch("layers.0.cell.", ""), norm("layers.0.cell.layernorm_c")),
    (torch("rnn."), {"rnn.weight_hm_l0": drawn(20, H)}),
    # A cell inside of a cell, as hypernetworks have it.
    (torch("rnn.", end=""), torch("rnn.hyper.", end="")),
    # Beside a cell that a module of somebody's own calls step by step.
    (torch("rnn.lstm_cell.", ""), norm("rnn.ln_h")),
    (torch("cell.", ""), norm("norm", size=4 * H)),
    (torch("rnn.cells.0.", ""), norm("rnn.norms.0")),
    (torch("rnn.cell.", ""), vectors("rnn.gamma", "rnn.beta")),
    # TensorFlow 1: contrib's LayerNormBasicLSTMCell, block cells, Keras' names.
    (
        v1("rnn/basic_lstm_cell"),
        vectors("rnn/basic_lstm_cell/input/gamma", "rnn/basic_lstm_cell/state/beta"),
    ),
    (
        {"rnn/layer_norm_basic_lstm_cell/kernel": drawn(D + H, 4 * H)},
        vectors("rnn/layer_norm_basic_lstm_cell/input/gamma"),
    ),
    ({}, vectors("rnn/gru_cell/w_ru", "rnn/gru_cell/w_c", "rnn/gru_cell/b_ru")),
    (v1("rnn/lstm_cell"), {"rnn/lstm_cell/recurrent_kernel": drawn(H, 4 * H)}),
    # Flax: in a cell of somebody's own, or around one.
    (flax("rnn.cell."), vectors("rnn.cell.norm.scale")),
    (flax("rnn.cell.cell."), vectors("rnn.cell.norm.scale", "rnn.cell.norm.bias")),
    (flax("forward_rnn.cell."), {"forward_rnn.cell.dense_m.kernel": drawn(H, H)}),
    (flax("decoder.cell."), vectors("decoder.norm.scale")),
]


@pytest.mark.parametrize(("arrays", "others"), IN_THE_STEP)
def test_what_may_take_part_in_the_step_refuses_the_layer_by_its_name(
    arrays: dict[str, Array], others: dict[str, Array], tmp_path: Path
) -> None:
    path = saved(arrays | others, tmp_path)
    with pytest.raises(
        FileError, match="not read, so that nothing can be cert"
    ) as error:
        read(path, _outermost(path))
    assert all(name in str(error.value) for name in [*others][:4])


def _outermost(path: Path) -> str:
    """Name the layer of a file that the others are in, if there are several."""
    try:
        read(path)
    except FileError as error:
        return "rnn" if "holds several layers" in str(error) else ""
    return ""


BESIDE = [
    (torch("encoder.lstm."), norm("encoder.ln", "encoder.lstm_norm")),
    (torch("lstm."), norm("ln") | {"h0": drawn(1, 1, H)}),
    (torch("lstm."), torch("decoder.lstm.") | norm("decoder.lstm.layernorm_i")),
    # A head of one output is no normalization, whatever its size.
    (
        torch("lstm_cell.", ""),
        {"final_conv.weight": drawn(1, H, 1), "final_conv.bias": drawn(1)},
    ),
    (
        torch("decoder.cell.", ""),
        {"decoder.fc.weight": drawn(H, H), "decoder.fc.bias": drawn(H)},
    ),
    (torch("rnn.cell.", ""), norm("norm")),
    (torch("cell.", ""), norm("prenet", size=7)),
    (v1("rnn/lstm_cell"), vectors("dense/kernel", "layer_norm/gamma")),
    (v1("rnn/lstm_cell"), vectors("rnn/lstm_cell/kernel/Adam_1")),
    (flax("rnn.cell."), vectors("norm.scale")),
    (flax("forward_rnn.cell."), vectors("norm.scale")),
    (flax("cell."), {"cell.rngs.carry.count": np.zeros((), "int32")}),
]


@pytest.mark.parametrize(("arrays", "others"), BESIDE)
def test_other_layers_of_a_model_are_not_refused(
    arrays: dict[str, Array], others: dict[str, Array], tmp_path: Path
) -> None:
    path = saved(arrays | others, tmp_path)
    both = any("decoder.lstm.w" in name for name in others)
    found = read(path, "lstm" if both else "")
    assert found.case.cell == "lstm"
    assert found.notes[0].startswith(f"read: {len(arrays)} tensors, ")


def test_what_is_read_and_what_is_not_part_of_it_is_said_before_the_run(
    command_line: Cli,
) -> None:
    arrays = torch("enc.lstm.") | norm("enc.ln", "dec.a", "dec.b", "fc")
    save_file(arrays, "m.safetensors")
    _, said, _ = command_line("verify", "m.safetensors", "--backends", "numpy")
    lines = [line.strip() for line in said.splitlines()]
    read_line = next(line for line in lines if line.startswith("read: "))
    assert all(name in read_line for name in torch("enc.lstm."))
    beside = next(line for line in lines if line.startswith("not part of it: "))
    assert beside.startswith("not part of it: 8 tensors of other layers, ")
    assert {*beside.partition("layers, ")[2].split(", ")} == {
        "enc.ln.*",
        "dec.*",
        "fc.*",
    }
    assert lines.index(beside) < next(n for n, at in enumerate(lines) if "✓" in at)


def test_names_that_are_ignored_are_said_and_said_again_to_do_it_again(
    command_line: Cli,
) -> None:
    save_file(torch() | vectors("gamma", "beta"), "m.safetensors")
    command = ["verify", "m.safetensors", "--backends", "numpy", "--out", "r"]
    one = ["--ignore", "gamma"]
    status, _, said = command_line(*command, *one)
    assert (status, "it has beta [5]: not read" in said) == (2, True)
    status, said, _ = command_line(*command, *one, "--ignore", "beta")
    assert (status, "assumed, as you say: gamma, beta is no part" in said) == (0, True)
    again = read_report_document(Path("r")).results[0].reproduce
    assert again.endswith("--ignore gamma --ignore beta --backends numpy")
    status, _, said = command_line(*command, "--ignore", "gama")
    assert (status, "did you mean gamma?" in said) == (2, True)
    to = ["--to", "torch", "-o", "t.safetensors"]
    assert command_line("convert", "m.safetensors", *to, *one)[0] == 2
    assert (
        command_line("convert", "m.safetensors", *to, *one, "--ignore", "beta")[0] == 0
    )


def test_the_functions_take_names_to_ignore(tmp_path: Path) -> None:
    path = saved(torch() | vectors("gamma"), tmp_path)
    with pytest.raises(FileError, match="gamma"):
        rnn_parity.verify(path, backends=["numpy"])
    assert rnn_parity.verify(path, backends=["numpy"], ignore="gamma").exit_status == 0
    with pytest.raises(UsageError, match="unknown name to ignore"):
        rnn_parity.verify(path, backends=["numpy"], ignore=["weight_hh_l0"])
    new = tmp_path / "t.safetensors"
    with pytest.raises(FileError, match="gamma"):
        rnn_parity.convert(path, "torch", new)
    rnn_parity.convert(path, "torch", new, ignore=["gamma"])
    assert unpack(new.read_bytes(), "t")[0].keys() == torch().keys()


def test_an_ignored_name_of_one_layer_is_no_name_of_a_stack_of_others(
    tmp_path: Path,
) -> None:
    cells = torch("cells.0.", "") | torch("cells.1.", "")
    path = saved(
        {**cells, "cells.1.weight_ih": drawn(20, H)} | norm("norms.0"), tmp_path
    )
    with pytest.raises(FileError, match=r"norms.0.bias \[5\], norms.0.weight"):
        read(path, "cells.0,cells.1")
    found = read(path, "cells.0,cells.1", ignore=["norms.0.weight", "norms.0.bias"])
    assert (found.case.layers, found.notes[0][:15]) == (2, "read: 8 tensors")


@pytest.mark.parametrize(
    ("file", "names"),
    [
        (
            "weight_norm_new.pt",
            [f"parametrizations.weight_hh_l0.original{n}" for n in (0, 1)],
        ),
        ("weight_norm_old.pt", ["weight_hh_l0_g", "weight_hh_l0_v"]),
    ],
)
def test_parts_of_normalized_weights_are_refused_by_their_names(
    file: str, names: list[str]
) -> None:
    with pytest.raises(FileError, match="not read") as error:
        read(FILES / file)
    assert all(name in str(error.value) for name in names)


def test_a_parametrization_of_another_layer_is_no_recurrent_one(tmp_path: Path) -> None:
    others = {"conv.parametrizations.weight.original0": drawn(3)}
    found = read(saved(torch("rnn.") | others | vectors("fc.weight_g"), tmp_path))
    assert found.name == "rnn"


def test_weights_before_dropout_are_read_and_not_their_copies() -> None:
    found = read(FILES / "fastai1.pth")
    assert any("weight_hh_l0_raw: read as the weight" in note for note in found.notes)
    assert any("weight_hh_l0: not read, a copy" in note for note in found.notes)
    report = rnn_parity.verify(
        FILES / "fastai1.pth",
        inputs=FILES / "fastai1.x.npy",
        expected=FILES / "fastai1.out.npy",
        backends=["numpy"],
    )
    assert [result.verdict for result in report.results] == ["pass"] * 3
    alone = read(FILES / "awd_salesforce.pt")
    assert all((alone.weights[n] == array).all() for n, array in found.weights.items())


@pytest.mark.parametrize(
    "twin", ["rnn.weight_hh_l0_raw", "rnn.module.weight_hh_l0_raw"]
)
def test_weights_before_dropout_are_found_inside_and_outside(
    twin: str, tmp_path: Path
) -> None:
    arrays = torch("rnn.module.")
    arrays[twin] = arrays["rnn.module.weight_hh_l0"] * 2
    found = read(saved(arrays, tmp_path))
    doubled = arrays[twin].T
    assert (
        np.sort(found.weights["layer0.forward.recurrent_kernel"]) == np.sort(doubled)
    ).all()
    arrays["rnn.weight_hh_l0_raw"] = arrays["rnn.module.weight_hh_l0_raw"] = drawn(
        20, H
    )
    with pytest.raises(FileError, match="is there under two names"):
        read(saved(arrays, tmp_path))


def test_averages_of_weights_are_said_not_to_be_read(tmp_path: Path) -> None:
    name = "rnn/lstm_cell/kernel/ExponentialMovingAverage"
    found = read(saved(v1("rnn/lstm_cell") | {name: drawn(9, 20)}, tmp_path))
    assert any("ExponentialMovingAverage" in note for note in found.notes)


@pytest.mark.parametrize(
    "name", ["layer0.forward.gamma", "norm.scale", "layer0.up.bias"]
)
def test_more_than_weights_in_the_canonical_form_is_refused(
    name: str, tmp_path: Path
) -> None:
    arrays, metadata = unpack(canonical.write(layer(LONE)), "it")
    path = tmp_path / "m.safetensors"
    path.write_bytes(pack({**arrays, name: drawn(3)}, metadata))
    with pytest.raises(FileError, match=f"it has {name}"):
        read(path)
    assert read(path, ignore=[name]).case.cell == "lstm"
