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
    bias: bool
    both: bool
    """Whether it is a Bidirectional."""
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
    both = layer["class_name"] == "Bidirectional"
    ways = [layer]
    if both:
        ways = [w for w in (config.get("layer"), config.get("backward_layer")) if w]
    cells = [_cell(way) for way in ways]
    refused = next((said for _, _, said in cells if said), "")
    backward = [bool(_config(way).get("go_backwards")) for way in ways]
    if both and config.get("merge_mode") != "concat":
        said = str(config.get("merge_mode"))[:40]
        refused = refused or f"it has merge_mode {said!r}; only concat is computed"
    if both and (len(set(cells)) != 1 or backward not in ([False], [False, True])):
        refused = refused or "its two directions are not those of one layer"
    cell, bias, _ = cells[0] if cells else ("", False, "")
    name = str(config.get("name", path))
    reverse = not both and backward[0]
    return Described(path, name, order, cell, bias, both, reverse, refused)


def _cell(layer: Any) -> tuple[str, bool, str]:
    """Give the cell of one direction, whether it has a bias, and why it is not ours."""
    kind = layer.get("class_name") if isinstance(layer, dict) else None
    config = _config(layer)
    if kind == "RNN":
        cell = config.get("cell")
        kind = cell.get("class_name") if isinstance(cell, dict) else None
        kind, config = str(kind).removesuffix("Cell"), _config(cell)
    bias = bool(config.get("use_bias", True))
    if kind not in _CLASSES or layer.get("registered_name") not in {None, kind}:
        return "", bias, f"it is a {str(kind)[:80]}, expected {', '.join(_CLASSES)}"
    active = config.get("activation", "tanh")
    gate = config.get("recurrent_activation", "sigmoid")
    if kind == "SimpleRNN" and active == "relu":
        return "rnn_relu", bias, ""
    if active != "tanh" or gate != "sigmoid":
        said = f"{active!r} and {gate!r}"[:120]
        said = f"its activations are {said}; only tanh and sigmoid are computed"
        return "", bias, said
    if kind == "GRU" and not config.get("reset_after"):
        return "gru_reset_before", bias, ""
    return {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn_tanh"}[kind], bias, ""


def _config(layer: Any) -> dict[str, Any]:
    config = layer.get("config") if isinstance(layer, dict) else None
    return config if isinstance(config, dict) else {}


def snake(name: str) -> str:
    """Write a class' name as keras/src/utils/naming.py does: `simple_rnn`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
