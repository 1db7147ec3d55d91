"""What a Keras model's config says of its recurrent layers."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.errors import FileError

_CLASSES = ("LSTM", "GRU", "SimpleRNN")
_MAX_DEPTH = 32


class Described(NamedTuple):
    """A recurrent layer by its config."""

    path: str
    """Where `.keras` and `.weights.h5` keep its arrays."""
    name: str
    order: int
    cell: str
    reverse: bool
    refused: str
    """Why it is none of our cells, where it is none."""


def described(config: Any, origin: str) -> list[Described]:
    """Find the recurrent layers of a model's config, in its order.

    Raises:
        FileError: Models are nested too deep.

    """
    return [
        _described(path, layer, order)
        for order, (path, layer) in enumerate(_layers(config, "", 0, origin))
    ]


def _layers(
    model: Any, prefix: str, depth: int, origin: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give layers and their paths: a class' name, numbered in each model by itself.

    So does keras/src/saving/saving_lib.py, `_save_container_state`.
    """
    if depth > _MAX_DEPTH:
        raise FileError(f"{origin}: its config nests models over {_MAX_DEPTH} deep")
    counts: dict[str, int] = {}
    layers = _config(model).get("layers")
    for layer in layers if isinstance(layers, list) else []:
        kind = layer.get("class_name") if isinstance(layer, dict) else None
        if not isinstance(kind, str):
            continue
        name = snake(kind)
        number = counts[name] = counts.get(name, -1) + 1
        path = f"{prefix}layers/{name}" + (f"_{number}" if number else "")
        if kind in {*_CLASSES, "Bidirectional", "RNN"}:
            yield path, layer
        else:
            yield from _layers(layer, f"{path}/", depth + 1, origin)


def _described(path: str, layer: dict[str, Any], order: int) -> Described:
    config = _config(layer)
    ways = [layer]
    if layer["class_name"] == "Bidirectional":
        ways = [w for w in (config.get("layer"), config.get("backward_layer")) if w]
    cells, refused, reverse = [], "", False
    for way in ways:
        cell, said = _cell(way)
        cells.append(cell)
        refused = refused or said
    if layer["class_name"] == "Bidirectional":
        backward = [bool(_config(way).get("go_backwards")) for way in ways]
        if config.get("merge_mode") != "concat":
            said = str(config.get("merge_mode"))[:40]
            refused = refused or f"it has merge_mode {said!r}; only concat is computed"
        elif len(set(cells)) != 1 or backward not in ([False], [False, True]):
            refused = refused or "its two directions are not those of one layer"
    else:
        reverse = bool(config.get("go_backwards"))
    name = str(config.get("name", path))
    return Described(path, name, order, cells[0] if cells else "", reverse, refused)


def _cell(layer: Any) -> tuple[str, str]:
    """Give the cell of a layer without directions, and why it is none of ours."""
    kind = layer.get("class_name") if isinstance(layer, dict) else None
    config = _config(layer)
    if kind == "RNN":
        cell = config.get("cell")
        kind = cell.get("class_name") if isinstance(cell, dict) else None
        kind, config = str(kind).removesuffix("Cell"), _config(cell)
    if kind not in _CLASSES or layer.get("registered_name") not in {None, kind}:
        return "", f"it is a {str(kind)[:80]}, expected {', '.join(_CLASSES)}"
    active = config.get("activation", "tanh")
    gate = config.get("recurrent_activation", "sigmoid")
    if kind == "SimpleRNN" and active == "relu":
        return "rnn_relu", ""
    if active != "tanh" or gate != "sigmoid":
        said = f"{active!r} and {gate!r}"[:120]
        return "", f"its activations are {said}; only tanh and sigmoid are computed"
    if kind == "GRU":
        return ("gru" if config.get("reset_after") else "gru_reset_before"), ""
    return {"LSTM": "lstm", "SimpleRNN": "rnn_tanh"}[kind], ""


def _config(layer: Any) -> dict[str, Any]:
    config = layer.get("config") if isinstance(layer, dict) else None
    return config if isinstance(config, dict) else {}


def snake(name: str) -> str:
    """Write a class' name as keras/src/utils/naming.py does: `simple_rnn`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
