"""Layers that frameworks saved, in the form of others, and back; and run there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from msgspec.structs import replace

import frameworks
from rnn_parity.models import hdf5, keras_write, torch_file
from rnn_parity.models.archive import Archive
from rnn_parity.models.read import read, saved_layers
from rnn_parity.runs.equivalence import Parity
from rnn_parity.runs.registry import known_backends
from rnn_parity_core import Array, Problem
from rnn_parity_core.arrays import pack, unpack
from support import bits_equal

Cli = Callable[..., tuple[int, str, str]]

FEATURES, UNITS, LAYERS = 4, 5, 2
SIZES = {"FEATURES": FEATURES, "UNITS": UNITS, "LAYERS": LAYERS}

TORCH = """
import torch
torch.manual_seed(3)
for name, kind in (("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM)):
    layer = kind(FEATURES, UNITS, num_layers=LAYERS, bidirectional=True)
    torch.save(layer.state_dict(), f"{files[0]}/{name}.pt")
"""
KERAS = """
import keras
keras.utils.set_random_seed(3)
def layer(kind):
    return keras.layers.Bidirectional(kind(UNITS, return_sequences=True))
for name, kind in (("lstm", keras.layers.LSTM), ("gru", keras.layers.GRU)):
    shape = keras.Input((None, FEATURES))
    model = keras.Sequential([shape, *(layer(kind) for _ in range(LAYERS))])
    for weight in model.weights:
        weight.assign(np.random.default_rng(5).normal(size=weight.shape) / 2)
    model.save(f"{files[0]}/{name}.keras")
"""


def arrays_of(path: Path) -> dict[str, Array]:
    """Give a file's own arrays."""
    data = path.read_bytes()
    if path.suffix == ".pt":
        return torch_file.read_arrays(data, "t")
    if path.suffix == ".keras":
        return hdf5.read(Archive(data, "k").read("model.weights.h5"), "k").arrays
    return unpack(data, "s")[0]


def assert_same(one: Path, other: Path) -> None:
    first, second = arrays_of(one), arrays_of(other)
    assert first.keys() == second.keys()
    assert all(bits_equal(array, second[name]) for name, array in first.items())


def convert(command_line: Cli, source: str, to: str, out: str) -> None:
    chosen = ["--layer", layers_of(source)]
    done = command_line("convert", source, "--to", to, "-o", out, *chosen)
    assert done[0] == 0, done


def assert_runs(script: str, file: str, source: str, backend: str) -> None:
    """Hold what a framework makes of a file to the certificate, for its source."""
    found = read(Path(source), layers_of(source))
    case = replace(found.case, batch=3, steps=6, seed=2)

    def converted(problem: Problem) -> dict[str, Array]:
        made = frameworks.run(script, Path(file), given=problem.arrays, **SIZES)
        return {name: made[name] for name in problem.case.output_shapes()}

    info = known_backends()[backend]
    errors = info.accuracy["float32"]
    ulp = {name: error.ulp for name, error in errors.items()}
    # What ONNX Runtime errs by on top of ulps comes with the backend alone.
    absolute = any(error.absolute for error in errors.values())
    reference = backend if absolute else None
    with Parity() as parity:
        parity.assert_equivalent(
            converted, case=case, weights=found.weights, ulp=ulp, reference=reference
        )


def layers_of(file: str) -> str:
    """Name all layers of a file, as a stack."""
    return ",".join(layer.name for layer in saved_layers(Path(file)))


def put_on_grid(file: str) -> None:
    """Round a file's biases so that 1 can be taken off and added again."""
    arrays, metadata = unpack(Path(file).read_bytes(), file)
    for name, array in arrays.items():
        if name.endswith("bias"):
            arrays[name] = np.round(array * 1024) / np.float32(1024)
    Path(file).write_bytes(pack(arrays, metadata))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of files that Keras and PyTorch saved."""
    folder = tmp_path_factory.mktemp("saved")
    frameworks.run(KERAS, folder, **SIZES)
    frameworks.run(TORCH, folder, **SIZES)
    return folder


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_stack_of_keras_is_pytorchs_and_back_bit_for_bit(
    kind: str, saved: Path, command_line: Cli
) -> None:
    source = str(saved / f"{kind}.keras")
    convert(command_line, source, "torch", "t.safetensors")
    convert(command_line, "t.safetensors", "keras", "k.keras")
    convert(command_line, "k.keras", "torch", "again.safetensors")
    assert_same(Path("t.safetensors"), Path("again.safetensors"))
    assert_same(Path(source), Path("k.keras"))
    assert_runs(frameworks.TORCH_LAYER, "t.safetensors", source, "torch")


FORMS = {
    "keras": ("k.keras", frameworks.KERAS_MODEL, "tensorflow"),
    "onnx": ("o.onnx", frameworks.ONNX_MODEL, "onnxruntime"),
}


@pytest.mark.parametrize(
    ("kind", "to"), [("gru", "keras"), ("gru", "onnx"), ("lstm", "onnx")]
)
def test_a_stack_of_pytorch_is_anothers_and_back_bit_for_bit(
    kind: str, to: str, saved: Path, command_line: Cli
) -> None:
    source, (file, script, backend) = str(saved / f"{kind}.pt"), FORMS[to]
    convert(command_line, source, to, file)
    convert(command_line, file, "torch", "t.safetensors")
    assert_same(Path(source), Path("t.safetensors"))
    assert_runs(script, file, source, backend)


def test_where_a_form_has_one_bias_the_sum_of_two_comes_back_bit_for_bit(
    saved: Path, command_line: Cli
) -> None:
    source = str(saved / "lstm.pt")
    convert(command_line, source, "keras", "k.keras")
    convert(command_line, "k.keras", "torch", "t.safetensors")
    before, after = arrays_of(Path(source)), arrays_of(Path("t.safetensors"))
    assert before.keys() == after.keys()
    for name, array in before.items():
        if name.startswith("weight"):
            assert bits_equal(array, after[name])
    for name in (n for n in before if n.startswith("bias_ih")):
        other = name.replace("ih", "hh")
        assert not bits_equal(before[name], after[name])
        assert bits_equal(before[name] + before[other], after[name] + after[other])
    assert "bias_ih + bias_hh is rounded" in command_line(
        "convert", source, "--to", "torch", "-o", "t.safetensors"
    )[1]  # fmt: skip


def test_biases_that_are_written_other_than_they_were_are_refused(
    saved: Path, command_line: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_write, "biases_to_keras", lambda both: both[::-1])
    out = ["convert", str(saved / "gru.pt"), "--to", "keras", "-o", "k.keras"]
    status, _, said = command_line(*out)
    assert status == 2
    assert "does not hold" in said
    assert "is read back as" in said
    assert not Path("k.keras").exists()


@pytest.mark.parametrize(
    ("to", "file", "script", "backend"),
    [
        ("keras", "o.keras", frameworks.KERAS_MODEL, "tensorflow"),
        ("onnx", "o.onnx", frameworks.ONNX_MODEL, "onnxruntime"),
        ("flax", "o.safetensors", frameworks.FLAX_STATE, "flax"),
        ("tensorflow-v1", "o.safetensors", frameworks.V1_VARIABLES, "tensorflow:v1"),
    ],
)
def test_every_form_of_an_lstm_runs_in_its_framework_and_comes_back_bit_for_bit(
    to: str, file: str, script: str, backend: str, saved: Path, command_line: Cli
) -> None:
    convert(command_line, str(saved / "lstm.keras"), "canonical", "c.safetensors")
    put_on_grid("c.safetensors")
    convert(command_line, "c.safetensors", to, file)
    convert(command_line, file, "canonical", "b.safetensors")
    assert_same(Path("c.safetensors"), Path("b.safetensors"))
    assert_runs(script, file, "c.safetensors", backend)


def test_a_weight_that_a_converted_file_has_wrong_is_seen(
    saved: Path, command_line: Cli
) -> None:
    source = str(saved / "lstm.keras")
    convert(command_line, source, "onnx", "o.onnx")
    model = onnx.load("o.onnx")
    (tensor,) = [t for t in model.graph.initializer if t.name == "R_1"]
    wrong = onnx.numpy_helper.to_array(tensor).copy()
    wrong[0, 3, 2] += 1e-4
    tensor.CopyFrom(onnx.numpy_helper.from_array(wrong, "R_1"))
    onnx.save(model, "o.onnx")
    with pytest.raises(AssertionError, match="outside the bound"):
        assert_runs(frameworks.ONNX_MODEL, "o.onnx", source, "onnxruntime")


def test_forget_biases_that_1_off_would_round_are_for_cells_that_add_nothing(
    saved: Path, command_line: Cli
) -> None:
    source = str(saved / "lstm.keras")
    convert(command_line, source, "tensorflow-v1", "v.safetensors")
    told = frameworks.V1_VARIABLES.replace("UNITS)", "UNITS, forget_bias=0.0)")
    assert_runs(told, "v.safetensors", source, "tensorflow:v1")
    with pytest.raises(AssertionError, match="1 added to the forget gate"):
        assert_runs(frameworks.V1_VARIABLES, "v.safetensors", source, "tensorflow:v1")
    _, said, _ = command_line("verify", "v.safetensors", "--backends", "numpy")
    assert "the file says forget_bias=0: make the cells with it" in said
    arrays, metadata = unpack(Path("v.safetensors").read_bytes(), "v")
    assert metadata["forget_bias"] == "0"
    changed = pack(arrays, {**metadata, "forget_bias": "0.5"})
    Path("v.safetensors").write_bytes(changed)
    status, _, said = command_line("verify", "v.safetensors", "--backends", "numpy")
    assert status == 2
    assert "its forget_bias is '0.5', expected 1 or 0" in said


def test_a_weight_that_no_halves_give_back_is_refused_by_name(
    saved: Path, command_line: Cli
) -> None:
    convert(command_line, str(saved / "lstm.keras"), "canonical", "c.safetensors")
    arrays, metadata = unpack(Path("c.safetensors").read_bytes(), "c")
    bias = arrays["layer1.reverse.bias"].copy()
    bias[7] = np.float32(1e-45)  # the smallest that there is
    changed = {**arrays, "layer1.reverse.bias": bias}
    Path("c.safetensors").write_bytes(pack(changed, metadata))
    status, _, said = command_line(
        "convert", "c.safetensors", "--to", "torch", "-o", "t.safetensors"
    )
    assert status == 2
    assert "layer1.reverse.bias[7] 1e-45 is read back as 0.0" in said
    assert not Path("t.safetensors").exists()
