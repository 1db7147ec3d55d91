"""Layers whose activations are not the usual ones: read, verified, written, refused."""

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import frameworks
import rnn_parity
from rnn_parity.models import canonical
from rnn_parity.models.read import read
from rnn_parity_core import Array, FileError, ParityError
from rnn_parity_core.arrays import unpack
from rnn_parity_reports.results import Report

FILES = Path(__file__).parents[1] / "files" / "activations"
ENGINES = ["numpy", "tensorflow", "onnxruntime"]
HARD = "hard sigmoid x / 6 + 0.5"


def verdicts(report: Report, backend: str = "expected") -> set[str]:
    return {one.verdict for one in report.results if one.backend == backend}


def as_cell(model: Path, cell: str, folder: Path) -> Path:
    """Write the same weights as those of another cell."""
    layer = read(model)
    path = folder / "other.safetensors"
    other = dataclasses.replace(layer, case=replace(layer.case, cell=cell))
    path.write_bytes(canonical.write(other))
    return path


def computed(model: Path, folder: Path) -> Array:
    """Give what NumPy computes of a file's layer and the inputs."""
    report = rnn_parity.verify(
        model, inputs=FILES / "x.npy", backends=["numpy"], out=folder
    )
    assert verdicts(report, "numpy") == {"pass"}
    found = folder.glob("outcomes/numpy/*.safetensors")
    (path,) = [path for path in found if "probe" not in path.name]
    return unpack(path.read_bytes(), "outcome")[0]["outputs"]


def test_a_hard_sigmoid_of_keras_is_computed_as_keras_did() -> None:
    report = rnn_parity.verify(
        FILES / "hard.keras",
        inputs=FILES / "x.npy",
        expected=FILES / "out.npy",
        backends=ENGINES,
    )
    for backend in (*ENGINES, "expected"):
        assert verdicts(report, backend) == {"pass"}
    assert all(one.case.startswith("lstm.recurrent_hard_") for one in report.results)


def test_what_takes_no_activations_is_a_gap_and_no_failure() -> None:
    report = rnn_parity.verify(
        FILES / "hard.keras", inputs=FILES / "x.npy", backends=["torch"]
    )
    assert verdicts(report, "torch") == {"gap"}
    assert "take no activations" in report.results[0].detail


# File, and another cell of its weights → words when that computed what is expected,
# and when the file's own did of what is said to be the other.
CONFUSED = {
    ("hard.keras", "lstm"): (
        f"sigmoid instead of {HARD}",
        f"{HARD} instead of sigmoid",
    ),
    ("hard.keras", "lstm.recurrent_hard_sigmoid_5"): (
        f"hard sigmoid 0.2 x + 0.5 instead of {HARD}",
        f"{HARD} instead of hard sigmoid 0.2 x + 0.5",
    ),
    ("relu.keras", "lstm"): ("tanh instead of relu", "relu instead of tanh"),
}


@pytest.mark.parametrize("pair", CONFUSED)
def test_another_function_than_the_files_is_named_both_ways(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    file, cell = FILES / pair[0], pair[1]
    other = as_cell(file, cell, tmp_path)
    for number, (model, source) in enumerate([(file, other), (other, file)]):
        report = rnn_parity.verify(
            model,
            inputs=FILES / "x.npy",
            expected=computed(source, tmp_path / str(number)),
            backends=["numpy"],
        )
        failed = [one for one in report.results if one.verdict == "fail"]
        assert [one.backend for one in failed] == ["expected"]
        assert failed[0].explanations
        assert CONFUSED[pair][number] in failed[0].explanations[0]


KERAS = """
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
import PACKAGE as keras
x = given["inputs"]
for kind, place, function in CASES:
    layer = getattr(keras.layers, kind)(5, return_sequences=True, **{place: function})
    shape = (None, x.shape[2])
    first = keras.layers.InputLayer(shape)
    model = keras.Sequential([first, layer])
    for weight in model.weights:
        drawn = np.random.default_rng(5).normal(size=weight.shape) / 2
        weight.assign(drawn.astype("float32"))
    name = f"{kind}-{place}-{function}"
    made[name] = np.asarray(model(x))
    model.save(f"{files[0]}/{name}.keras")
    model.save(f"{files[0]}/{name}.h5")
"""
SAVED = [
    ("LSTM", "activation", "relu"),
    ("LSTM", "activation", "softsign"),
    ("LSTM", "recurrent_activation", "hard_sigmoid"),
    ("GRU", "activation", "linear"),
    ("GRU", "recurrent_activation", "hard_sigmoid"),
    ("GRU", "recurrent_activation", "relu6"),
    ("SimpleRNN", "activation", "hard_sigmoid"),
    ("SimpleRNN", "activation", "sigmoid"),
]


@pytest.mark.parametrize(
    ("package", "hard"), [("keras", "hard_sigmoid"), ("tf_keras", "hard_sigmoid_5")]
)
def test_files_of_both_keras_are_of_the_function_that_it_calls_so(
    package: str, hard: str, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).normal(0, 2, (3, 7, 4)).astype(np.float32)
    script = KERAS.replace("PACKAGE", package).replace("CASES", repr(SAVED))
    made = frameworks.run(script, tmp_path, given={"inputs": x})
    for kind, place, function in SAVED:
        name = f"{kind}-{place}-{function}"
        for ending in (".keras", ".h5"):
            path = tmp_path / f"{name}{ending}"
            cell = read(path).case.cell
            assert (hard if function == "hard_sigmoid" else function) in cell.split(
                f"{place.removesuffix('_activation')}_"
            )[1].split("."), cell
            report = rnn_parity.verify(
                path, inputs=x, expected=made[name], backends=["numpy"]
            )
            assert verdicts(report) == {"pass"}, path.name


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (None, "does not say which Keras wrote it"),
        (b'{"keras_version": "4.0.1"}', r"knows that of Keras 4\.0\.1, which wrote"),
    ],
)
def test_a_hard_sigmoid_of_no_known_keras_is_refused(
    metadata: bytes | None, words: str, tmp_path: Path
) -> None:
    whole = zipfile.ZipFile(FILES / "hard.keras")
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as file:
        for name in whole.namelist():
            if name != "metadata.json":
                file.writestr(zipfile.ZipInfo(name), whole.read(name))
        if metadata is not None:
            file.writestr(zipfile.ZipInfo("metadata.json"), metadata)
    with pytest.raises(FileError, match=words):
        read(path)


def test_files_of_somebody_elses_with_more_than_activations_are_refused() -> None:
    assert read(FILES / "hs.onnx").case.cell == "lstm.recurrent_hard_sigmoid_5"
    with pytest.raises(FileError, match=r"it has clip 5\.0, which is not computed"):
        read(FILES / "clip.onnx")
    with pytest.raises(FileError, match="it has input_forget 1, which is not"):
        read(FILES / "inputforget.onnx")


@pytest.mark.parametrize("file", ["hard.keras", "relu.keras", "hs.onnx"])
@pytest.mark.parametrize("to", ["onnx", "keras", "canonical", "torch", "flax"])
def test_what_is_written_says_the_activations_or_nothing_is_written(
    file: str, to: str, tmp_path: Path
) -> None:
    suffix = {"onnx": ".onnx", "keras": ".keras"}.get(to, ".safetensors")
    out = tmp_path / f"m{suffix}"
    words = {
        "torch": "take no activations, and a state_dict says none",
        "flax": "Flax' state does not say activations",
    }.get(to, "")
    if (file, to) == ("hs.onnx", "keras"):
        words = r"hard sigmoid 0\.2 x \+ 0\.5 is no activation of Keras 3"
    if words:
        with pytest.raises(ParityError, match=words):
            rnn_parity.convert(FILES / file, to, out)
        assert not out.exists()
        return
    report = rnn_parity.convert(FILES / file, to, out)
    assert {one.verdict for one in report.results} == {"pass"}
    assert read(out).case == read(FILES / file).case


def test_weights_alone_are_of_the_cell_that_is_named() -> None:
    path = FILES / "hard.weights.h5"
    with pytest.raises(ParityError, match="does not say its activations"):
        read(path)
    found = read(path, cell="lstm.recurrent_hard_sigmoid")
    assert found.case.cell == "lstm.recurrent_hard_sigmoid"
    assert "assumed, as --cell says: its activations, and steps in order" in found.notes
    report = rnn_parity.verify(
        path,
        cell="lstm.recurrent_hard_sigmoid",
        inputs=FILES / "x.npy",
        expected=FILES / "out.npy",
        backends=["numpy"],
    )
    assert verdicts(report) == {"pass"}
    with pytest.raises(ParityError, match="unknown cell"):
        read(path, cell="gru.recurrent_hard_sigmoid")
    with pytest.raises(ParityError, match="unknown cell"):
        read(FILES / "hard.keras", cell="lstm")
