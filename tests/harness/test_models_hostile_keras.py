"""Files made to harm: each refused in one line, nothing run, little read."""

import resource
import zipfile
from collections.abc import Callable
from io import BytesIO

import h5py
import numpy as np
import pytest

from hostile import LONE, hdf5, layer, zipped
from rnn_parity.models import keras_write
from rnn_parity_core import Array

Cli = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]


AT = "layers/lstm/cell/vars/0"


def external_storage(file: h5py.File) -> None:
    file.create_dataset(AT, (4, 20), "f4", external=[("/etc/passwd", 0, 320)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 20), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 20))
    file.create_virtual_dataset(AT, layout)


def twice(file: h5py.File) -> None:
    file[AT] = np.zeros((4, 20), "f4")
    file["layers/gru"] = file["layers/lstm"]


def cycle(file: h5py.File) -> None:
    layers = file.create_group("layers")
    layers["layers"] = layers


def deep(file: h5py.File) -> None:
    file[f"{'a/' * 70}{AT}"] = np.zeros(3)


def external_link(file: h5py.File) -> None:
    file["layers"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    file["layers"] = h5py.SoftLink("/layers")


def chunked(file: h5py.File) -> None:
    file.create_dataset(AT, (2**40, 2**20), "f4", chunks=(9, 9))


def unwritten(file: h5py.File) -> None:
    file.create_dataset(AT, (2**40,), "f4")


def compressed(file: h5py.File) -> None:
    file.create_dataset(AT, data=np.zeros(2**25), compression="gzip")


def shapeless(file: h5py.File) -> None:
    file.create_dataset(AT, data=h5py.Empty("f4"))


def empty(file: h5py.File) -> None:
    file.create_group("layers")


@pytest.mark.parametrize(
    ("words", "make"),
    [
        ("is a link to somewhere else", external_link),
        ("is a link to somewhere else", soft_link),
        ("is kept in another file", external_storage),
        ("is kept in another file", virtual),
        (
            "is compressed, in chunks, or not stored whole",
            chunked,
        ),
        (
            "is compressed, in chunks, or not stored whole",
            unwritten,
        ),
        (
            "is compressed, in chunks, or not stored whole",
            compressed,
        ),
        ("is there twice", twice),
        ("is there twice", cycle),
        ("groups over 64 deep", deep),
        ("has no shape", shapeless),
        ("holds no recurrent layer", empty),
    ],
)
def test_an_hdf5_file_that_holds_less_than_it_says_is_refused(
    words: str, make: Callable[[h5py.File], object], refused: Refused
) -> None:
    data = hdf5(make)
    refused(data, "m.h5", words)
    refused(data, "m.weights.h5", words)
    inside = zipped({"config.json": b"{}", "model.weights.h5": data})
    refused(inside, "m.keras", words)


def test_arrays_that_lie_on_one_another_are_no_more_than_their_file(
    refused: Refused,
) -> None:
    few, many, names = 1013, 40009, ("a", "b", "c")

    def make(file: h5py.File) -> None:
        file["whole"] = np.zeros(many)
        for name in names:
            file[name] = np.zeros(few)

    data = hdf5(make)
    with h5py.File(BytesIO(data)) as file:
        whole = file["whole"].id.get_offset()
        changes = {file[name].id.get_offset(): whole for name in names}
    changes |= {few: many, few * 8: many * 8}
    for old, new in changes.items():
        data = data.replace(old.to_bytes(8, "little"), new.to_bytes(8, "little"))
    with h5py.File(BytesIO(data)) as file:
        assert file["a"].shape == (many,)
    refused(data, "m.h5", "claims more bytes than the file has")


def test_a_string_that_claims_two_gigabytes_is_not_made_room_for(
    refused: Refused,
) -> None:
    def make(file: h5py.File) -> None:
        file.attrs["model_config"] = "{}" * 500

    data = hdf5(make)
    heap = data.index(b"GCOL").to_bytes(8, "little")
    claimed = data.replace(
        (1000).to_bytes(4, "little") + heap, (2**31 - 9).to_bytes(4, "little") + heap
    )
    assert claimed != data
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(claimed, "m.h5", "memory allocation failed")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 2**20  # KiB


@pytest.mark.parametrize("config", [b"{", b"[" * 10**5, b"\xff", b""])
def test_a_config_that_is_no_json_is_refused(config: bytes, refused: Refused) -> None:
    data = hdf5(empty)
    said = zipped({"config.json": config, "model.weights.h5": data})
    refused(said, "m.keras", "its config.json is no JSON")


def test_models_nested_without_end_are_refused(refused: Refused) -> None:
    config = '{"class_name":"Model","config":{"layers":[' * 90 + "]}}" * 90
    data = hdf5(empty)
    said = zipped({"config.json": config.encode(), "model.weights.h5": data})
    refused(said, "m.keras", "nests models over 32 deep")


def with_nan(array: Array) -> Array:
    return array * np.float32(np.nan)


def wider(array: Array) -> Array:
    return array.astype("float64")


def narrow(array: Array) -> Array:
    return array[:, :-1]


def flat(array: Array) -> Array:
    return array[0]


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("NaN or infinite", with_nan),
        ("of several dtypes", wider),
        ("has shape", narrow),
        ("has shape", flat),
    ],
)
def test_weights_that_are_no_layer_are_refused(
    words: str, change: Callable[[Array], Array], refused: Refused
) -> None:
    weights = layer().of_pass(0, "forward")

    def make(file: h5py.File) -> None:
        file[AT] = change(weights["kernel"])
        file["layers/lstm/cell/vars/1"] = weights["recurrent_kernel"]
        file["layers/lstm/cell/vars/2"] = weights["bias"]

    refused(hdf5(make), "m.weights.h5", words, "--cell", "lstm")


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("its config and its weights are not of one layer", "backward_layer"),
        (
            "its config and its weights are not of one layer",
            "forward_layer/cell/vars/2",
        ),
        ("recurrent_kernel is missing", "forward_layer/cell/vars/1"),
        ("layer 'bidirectional': its weights are missing", ""),
    ],
)
def test_a_model_without_weights_that_its_config_has_is_refused(
    words: str, gone: str, refused: Refused
) -> None:
    whole = zipfile.ZipFile(BytesIO(keras_write.write(layer(LONE))))
    members = {name: whole.read(name) for name in whole.namelist()}
    buffer = BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "a") as file:
        del file[f"layers/bidirectional/{gone}"]
    members["model.weights.h5"] = buffer.getvalue()
    refused(zipped(members), "m.keras", words)
