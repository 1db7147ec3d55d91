"""What frameworks themselves save: every layer found, named, and read as it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import frameworks
from rnn_parity.models.read import read, saved_layers
from rnn_parity.models.torch_file import read_arrays
from rnn_parity_core import FileError, ParityError
from rnn_parity_core.arrays import unpack
from support import bits_equal

Cli = Callable[..., tuple[int, str, str]]

TORCH = """
import torch
from safetensors.torch import save_file
from torch import nn
def keep(name, state, saved=None, **options):
    torch.save(state if saved is None else saved, f"{files[0]}/{name}.pt", **options)
    save_file(
        {n: t.detach().clone().contiguous() for n, t in state.items()},
        f"{files[0]}/{name}.safetensors",
    )
torch.manual_seed(1)
stack = nn.LSTM(4, 5, num_layers=2, bidirectional=True)
keep("stack", stack.state_dict())
keep("protocol4", stack.state_dict(), pickle_protocol=4)
keep("parameters", dict(stack.named_parameters()))
keep("projection", nn.LSTM(4, 5, proj_size=3, bidirectional=True).state_dict())
keep("float64", nn.GRU(4, 5, dtype=torch.float64).state_dict())
keep("bfloat16", nn.GRU(4, 5, dtype=torch.bfloat16).state_dict())
keep("half", nn.RNN(4, 5, dtype=torch.float16, nonlinearity="relu").state_dict())
state = nn.LSTM(4, 5).state_dict()
state["weight_ih_l0"] = torch.randn(4, 20).T  # not contiguous
state["weight_hh_l0"] = torch.randn(40, 10)[3:23, 5:]  # a part of a storage
state["bias_hh_l0"] = state["bias_ih_l0"]  # the same storage
keep("views", state)
model = nn.ModuleDict({"enc": nn.GRU(4, 5), "norm": nn.BatchNorm1d(3)})
optimizer = torch.optim.Adam(model.parameters())
sum(p.sum() for p in model.parameters()).backward()
optimizer.step()
prefixed = {f"state_dict.{n}": t for n, t in model.state_dict().items()}
keep("checkpoint", prefixed, {
    "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(),
    "epoch": 3, "best": 0.5, "sizes": model["enc"].weight_ih_l0.shape, "note": None,
})
before = {"_use_new_zipfile_serialization": False}
torch.save(stack.state_dict(), f"{files[0]}/legacy.pt", **before)
torch.save(stack, f"{files[0]}/module.pt")
"""

KERAS = """
import keras, tf_keras
def saved(keras, name):
    L = keras.layers
    def seq(kind, *arguments, **options):
        return getattr(L, kind)(*arguments, return_sequences=True, **options)
    model = keras.Sequential([
        L.InputLayer((7, 4)) if name == "old" else keras.Input((7, 4)),
        L.Bidirectional(seq("LSTM", 5), name="both"),
        seq("GRU", 5, name="after"),
        seq("GRU", 5, name="before", reset_after=False, use_bias=False),
        seq("SimpleRNN", 5, name="relu", activation="relu"),
        seq("SimpleRNN", 5, name="elu", activation="elu"),
        seq("LSTM", 5, name="back", go_backwards=True),
        L.Dropout(0.5),
        seq("LSTM", 3, name="narrow"),
        L.RNN(L.LSTMCell(5), name="cell"),
        L.Dense(2),
    ])
    for weight in model.weights:
        if "seed" not in weight.name:
            weight.assign(np.random.default_rng(5).normal(size=weight.shape))
    model.save(f"{files[0]}/{name}.keras")
    model.save(f"{files[0]}/{name}.h5")
    model.save_weights(f"{files[0]}/{name}.weights.h5")
    for layer in model.layers:
        for k, array in enumerate(layer.get_weights()):
            made[f"{name}.{layer.name}.{k}"] = np.array(array)
saved(keras, "new")
saved(tf_keras, "old")
inner = keras.Sequential([keras.Input((7, 5)), keras.layers.GRU(5, name="deep")])
x = keras.Input((7, 4))
y = keras.layers.LSTM(5, return_sequences=True, name="first")(x)
y = keras.layers.LSTM(5, return_sequences=True, name="second", dtype="float64")(y)
keras.Model(x, inner(y)).save(f"{files[0]}/nested.keras")
"""

TORCH_ONNX = """
import torch
for kind in ("RNN", "LSTM", "GRU"):
    torch.manual_seed(1)
    layer = getattr(torch.nn, kind)(4, 5, num_layers=2, bidirectional=True)
    x = (torch.zeros(3, 2, 4),)
    torch.onnx.export(layer, x, f"{files[0]}/{kind}.onnx", dynamo=False)
    torch.save(layer.state_dict(), f"{files[0]}/{kind}.pt")
"""


@pytest.fixture(scope="module")
def torch_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torch")
    frameworks.run(TORCH, folder)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        *("stack", "protocol4", "parameters", "projection", "float64", "bfloat16"),
        *("half", "views", "checkpoint"),
    ],
)
def test_tensors_of_torch_save_are_read_bit_for_bit(
    name: str, torch_saved: Path
) -> None:
    path = torch_saved / f"{name}.pt"
    found = read_arrays(path.read_bytes(), name)
    expected, _ = unpack((torch_saved / f"{name}.safetensors").read_bytes(), name)
    assert expected.keys() <= found.keys()
    assert all(bits_equal(found[n], array) for n, array in expected.items())
    assert read(path, "", "rnn_relu" if name == "half" else "").case.units == 5


@pytest.mark.parametrize(
    ("name", "words"),
    [("legacy", "save it again there"), ("module", "holds torch.nn.modules.rnn.LSTM")],
)
def test_other_files_of_torch_save_are_refused(
    name: str, words: str, torch_saved: Path
) -> None:
    with pytest.raises(FileError, match=words):
        saved_layers(torch_saved / f"{name}.pt")


@pytest.fixture(scope="module")
def keras_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    made = frameworks.run(KERAS, folder)
    np.savez(folder / "weights.npz", **made)
    return folder


CELLS = {
    "both": "lstm",
    "after": "gru",
    "before": "gru_reset_before",
    "relu": "rnn_relu",
    "back": "lstm",
    "cell": "lstm",
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("file", ["new.keras", "new.h5", "old.keras", "old.h5"])
def test_a_layer_of_keras_is_found_by_its_name(
    file: str, name: str, keras_saved: Path
) -> None:
    found = read(keras_saved / file, name)
    case = found.case
    direction = {"both": "bidirectional", "back": "reverse"}.get(name, "forward")
    assert (case.cell, case.direction) == (CELLS[name], direction)
    assert case.bias == (name != "before")
    with np.load(keras_saved / "weights.npz") as weights:
        kernel = weights[f"{file.partition('.')[0]}.{name}.0"]
    way = "reverse" if name == "back" else "forward"
    ours = found.weights[f"layer0.{way}.kernel"]
    first = slice(0, 5)  # the first gate is i, h, or of a GRU z, our second
    if name in {"after", "before"}:
        assert bits_equal(ours[:, 5:10], kernel[:, first])
    else:
        assert bits_equal(ours[:, first], kernel[:, first])
    backwards = any("last step first" in note for note in found.notes)
    assert backwards == (name == "back")


@pytest.mark.parametrize("file", ["new.keras", "new.h5", "old.keras", "old.h5"])
def test_an_activation_that_is_not_computed_is_refused(
    file: str, keras_saved: Path
) -> None:
    with pytest.raises(
        FileError, match="its activation is 'elu'; tanh, sigmoid, relu,"
    ):
        read(keras_saved / file, "elu")


def test_weights_alone_ask_for_what_they_do_not_say(keras_saved: Path) -> None:
    path = keras_saved / "new.weights.h5"
    with pytest.raises(ParityError, match="give --cell gru or --cell gru_reset_before"):
        read(path, "before")
    with pytest.raises(ParityError, match="give --cell rnn_tanh or --cell rnn_relu"):
        read(path, "relu")
    found = read(path, "before", "gru_reset_before")
    assert (
        found.weights.keys() == read(keras_saved / "new.keras", "before").weights.keys()
    )
    assert any("assumed, as --cell says" in note for note in found.notes)
    for file, name in ((path, "after"), (keras_saved / "old.weights.h5", "gru")):
        with pytest.raises(ParityError, match="does not say its activations"):
            read(file, name)
        assert read(file, name, "gru").case.cell == "gru"


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("both,after", "go in different directions"),
        ("after,before", "are gru, gru_reset_before, and no one stack"),
        ("cell,both", "go in different directions"),
        ("back,back", "last step first"),
        ("narrow,cell", r"layer0 \[3, 12\], layer1 \[5, 20\]; layers of one stack"),
        ("cell,nonesuch", "unknown layer"),
        ("", r"name one by --layer: both \(lstm, 5 units, 2 directions\)"),
    ],
)
def test_layers_that_are_no_stack_are_refused(
    layers: str, words: str, keras_saved: Path
) -> None:
    with pytest.raises(ParityError, match=words):
        read(keras_saved / "new.keras", layers)


def test_models_in_models_are_read_and_stacks_are_of_one_dtype(
    keras_saved: Path,
) -> None:
    path = keras_saved / "nested.keras"
    assert [layer.name for layer in saved_layers(path)] == ["first", "second", "deep"]
    assert read(path, "deep").case.cell == "gru"
    with pytest.raises(FileError, match="has dtype float64, expected float32"):
        read(path, "first,second")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    frameworks.run(TORCH_ONNX, folder)
    return folder


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_what_pytorch_exports_to_onnx_is_what_it_saved(
    kind: str, exported: Path
) -> None:
    path = exported / f"{kind}.onnx"
    names = [layer.name for layer in saved_layers(path)]
    assert len(names) == 2
    found = read(path, ",".join(names))
    own = read(exported / f"{kind}.pt", cell=found.case.cell)
    assert found.case == own.case
    assert all(bits_equal(found.weights[n], array) for n, array in own.weights.items())
