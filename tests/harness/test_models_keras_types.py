"""A value of a Keras config may be of any type that JSON has: read or refused."""

import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import pytest

from hostile import LONE, layer, zipped
from rnn_parity.models import keras_file, keras_write
from rnn_parity.models.layer import Saved
from rnn_parity.models.settle import settle
from rnn_parity_core import FileError, UsageError

FILES = Path(__file__).parent / "files"
VALUES = ("null", "true", "3", "1e400", '"x"', "[]", "{}", '["x"]')
HERE = "the value that is replaced"
Refused = Callable[..., str]
Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Give the way to every value in a JSON value, itself first."""
    yield at
    inner = enumerate(value) if isinstance(value, list) else ()
    for key, one in value.items() if isinstance(value, dict) else inner:
        yield from places(one, (*at, key))


def replaced(value: Any, at: Place) -> Any:
    """Give a JSON value with the mark in one place."""
    if not at:
        return HERE
    copy = value.copy()
    copy[at[0]] = replaced(copy[at[0]], at[1:])
    return copy


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def read_keras(data: bytes, config: bytes) -> list[Saved]:
    return keras_file.saved_model(
        zipped({**members(data), "config.json": config}), "it"
    )


def settled(read: Callable[[], list[Saved]]) -> list[str]:
    """Read a file, settle its layers, and give what each came to."""
    try:
        return [
            settle(saved, cell).case.id
            for saved in read()
            for cell in saved.cells or ("",)
        ]
    except (FileError, UsageError) as error:
        return [str(error)]


@pytest.mark.parametrize("name", ["", "masked.keras", "td_back.keras"])
def test_every_value_of_a_config_may_be_of_any_type(name: str) -> None:
    data = (FILES / name).read_bytes() if name else keras_write.write(layer(LONE))
    config = json.loads(members(data)["config.json"])
    came = set()
    for at in places(config):
        text = json.dumps(replaced(config, at))
        for value in VALUES:
            changed = text.replace(f'"{HERE}"', value).encode()
            came.update(settled(partial(read_keras, data, changed)))
    whole = settled(partial(read_keras, data, members(data)["config.json"]))
    assert came > {*whole}  # a value that takes no part changes nothing; others do


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "name", ["units", "use_bias", "go_backwards", "stateful", "reset_after"]
)
def test_a_setting_of_another_type_refuses_the_layer(name: str, value: str) -> None:
    data = keras_write.write(layer("gru-dynamic-B1-T1-D2-H3-f32-s1"))
    config = json.loads(members(data)["config.json"])
    config["config"]["layers"][1]["config"][name] = HERE
    text = json.dumps(config).replace(f'"{HERE}"', value)
    (said,) = settled(partial(read_keras, data, text.encode()))
    if (value, name) in {("3", "units"), ("true", "use_bias"), ("true", "stateful")}:
        assert "expected" not in said
    elif name == "units":
        assert said.endswith(f"units {json.loads(value)!r}, expected int")
    elif value != "true":
        assert said.endswith(f"{name} {json.loads(value)!r}, expected bool")


@pytest.mark.parametrize("value", ["{}", "[]", '""', '{"config": {"name": ""}}', "3"])
def test_a_dtype_policy_without_a_name_is_none(value: str) -> None:
    data = keras_write.write(layer("gru-dynamic-B1-T1-D2-H3-f32-s1"))
    config = json.loads(members(data)["config.json"])
    config["config"]["layers"][1]["config"]["dtype"] = HERE
    text = json.dumps(config).replace(f'"{HERE}"', value)
    (said,) = settled(partial(read_keras, data, text.encode()))
    assert "it has dtype = " in said


TWICE = [
    ('"activation": "tanh"', '"activation": "relu", "activation": "tanh"'),
    ('"class_name": "LSTM"', '"class_name": "GRU", "class_name": "LSTM"'),
    ('"use_bias": true', '"use_bias": true, "use_bias": true'),
]


@pytest.mark.parametrize("pair", TWICE, ids=range(3))
def test_a_config_that_says_something_twice_is_refused(
    pair: tuple[str, str], refused: Refused
) -> None:
    inside = members(keras_write.write(layer(LONE)))
    config = inside["config.json"].decode().replace(*pair)
    said = "is no JSON that is read here: an object has two values of one name"
    inside["config.json"] = config.encode()
    refused(zipped(inside), "m.keras", f"its config.json {said}")
    buffer = BytesIO((FILES / "nested.h5").read_bytes())
    with h5py.File(buffer, "a") as file:
        file.attrs["model_config"] = config
    refused(buffer.getvalue(), "m.h5", f"its model_config {said}")
