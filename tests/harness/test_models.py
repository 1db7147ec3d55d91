"""Layers out of files: run, written in another form, or refused in one line."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from rnn_parity.models import memory_limits
from rnn_parity.models.formats import writers
from rnn_parity.models.layer import Recurrent
from rnn_parity.models.memory_limits import bounded
from rnn_parity.models.read import saved_layers
from rnn_parity.store.folder import RunFolder
from rnn_parity_core import Array, FileError
from rnn_parity_core.arrays import unpack
from rnn_parity_core.cases import parse_id
from rnn_parity_fixtures import seeded
from rnn_parity_reports.results import read_report_document
from support import bits_equal

Cli = Callable[..., tuple[int, str, str]]

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def state(kind: str = "lstm", layers: int = 1, prefix: str = "") -> dict[str, Array]:
    """Give a bidirectional state_dict: its two biases are the same, halves of one."""
    rows, draw = 5 * GATES[kind], np.random.default_rng(7)
    found = {}
    for n in range(layers):
        for end in (f"_l{n}", f"_l{n}_reverse"):
            shapes = {"weight_ih": (rows, 10 if n else 4), "weight_hh": (rows, 5)}
            for name, shape in {**shapes, "bias_ih": (rows,)}.items():
                drawn = draw.normal(size=shape) / 2
                found[f"{prefix}{name}{end}"] = drawn.astype("float32")
            bias = found[f"{prefix}bias_ih{end}"].copy()
            if kind == "gru":
                bias[10:] /= 3
            found[f"{prefix}bias_hh{end}"] = bias
    return found


def changed(name: str, change: Callable[[Array], Any]) -> dict[str, Array]:
    arrays = state()
    arrays[name] = change(arrays[name])
    return arrays


def without(name: str) -> dict[str, Array]:
    return {n: a for n, a in state().items() if n != name}


def with_nan(array: Array) -> Array:
    array[0] = np.nan
    return array


def test_a_layer_of_a_file_is_run_judged_and_named_by_its_weights(
    command_line: Cli,
) -> None:
    save_file(state("gru", layers=2, prefix="enc."), "my model.safetensors")
    arguments = ["verify", "my model.safetensors", "--backends", "numpy", "--out", "r"]
    status, said, _ = command_line(*arguments)
    assert status == 0
    assert "found enc: gru, 2 layers, bidirectional, 4 → 5 units, float32" in said
    result = read_report_document(Path("r")).results[0]
    assert result.case.rpartition("-")[2].startswith("w")
    again = "rnn-parity verify 'my model.safetensors' --backends numpy"
    assert result.reproduce == again
    command_line(*arguments)
    assert read_report_document(Path("r")).results[0].case == result.case


def test_other_weights_make_another_case(command_line: Cli) -> None:
    ids = set()
    for number in range(2):
        arrays = changed("weight_hh_l0", lambda a, n=number: a + np.float32(n))
        save_file(arrays, "m.safetensors")
        command_line("verify", "m.safetensors", "--backends", "numpy", "--out", "r")
        ids.add(read_report_document(Path("r")).results[0].case)
    assert len(ids) == 2


def test_a_problem_whose_weights_are_not_those_of_its_id_is_refused(
    command_line: Cli,
) -> None:
    save_file(state(), "m.safetensors")
    command_line("verify", "m.safetensors", "--backends", "numpy", "--out", "r")
    folder = RunFolder(Path("r"))
    case, _ = folder.record().cases
    (path,) = Path("r/problems").glob(f"*{case.given}*")
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match="its arrays have the digest"):
        folder.problem(case)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_state_dict_is_the_same_bit_for_bit_after_there_and_back(
    kind: str, command_line: Cli
) -> None:
    save_file(state(kind, layers=2), "m.safetensors")
    to = ["--to", "canonical", "-o", "c.safetensors"]
    assert command_line("convert", "m.safetensors", *to)[0] == 0
    to = ["--to", "torch", "-o", "t.safetensors"]
    assert command_line("convert", "c.safetensors", *to)[0] == 0
    back, _ = unpack(Path("t.safetensors").read_bytes(), "t")
    assert back.keys() == state(kind, layers=2).keys()
    assert all(bits_equal(back[n], a) for n, a in state(kind, layers=2).items())


@pytest.mark.parametrize(
    ("words", "arrays", "options"),
    [
        ("bias_hh is missing", without("bias_hh_l0"), []),
        (
            "weight_hh of layer 0, its recurrent kernel, is missing",
            without("weight_hh_l0"),
            [],
        ),
        ("elements NaN or infinite", changed("weight_ih_l0", with_nan), []),
        ("expected 1 (RNN)", changed("weight_hh_l0", lambda a: a[:11].copy()), []),
        (
            "weight_ih has shape [9, 4], expected [20, any]",
            changed("weight_ih_l0", lambda a: a[:9].copy()),
            [],
        ),
        (
            "bias_ih has shape [3]",
            changed("bias_ih_l0", lambda a: a[:3].copy()),
            [],
        ),
        ("unknown layer", state(prefix="enc."), ["--layer", "encc"]),
        (
            "holds several layers, name one by --layer: a (lstm, 20 gate rows",
            {**state(prefix="a."), **state(prefix="b.")},
            [],
        ),
        ("give --cell rnn_tanh or --cell rnn_relu", state("rnn"), []),
        ("holds no recurrent layer", {"dense": np.zeros(2)}, []),
    ],
)
def test_what_is_no_whole_layer_is_refused_in_one_line(
    words: str, arrays: dict[str, Array], options: list[str], command_line: Cli
) -> None:
    save_file(arrays, "m.safetensors")
    status, _, said = command_line("verify", "m.safetensors", "--out", "r", *options)
    assert status == 2
    assert words in said
    assert said.count("\n") == 1
    assert not Path("r").exists()


def test_a_truncated_file_is_refused(command_line: Cli) -> None:
    save_file(state(), "m.safetensors")
    data = Path("m.safetensors").read_bytes()
    Path("m.safetensors").write_bytes(data[:-9])
    status, _, said = command_line("verify", "m.safetensors")
    assert (status, "is not a whole safetensors file" in said) == (2, True)


@pytest.mark.parametrize(("package", "name"), [("h5py", "m.keras"), ("onnx", "m.onnx")])
def test_a_format_whose_package_is_missing_says_what_to_install(
    package: str,
    name: str,
    tmp_path: Path,
    command_line: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / name).touch()
    (tmp_path / f"{package}.py").write_text("raise ModuleNotFoundError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    status, _, said = command_line("verify", name)
    assert status == 2
    assert f"{package} is not installed" in said
    assert "pip install 'rnn-parity[models]'" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("to", ["keras", "onnx", "flax"])
def test_a_file_has_the_suffix_of_its_form(to: str, command_line: Cli) -> None:
    save_file(state(), "m.safetensors")
    status, _, said = command_line(
        "convert", "m.safetensors", "--to", to, "-o", "m.txt"
    )
    assert (status, f"for --to {to}" in said) == (2, True)


def test_a_reader_may_take_a_multiple_of_a_file_and_no_more() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with (
        pytest.raises(FileError, match="takes over 8 times its 9 bytes"),
        bounded(9, "m"),
    ):
        np.ones(2**28)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize("to", writers())
def test_ordinary_models_take_an_eighth_of_what_a_reader_may_take_beside(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = parse_id("lstm-dynamic-B1-T1-D64-H512-f32-s1")
    assert case
    drawn = seeded.problem(case).arrays
    weights = {name: drawn[name] for name in case.weight_shapes()}
    suffix, write, _ = writers()[to]
    file = tmp_path / f"m{suffix}"
    file.write_bytes(write(Recurrent("x", "canonical", case, weights)))
    saved_layers(file)  # what is imported late is no part of it
    monkeypatch.setattr(memory_limits, "BESIDE", memory_limits.BESIDE // 8)
    assert saved_layers(file)


def test_inputs_of_another_size_are_refused(command_line: Cli) -> None:
    save_file(state(), "m.safetensors")
    save_file({"inputs": np.zeros((2, 3, 9), "float32")}, "x.safetensors")
    status, _, said = command_line(
        "verify", "m.safetensors", "--inputs", "x.safetensors", "--out", "r"
    )
    assert status == 2
    assert "inputs has shape [2, 3, 9], expected [2, 3, 4]" in said
