"""What a Keras model's config says of its recurrent layers, and where they are."""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rnn_parity.models.keras_settings import (
    CLASSES,
    class_of,
    config_of,
    foreign,
    policy,
    settings,
    unread,
)
from rnn_parity_core import FileError

_RECURRENT = {*CLASSES, "Bidirectional", "RNN"}
_MAX_DEPTH = 32
_MAX_MASKS = 8


class Described(NamedTuple):
    """A recurrent layer by its config."""

    path: str
    """Where `.keras` and `.weights.h5` keep its arrays."""
    top: str
    """Name of the model's layer that it is, or is in."""
    name: str
    order: int
    cell: str
    bias: bool
    units: int | None
    policies: tuple[str, ...]
    """Its dtype policies."""
    both: bool
    """Whether it is a Bidirectional."""
    reverse: bool
    refused: str
    """Why it is none of our cells, where it is none."""
    unread: Mapping[str, str]
    """Settings that are not understood, and layers that mask its steps."""
    notes: tuple[str, ...]


class Config(NamedTuple):
    """A model's layers."""

    recurrent: list[Described]
    others: Mapping[str, tuple[str, str]]
    """Path of every other layer → its name, and its class."""


class _Placed(NamedTuple):
    path: str
    top: str
    layer: dict[str, Any]
    masks: Sequence[str]


def described(config: Any, origin: str, version: str = "") -> Config:
    """Find the layers of a model's config, in its order.

    Args:
        config: The config.
        origin: What the file is called in messages.
        version: That of the Keras that wrote it, if the file says so.

    Raises:
        FileError: Models are nested too deep.

    """
    recurrent: list[Described] = []
    others: dict[str, tuple[str, str]] = {}
    for order, placed in enumerate(_layers(config, "", "", (), 0, origin)):
        kind = class_of(placed.layer)
        if kind in _RECURRENT:
            recurrent.append(_described(placed, order, version))
        else:
            others[placed.path] = _name(placed.layer), kind
    return Config(recurrent, others)


def _layers(
    model: Any, prefix: str, top: str, masks: Sequence[str], depth: int, origin: str
) -> Iterator[_Placed]:
    """Give layers and their paths: a class' name, numbered in each model by itself.

    So does keras/src/saving/saving_lib.py, `_save_container_state`.
    """
    if depth > _MAX_DEPTH:
        raise FileError(f"{origin}: its config nests models over {_MAX_DEPTH} deep")
    counts: dict[str, int] = {}
    layers = [one for one in _list(config_of(model).get("layers")) if class_of(one)]
    above = _masks(layers, origin)
    for layer, reaching in zip(layers, above, strict=True):
        name = snake(class_of(layer))
        number = counts[name] = counts.get(name, -1) + 1
        path = f"{prefix}layers/{name}" + (f"_{number}" if number else "")
        here = _Placed(path, top or _name(layer), layer, [*masks, *reaching])
        yield from _inside(here, depth, origin)


def _inside(placed: _Placed, depth: int, origin: str) -> Iterator[_Placed]:
    """Give a layer, or what is in it: a model has layers, TimeDistributed has one."""
    layer = placed.layer
    inner = config_of(layer).get("layer")
    if depth > _MAX_DEPTH:
        raise FileError(f"{origin}: its config nests models over {_MAX_DEPTH} deep")
    if class_of(layer) in _RECURRENT:
        yield placed
    elif class_of(layer) == "TimeDistributed" and isinstance(inner, dict):
        here = placed._replace(path=f"{placed.path}/layer", layer=inner)
        yield from _inside(here, depth + 1, origin)
    elif _list(config_of(layer).get("layers")):
        place = f"{placed.path}/", placed.top, placed.masks
        yield from _layers(layer, *place, depth + 1, origin)
    else:
        yield placed


def _masks(layers: Sequence[dict[str, Any]], origin: str) -> list[list[str]]:
    """Give the layers that may mask steps of each layer: those that it is fed by.

    Without `inbound_nodes` the layers of a model feed one another in their order.
    """
    names = {_name(layer): n for n, layer in enumerate(layers)}
    feeds: list[list[int]] = [[] for _ in layers]
    for n, layer in enumerate(layers):
        if "inbound_nodes" not in layer:
            feeds[n - 1 if n else 0] += [n] if n else []
        for name in _words(layer.get("inbound_nodes")):
            if name in names and names[name] != n:
                feeds[names[name]].append(n)
    makes = [_makes_masks(layer, 0, origin) for layer in layers]
    above: list[list[str]] = [[] for _ in layers]
    waiting = deque(n for n, made in enumerate(makes) if made)
    while waiting:
        n = waiting.popleft()
        for fed in feeds[n]:
            reach = dict.fromkeys([*above[fed], *makes[n], *above[n]])
            if len(reach) > len(above[fed]) < _MAX_MASKS:
                above[fed] = [*reach][:_MAX_MASKS]
                waiting.append(fed)
    return above


def _makes_masks(layer: Any, depth: int, origin: str) -> list[str]:
    """Give the names of layers in a layer that say which steps are masked."""
    if depth > _MAX_DEPTH:
        raise FileError(f"{origin}: its config nests models over {_MAX_DEPTH} deep")
    kind, config = class_of(layer), config_of(layer)
    masks = config.get("mask_zero") not in (None, False)
    if kind == "Masking" or (kind == "Embedding" and masks):
        return [_name(layer)]
    within = [*_list(config.get("layers")), config.get("layer")]
    found = (_makes_masks(one, depth + 1, origin) for one in within if class_of(one))
    return [name for names in found for name in names][:_MAX_MASKS]


def _words(value: Any) -> Iterator[str]:
    """Give every string in nested lists and dicts."""
    waiting = [value]
    while waiting:
        at = waiting.pop()
        if isinstance(at, str):
            yield at
        elif isinstance(at, dict):
            waiting += at.values()
        elif isinstance(at, list):
            waiting += at


def _described(placed: _Placed, order: int, version: str) -> Described:
    layer, config = placed.layer, config_of(placed.layer)
    both = class_of(layer) == "Bidirectional"
    ways = [layer]
    if both:
        ways = [w for w in (config.get("layer"), config.get("backward_layer")) if w]
    told = [settings(way, version) for way in ways]
    refused = next((one.refused for one in told if one.refused), "")
    backward = [bool(config_of(way).get("go_backwards")) for way in ways]
    if both and foreign(layer):
        refused = refused or "it is a Bidirectional that is not Keras' own"
    if both and config.get("merge_mode") != "concat":
        said = str(config.get("merge_mode"))[:40]
        refused = refused or f"it has merge_mode {said!r}; only concat is computed"
    cells = {(one.cell, one.bias, one.units) for one in told}
    if both and (len(cells) != 1 or backward not in ([False], [False, True])):
        refused = refused or "its two directions are not those of one layer"
    others = unread(config) if both else {}
    for one in told:
        others |= one.unread
    others |= dict.fromkeys(placed.masks, "(which masks steps)")
    first = told[0] if told else settings(None)
    return Described(
        placed.path,
        placed.top,
        _name(layer) or placed.path,
        order,
        first.cell,
        first.bias,
        first.units,
        tuple(dict.fromkeys([policy(config), *(one.policy for one in told)])),
        both,
        not both and backward[0],
        refused,
        others,
        tuple(dict.fromkeys(note for one in told for note in one.notes)),
    )


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _name(layer: Any) -> str:
    name = config_of(layer).get("name")
    return name if isinstance(name, str) else ""


def snake(name: str) -> str:
    """Write a class' name as keras/src/utils/naming.py does: `simple_rnn`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
