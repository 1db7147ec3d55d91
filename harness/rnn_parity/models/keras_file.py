"""Keras' files: `.keras`, `.weights.h5`, and the `.h5` of before.

A `.keras` is a zip of `config.json` and of the arrays, `model.weights.h5`, which alone
is a `.weights.h5`. Their arrays are numbered, `layers/lstm/cell/vars/0`; those of the
older `.h5` are named, `model_weights/lstm/lstm/lstm_cell/kernel:0`, and the config is
an attribute. Weights alone do not say activations: those of the cell are asked for.
"""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from rnn_parity.models import hdf5
from rnn_parity.models.account import Account, account
from rnn_parity.models.archive import Archive
from rnn_parity.models.keras_config import Config, Described, described
from rnn_parity.models.keras_names import (
    ARRAYS,
    WHOLE,
    Found,
    gatewise,
    named,
    numbered,
)
from rnn_parity.models.layer import (
    Saved,
    expect,
    natural,
    possible_cells,
    rounded,
    rows,
)
from rnn_parity_backends.with_keras.layout import biases_from_keras, from_keras
from rnn_parity_core import CELLS, Array, FileError
from rnn_parity_core.files import objects_once

_UNTOLD = (
    "does not say its activations, nor go_backwards; if they are Keras' own, sigmoid "
    "and tanh, and its steps are in order"
)
_OLD = (
    "was written by Keras {version} and does not say its activations; until 2.3 "
    "hard_sigmoid was usual, lstm.recurrent_hard_sigmoid_5 here; if its own are "
    "sigmoid and tanh, and its steps are in order"
)
_ASSUMED = "assumed, as --cell says: its activations, and steps in order"
_BACKWARDS = "in Keras its outputs are in the order of computing, last step first"
_LOST = "its weights are missing"
_GATEWISE = "its arrays are those of Keras 1, one for each gate: save it with Keras 2"


class _File(NamedTuple):
    """All that is known of a file."""

    contents: hdf5.Contents
    config: Config | None
    origin: str


def saved_model(data: bytes, origin: str) -> list[Saved]:
    """Find the recurrent layers of a `.keras`.

    Raises:
        FileError: It is broken.

    """
    archive = Archive(data, origin)
    config = _json(archive.read("config.json"), f"{origin}: its config.json")
    contents = hdf5.read(archive.read("model.weights.h5"), origin)
    found = numbered(contents.arrays, origin)
    told = described(config, origin, _version(archive, origin))
    by_path = {one.path: one for one in told.recurrent}
    pairs = {path: [by_path[path]] for path in found if path in by_path}
    return _layers(found, pairs, _File(contents, told, origin))


def saved_weights(data: bytes, origin: str) -> list[Saved]:
    """Find the recurrent layers of a `.weights.h5` or `.h5`.

    Raises:
        FileError: It is broken.

    """
    contents = hdf5.read(data, origin)
    if found := numbered(contents.arrays, origin):
        return _layers(found, {}, _File(contents, None, origin))
    found = named(contents.arrays, origin)
    if contents.config:
        config = _json(contents.config, f"{origin}: its model_config")
        told = described(config, origin, contents.version)
        by_name: dict[tuple[str, str], list[Described]] = {}
        for one in told.recurrent:
            by_name.setdefault((one.top, one.name), []).append(one)
        pairs = {path: _owners(path, by_name) for path in found}
        return _layers(found, pairs, _File(contents, told, origin))
    gates = [_refused(path, _GATEWISE, origin) for path in gatewise(contents.arrays)]
    return [*_layers(found, {}, _File(contents, None, origin)), *gates]


def _json(text: bytes | str, origin: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=objects_once)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{origin} is no JSON that is read here: {error}") from None


def _version(archive: Archive, origin: str) -> str:
    """Give the version of the Keras that wrote a `.keras`; `""` if it does not say."""
    if "metadata.json" not in archive.names:
        return ""
    said = _json(archive.read("metadata.json"), f"{origin}: its metadata.json")
    version = said.get("keras_version") if isinstance(said, dict) else None
    return version if isinstance(version, str) else ""


def _owners(
    path: str, by_name: Mapping[tuple[str, str], list[Described]]
) -> list[Described]:
    """Give what a config says of a path: the model's layer, or one within it."""
    top, *parts = path.removeprefix(WHOLE).split("/")
    for name in reversed([top, *parts]):
        if found := by_name.get((top, name)):
            return found
    return []


def _layers(
    found: Mapping[str, Found], pairs: Mapping[str, list[Described]], file: _File
) -> list[Saved]:
    """Join arrays with what the config says, in its order."""
    config = file.config or Config([], {})
    order = {path: told[0].order for path, told in pairs.items() if told}
    paths = sorted(found, key=lambda path: (order.get(path, -1), natural(path)))
    owned = Counter(told.path for of in pairs.values() for told in of)
    layers: dict[str, Saved] = {}
    for path in paths:
        told, why = pairs.get(path, []), ""
        if len(told) > 1 or any(owned[one.path] > 1 for one in told):
            why = "several layers have its name: save the model as .keras"
        elif not told and (other := _other(path, config.others)):
            why = f"{other[0][:80]!r} is a {other[1][:80]}, which is not read"
        elif not told and (config.recurrent or config.others):
            why = "the model's config has no such layer"
        if told and (refused := told[0].refused):
            why = refused
        saved = _layer(found[path], told[0] if told else None, file)
        saved = dataclasses.replace(saved, refused=why or saved.refused)
        layers.setdefault(told[0].path if told else path, saved)
    lacking = [one for one in config.recurrent if one.path not in owned]
    lost = (_refused(one.name, one.refused or _LOST, file.origin) for one in lacking)
    return [*layers.values(), *lost]


def _refused(path: str, why: str, origin: str) -> Saved:
    name = path.rpartition("/")[2]
    where = f"{origin}, layer {name!r}"
    return Saved(name, where, "keras", (), {}, lambda *_: {}, "", refused=why)


def _other(path: str, others: Mapping[str, tuple[str, str]]) -> tuple[str, str] | None:
    """Give the name and class of the layer that arrays are in, by path or by name."""
    parts = path.split("/")
    for end in range(len(parts), 0, -1):
        if (outer := "/".join(parts[:end])) in others:
            return others[outer]
    named = {name: (name, kind) for name, kind in others.values()}
    return next((named[part] for part in reversed(parts) if part in named), None)


def _layer(found: Found, told: Described | None, file: _File) -> Saved:
    path, passes = found.path, found.passes
    name = file.contents.names.get(f"{path}/vars", "") or path.rpartition("/")[2]
    name = told.name if told else name
    where = f"{file.origin}, layer {name!r}"
    first = next(iter(passes.values()))
    notes: tuple[str, ...] = told.notes if told else (_ASSUMED,)
    cells, refused = _possible(first)
    if told:
        cells, refused = (told.cell,), told.refused
        biases = {"bias" in native for native in passes.values()}
        rows_of = {rows(native, ARRAYS[1]) for native in passes.values()} - {0}
        units = {told.units, *rows_of} - {None}
        if biases != {told.bias} or len(passes) != 1 + told.both or len(units) > 1:
            refused = refused or "its config and its weights are not of one layer"
    if told and told.reverse and not refused:
        passes = {(0, "reverse"): passes[0, "forward"]}
        notes += (_BACKWARDS,)
    if "gru" in cells:
        pairs = [(both[0], both[1]) for n in passes.values() if (both := _two(n))]
        notes += rounded("gru", pairs, "the sum of both biases")
    return Saved(
        name,
        where,
        "keras",
        cells,
        passes,
        partial(_canonical, where=where),
        f"{rows(first, 'recurrent_kernel')} units, {len(passes)} directions",
        notes,
        refused,
        _BACKWARDS if (0, "forward") not in passes else "",
        account=partial(_account, found, told, file.contents),
        untold="" if told else _untold(file.contents.version),
    )


def _account(found: Found, told: Described | None, contents: hdf5.Contents) -> Account:
    """Account for a layer's arrays and settings; seeds of dropout take no part."""
    arrays = {**contents.arrays, **contents.others}
    aside = [path for path in contents.others if "/seed_generator/" in path]
    of_arrays = account(arrays, found.read, found.scopes, "/", aside=aside)
    unread = {**of_arrays.unread, **(told.unread if told else {})}
    dtypes = {a.dtype.name for of in found.passes.values() for a in of.values()}
    for policy in told.policies if told else ():
        if policy and {policy} != dtypes:
            unread["dtype"] = f"= {policy[:80]!r} with weights of {', '.join(dtypes)}"
    return of_arrays._replace(unread=unread)


def _untold(version: str) -> str:
    """Say what a file of weights alone does not say."""
    numbers = re.match(r"([0-9]{1,3})\.([0-9]{1,3})", version)
    if numbers and (int(numbers[1]), int(numbers[2])) < (2, 3):
        return _OLD.format(version=version[:20])
    return _UNTOLD


def _two(native: Mapping[str, Array]) -> tuple[Array, ...]:
    """Give the biases of a GRU that resets after the product: n's are the last."""
    bias = native.get("bias", np.zeros(0))
    return tuple(bias) if bias.ndim == len("2G") and len(bias) == len("xh") else ()


def _possible(native: Mapping[str, Array]) -> tuple[tuple[str, ...], str]:
    """Say what arrays without a config can belong to, by their shapes."""
    cells, refused = possible_cells(native.get("recurrent_kernel"), "recurrent_kernel")
    if cells == ("gru",):
        bias = native.get("bias")
        if bias is None:
            cells = ("gru", "gru_reset_before")
        elif bias.ndim != len("2G"):
            cells = ("gru_reset_before",)
    size = native.get("recurrent_kernel", np.zeros((1, 0))).shape[-1]
    if native.get("bias", np.zeros(0)).shape == (2 * size,) and size:
        refused = refused or "it has two biases in one, as CuDNNLSTM and CuDNNGRU do"
    return cells, refused


def _canonical(cell: str, native: Mapping[str, Array], where: str) -> dict[str, Array]:
    units = rows(native, "recurrent_kernel")
    size = units * len(CELLS[cell].gates)
    shapes: dict[str, tuple[int, ...]] = {
        "kernel": (-1, size),
        "recurrent_kernel": (units, size),
    }
    if "bias" in native:
        two = "recurrent_bias" in CELLS[cell].weights
        shapes["bias"] = (2, size) if two else (size,)
    expect(native, shapes, where)
    own = from_keras(cell, [native[name] for name in shapes])
    if "recurrent_bias" in own:
        own["biases"] = biases_from_keras(native["bias"])
    return own
