"""Keras' files: `.keras`, `.weights.h5`, and the `.h5` of before.

A `.keras` is a zip of `config.json` and of the arrays, `model.weights.h5`, which alone
is a `.weights.h5`. Their arrays are numbered, `layers/lstm/cell/vars/0`; those of the
older `.h5` are named, `model_weights/lstm/lstm/lstm_cell/kernel:0`, and the config is
an attribute. Weights alone do not say activations: Keras' usual ones are taken, and
that is said.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from backends.with_keras.layout import biases_from_keras, from_keras
from harness.errors import FileError
from harness.models import hdf5
from harness.models.archive import Archive
from harness.models.keras_config import Described, described
from harness.models.layer import Saved, expect, natural, possible_cells, rounded, rows
from harness.spec import CELLS, Array

_NUMBERED = re.compile(
    r"(?P<layer>.+?)(?:/(?P<way>forward|backward)_layer)?/cell/vars/(?P<at>[0-9])",
    re.DOTALL,
)
_NAMED = re.compile(
    r"(?:model_weights/)?(?P<layer>.+)/[^/]+/"
    r"(?P<at>kernel|recurrent_kernel|bias)(?::0)?",
    re.DOTALL,
)
_WAYS = re.compile(r"(?P<layer>.+)/(?P<way>forward|backward)_[^/]+", re.DOTALL)
_ARRAYS = ("kernel", "recurrent_kernel", "bias")
_UNTOLD = "nothing says its activations, nor go_backwards: Keras' defaults are taken"
_BACKWARDS = "in Keras its outputs are in the order of computing, last step first"
_Found = dict[str, dict[tuple[int, str], dict[str, Array]]]


def saved_model(data: bytes, origin: str) -> list[Saved]:
    """Find the recurrent layers of a `.keras`.

    Raises:
        FileError: It is broken.

    """
    archive = Archive(data, origin)
    try:
        config = json.loads(archive.read("config.json"))
    except (ValueError, RecursionError):
        raise FileError(f"{origin}: its config.json is no JSON") from None
    arrays, names, _ = hdf5.read(archive.read("model.weights.h5"), origin)
    return _layers(_numbered(arrays, origin), names, described(config, origin), origin)


def saved_weights(data: bytes, origin: str) -> list[Saved]:
    """Find the recurrent layers of a `.weights.h5` or `.h5`.

    Raises:
        FileError: It is broken.

    """
    arrays, titles, config = hdf5.read(data, origin)
    if numbered := _numbered(arrays, origin):
        return _layers(numbered, titles, [], origin)
    told: list[Described] = []
    if config:
        try:
            told = described(json.loads(config), origin)
        except (ValueError, RecursionError):
            raise FileError(f"{origin}: its model_config is no JSON") from None
    found = _named(arrays, origin)
    # These files know layers by their names, wherever they are; what has the name of
    # another is not told.
    paths = {path.rpartition("/")[2]: path for path in found}
    names = Counter(one.name for one in told)
    told = [
        one._replace(path=paths.get(one.name, ""))
        for one in told
        if names[one.name] == 1
    ]
    return _layers(found, {}, told, origin)


def _numbered(arrays: Mapping[str, Array], origin: str) -> _Found:
    found: _Found = {}
    for path, array in arrays.items():
        if (match := _NUMBERED.fullmatch(path)) and int(match["at"]) < len(_ARRAYS):
            way = "reverse" if match["way"] == "backward" else "forward"
            native = found.setdefault(match["layer"], {}).setdefault((0, way), {})
            _put(native, _ARRAYS[int(match["at"])], array, path, origin)
    return found


def _named(arrays: Mapping[str, Array], origin: str) -> _Found:
    """Find layers of the older files: what has a recurrent kernel."""
    paths: dict[str, dict[str, Array]] = {}
    whole = any(path.startswith("model_weights/") for path in arrays)
    for path, array in arrays.items():
        inside = path.startswith("model_weights/") or not whole
        if inside and (match := _NAMED.fullmatch(path)):
            native = paths.setdefault(match["layer"], {})
            _put(native, match["at"], array, path, origin)
    halves = {path: match for path in paths if (match := _WAYS.fullmatch(path))}
    there = {(match["layer"], match["way"]) for match in halves.values()}
    twin = {"forward": "backward", "backward": "forward"}
    found: _Found = {}
    for path, native in paths.items():
        if "recurrent_kernel" in native:
            match = halves.get(path)
            if match and (match["layer"], twin[match["way"]]) in there:
                way = "reverse" if match["way"] == "backward" else "forward"
                both = found.setdefault(match["layer"], {})
                if (0, way) in both:
                    raise FileError(
                        f"{origin}: {path[:100]!r} is there under two names"
                    )
                both[0, way] = native
            else:
                found[path] = {(0, "forward"): native}
    return found


def _put(
    native: dict[str, Array], name: str, array: Array, path: str, origin: str
) -> None:
    if name in native:
        raise FileError(f"{origin}: {path[:100]!r} is there under two names")
    native[name] = array


def _layers(
    found: _Found,
    names: Mapping[str, str],
    told: Sequence[Described],
    origin: str,
) -> list[Saved]:
    """Join arrays with what the config says, in its order."""
    by_path = {one.path: one for one in told}
    if lacking := [one.name for one in told if one.path not in found]:
        raise FileError(f"{origin}: the weights of layer {lacking[0]!r} are missing")
    order = {path: one.order for path, one in by_path.items()}
    return [
        _layer(
            path, names.get(f"{path}/vars", ""), found[path], by_path.get(path), origin
        )
        for path in sorted(found, key=lambda path: (order.get(path, -1), natural(path)))
    ]


def _layer(
    path: str,
    name: str,
    passes: Mapping[tuple[int, str], Mapping[str, Array]],
    told: Described | None,
    origin: str,
) -> Saved:
    name = told.name if told else name or path.rpartition("/")[2]
    where = f"{origin}, layer {name!r}"
    notes: tuple[str, ...] = () if told else (_UNTOLD,)
    cells, refused = _possible(next(iter(passes.values())))
    if told:
        cells, refused = (told.cell,), told.refused
        biases = {"bias" in native for native in passes.values()}
        if biases != {told.bias} or len(passes) != 1 + told.both:
            refused = refused or "its config and its weights are not of one layer"
    if told and told.reverse and not refused:
        passes = {(0, "reverse"): passes[0, "forward"]}
        notes = (_BACKWARDS,)
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
        f"{rows(next(iter(passes.values())), 'recurrent_kernel')} units, "
        f"{len(passes)} directions",
        notes,
        refused,
        _BACKWARDS if (0, "forward") not in passes else "",
    )


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
