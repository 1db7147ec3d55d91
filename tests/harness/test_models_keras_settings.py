"""Every setting of a layer of Keras is used, without effect, or refuses the layer."""

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import rnn_parity
from hostile import LONE, layer, zipped
from rnn_parity.models import hdf5, keras_write
from rnn_parity.models.keras_config import described
from rnn_parity.models.read import read, saved_layers
from rnn_parity_core import FileError, ParityError, UsageError

FILES = Path(__file__).parent / "files"
Config = dict[str, Any]
Change = Callable[[Config, Config], object]
"""Changes a layer, and the model's config that it is in."""

ONE_WAY = "lstm-dynamic-B1-T1-D4-H5-f32-s1"
GRU = "gru-dynamic-B1-T1-D4-H5-f32-s1"


def model(change: Change, folder: Path, case: str = ONE_WAY) -> Path:
    """Write a `.keras` whose config is changed."""
    whole = zipfile.ZipFile(BytesIO(keras_write.write(layer(case))))
    members = {name: whole.read(name) for name in whole.namelist()}
    config = json.loads(members["config.json"])
    change(config["config"]["layers"][1], config["config"])
    members["config.json"] = json.dumps(config).encode()
    path = folder / "m.keras"
    path.write_bytes(zipped(members))
    return path


def setting(name: str, value: Any) -> Change:
    return lambda one, _: one["config"].update({name: value})


def without(name: str) -> Change:
    return lambda one, _: one["config"].pop(name)


def outside(name: str, value: Any) -> Change:
    return lambda one, _: one.update({name: value})


CUSTOM = {"module": "builtins", "class_name": "function", "config": "mine"}


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("its recurrent_activation is 'elu'", setting("recurrent_activation", "elu")),
        ("its activation is 'gelu'; tanh, sigmoid", setting("activation", "gelu")),
        ("its activation is {'module'", setting("activation", CUSTOM)),
        ("does not say recurrent_activation", without("recurrent_activation")),
        ("does not say activation", without("activation")),
        ("does not say use_bias", without("use_bias")),
        ("not of one layer", setting("use_bias", False)),
        ("its config and its weights are not of one", setting("units", 6)),
        ("it has layer_norm = True: not read", setting("layer_norm", True)),
        ("it has num_constants = 1", setting("num_constants", 1)),
        (
            "quantization_config = {'mode': 'int8'}",
            setting("quantization_config", {"mode": "int8"}),
        ),
        ("it has dtype = 'mixed_float16'", setting("dtype", "mixed_float16")),
        (
            "it has dtype = 'float64'",
            setting("dtype", {"class_name": "P", "config": {"name": "float64"}}),
        ),
        (
            "it is a LSTM of somebody's own, 'mine>LSTM'",
            outside("registered_name", "mine>LSTM"),
        ),
        ("it is a LSTM of somebody's own, 'my_layers'", outside("module", "my_layers")),
        (
            "'lstm' is a LayerNormLSTM, which is not read",
            outside("class_name", "LayerNormLSTM"),
        ),
    ],
)
def test_a_setting_that_changes_the_numbers_refuses_the_layer(
    words: str, change: Change, tmp_path: Path
) -> None:
    path = model(change, tmp_path)
    if "LayerNorm" in words:  # its arrays lie where its class says
        whole = zipfile.ZipFile(path)
        members = {name: whole.read(name) for name in whole.namelist()}
        arrays = hdf5.read(members["model.weights.h5"], "it").arrays
        moved = {n.replace("lstm", "layer_norm_lstm"): a for n, a in arrays.items()}
        members["model.weights.h5"] = hdf5.written(moved)
        path.write_bytes(zipped(members))
    with pytest.raises(FileError) as error:
        read(path)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        setting("dropout", 0.5),
        setting("unroll", True),
        setting("implementation", 1),
        setting("return_sequences", False),
        setting("zero_output_for_mask", True),
        setting("unit_forget_bias", False),
        setting("time_major", True),
        setting("kernel_regularizer", {"class_name": "L2", "config": {"l2": 0.1}}),
        setting("batch_input_shape", [2, 3, 4]),
        setting("quantization_config", None),
        setting("some_switch_of_tomorrow", False),
        outside("registered_name", "LSTM"),
    ],
    ids=range(12),
)
def test_a_setting_without_effect_on_the_numbers_is_passed_over(
    change: Change, tmp_path: Path
) -> None:
    found = read(model(change, tmp_path))
    assert any(n.startswith("settings: activation 'tanh'") for n in found.notes)


def test_settings_that_are_used_change_the_layer(tmp_path: Path) -> None:
    back = read(model(setting("go_backwards", True), tmp_path))
    assert back.case.direction == "reverse"
    said = read(model(setting("stateful", True), tmp_path)).notes
    assert any("though it is stateful" in note for note in said)
    with pytest.raises(FileError, match="bias has shape"):
        read(model(setting("reset_after", False), tmp_path, GRU))


def test_a_setting_may_be_ignored_by_its_name(tmp_path: Path) -> None:
    path = model(setting("layer_norm", True), tmp_path)
    assert read(path, ignore=["layer_norm"]).case.cell == "lstm"
    assert read(FILES / "mixed16.keras", ignore=["dtype"]).case.dtype == "float32"
    with pytest.raises(UsageError, match="unknown name to ignore"):
        read(path, ignore=["activation"])


def test_directions_that_differ_in_a_setting_are_refused(tmp_path: Path) -> None:
    def change(one: Config, _: Config) -> None:
        inner = json.loads(json.dumps(one["config"]["layer"]))
        inner["config"] |= {
            "go_backwards": True,
            "recurrent_activation": "hard_sigmoid",
        }
        one["config"]["backward_layer"] = inner

    with pytest.raises(FileError, match="two directions are not those of one layer"):
        read(model(change, tmp_path, LONE))
    with pytest.raises(FileError, match="merge_mode 'sum'; only concat"):
        read(model(setting("merge_mode", "sum"), tmp_path, LONE))
    with pytest.raises(FileError, match="it has norm = 1"):
        read(model(setting("norm", 1), tmp_path, LONE))


def masking(name: str, **outer: Any) -> Config:
    return {
        "class_name": "Masking",
        "config": {"name": name, "mask_value": 0.0},
        **outer,
    }


def before(_: Config, whole: Config) -> None:
    whole["layers"].insert(1, masking("mask"))


def after(_: Config, whole: Config) -> None:
    whole["layers"].append(masking("mask"))


def embedding(_: Config, whole: Config) -> None:
    config = {"name": "mask", "mask_zero": True}
    inner = {"class_name": "Embedding", "config": config}
    nested = {"class_name": "Sequential", "config": {"name": "n", "layers": [inner]}}
    whole["layers"].insert(1, nested)


def fed(*names: str) -> Change:
    """Give a graph in which the layer is fed by these."""

    def change(one: Config, whole: Config) -> None:
        history = {"config": {"keras_history": [names[0], 0, 0]}}
        one["inbound_nodes"] = [{"args": [history]}] if len(names) > 1 else []
        old = [[[name, 0, 0, {}] for name in names]]
        one["inbound_nodes"] += old
        whole["layers"].insert(
            1, masking("mask", inbound_nodes=[[["inputs", 0, 0, {}]]])
        )
        dense = {"class_name": "Dropout", "config": {"name": "drop"}}
        whole["layers"].insert(2, {**dense, "inbound_nodes": [[["mask", 0, 0, {}]]]})

    return change


@pytest.mark.parametrize(
    ("change", "masked"),
    [
        (before, True),
        (after, False),
        (embedding, True),
        (fed("mask"), True),
        (fed("drop"), True),
        (fed("inputs", "drop"), True),
        (fed("inputs"), False),
    ],
    ids=range(7),
)
def test_a_layer_that_masks_steps_refuses_what_it_feeds(
    change: Change, masked: bool, tmp_path: Path
) -> None:
    path = model(change, tmp_path)
    if masked:
        with pytest.raises(FileError, match=r"it has mask \(which masks steps\)"):
            read(path)
    assert read(path, ignore=["mask"] if masked else []).case.cell == "lstm"


def test_a_masking_layer_of_keras_is_named() -> None:
    with pytest.raises(FileError, match=r"it has masking \(which masks steps\)"):
        read(FILES / "masked.keras")
    assert read(FILES / "masked.keras", ignore=["masking"]).case.units == 10


def test_masks_of_many_layers_are_found_in_time() -> None:
    layers = [
        masking(f"m{n}", inbound_nodes=[[[f"m{n - 1}", 0, 0, {}]]]) for n in range(9999)
    ]
    told = described({"config": {"layers": layers}}, "it")
    assert len(told.others) == 9999


def test_layers_in_time_distributed_have_their_own_settings() -> None:
    hard = read(FILES / "td_hard.keras")
    assert hard.case.cell == "lstm.recurrent_hard_sigmoid"
    assert read(FILES / "td_back.keras").case.direction == "reverse"
    outputs = np.load(FILES / "td_back.out.npy")  # of Keras, last step first
    report = rnn_parity.verify(
        FILES / "td_back.keras",
        inputs=FILES / "td_back.x.npy",
        expected=np.ascontiguousarray(outputs[:, ::-1]),
        backends=["numpy"],
    )
    assert [result.verdict for result in report.results] == ["pass"] * 3


@pytest.mark.parametrize("file", ["stack_and_head.keras", "stack_and_head.h5"])
def test_stacked_cells_are_refused_and_the_layer_beside_them_is_read(file: str) -> None:
    path = FILES / file
    assert sorted(of.name for of in saved_layers(path)) == ["head", "stack"]
    with pytest.raises(FileError, match="it is a StackedRNNCells; only LSTM, GRU"):
        read(path, "stack")
    found = read(path, "head")
    assert (found.case.cell, found.case.features, found.case.units) == ("lstm", 8, 5)
    other = read(FILES / "stack_and_head.keras", "head")
    assert all((other.weights[n] == array).all() for n, array in found.weights.items())


def test_layers_beside_a_nested_model_are_found_in_an_h5() -> None:
    path = FILES / "nested.h5"  # two Dense in one nested model
    assert [of.name for of in saved_layers(path)] == ["rnn"]
    found = read(path)
    assert (found.case.features, found.case.units) == (5, 4)
    assert rnn_parity.verify(path, backends=["numpy"]).exit_status == 0


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (
            "keras224_weights.h5",
            "written by Keras 2.2.4 and does not say its activation",
        ),
        ("keras1_weights.h5", "its arrays are those of Keras 1, one for each gate"),
        ("cudnn_weights.h5", "two biases in one, as CuDNNLSTM and CuDNNGRU do"),
        ("sub_hard.keras", "does not say its activations, nor go_backwards; if they"),
    ],
)
def test_weights_alone_are_not_taken_to_have_usual_activations(
    file: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ParityError, match=words):
        rnn_parity.verify(FILES / file, backends=["numpy"])
    with pytest.raises(ParityError, match=words):
        rnn_parity.convert(FILES / file, "canonical", tmp_path / "m.safetensors")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("file", ["keras224_weights.h5", "sub_hard.keras"])
def test_a_cell_that_is_named_says_its_activations(file: str) -> None:
    found = read(FILES / file, cell="lstm")
    assert any("assumed, as --cell says" in note for note in found.notes)


def file_with(name: str, folder: Path, *, numbers: bool = False) -> Path:
    """Write weights of an LSTM with one more array."""
    weights = layer(ONE_WAY).of_pass(0, "forward")
    names = ("kernel", "recurrent_kernel", "bias")
    paths = [f"lstm/lstm/lstm_cell/{n}:0" for n in names]
    if numbers:
        paths = [f"layers/lstm/cell/vars/{n}" for n in range(3)]
    path = folder / ("m.weights.h5" if numbers else "m.h5")
    with h5py.File(path, "w") as file:
        for at, own in zip(paths, names, strict=True):
            file[at] = weights[own]
        file[name] = np.zeros(20, "int8" if "seed" in name else "float32")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "lstm/lstm/lstm_cell/kernel_norm/gamma:0",
        "lstm/lstm/lstm_cell/input_attention_kernel:0",
        "lstm/lstm/gamma:0",
        "layers/lstm/cell/vars/3",
        "layers/lstm/cell/norm/vars/0",
        "layers/lstm/vars/0",
    ],
)
def test_an_array_that_is_no_lstms_refuses_the_layer(name: str, tmp_path: Path) -> None:
    path = file_with(name, tmp_path, numbers="vars" in name)
    with pytest.raises(FileError) as error:
        read(path, cell="lstm")
    assert f"it has {name} [20]: not read" in str(error.value)
    assert read(path, cell="lstm", ignore=[name]).case.units == 5


@pytest.mark.parametrize(
    "name",
    [
        "norm/norm/gamma:0",
        "lstm_1/lstm_1/other/kernel:0",
        "layers/lstm/cell/seed_generator/vars/0",
        "layers/lstm_norm/vars/0",
    ],
)
def test_arrays_of_other_layers_and_seeds_do_not(name: str, tmp_path: Path) -> None:
    path = file_with(name, tmp_path, numbers="vars" in name)
    assert read(path, cell="lstm").case.units == 5
