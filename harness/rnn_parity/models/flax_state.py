"""Flax NNX' state in safetensors: `layers.0.forward_rnn.cell.dense_i.kernel`, ….

The names are the paths of `nnx.to_flat_state(nnx.state(model, nnx.Param))`, with dots.
"""

import dataclasses
import re
from collections.abc import Mapping
from functools import partial

import numpy as np

from rnn_parity.models.account import Account, account, vectors
from rnn_parity.models.layer import (
    UNNAMED,
    Recurrent,
    Saved,
    expect,
    natural,
    possible_cells,
    rows,
)
from rnn_parity_backends.on_flax.layout import to_canonical, to_native
from rnn_parity_core import CELLS, Array, FileError
from rnn_parity_core.arrays import pack

_INPUT_GATES = ("ii", "if_", "ig", "io")
_STATE_GATES = ("hi", "hf", "hg", "ho")
_MODULES = ("dense_i", "dense_h", *_INPUT_GATES, *_STATE_GATES)
_NAME = re.compile(
    r"(?P<prefix>(?:.*?\.)??)(?:(?P<way>forward|backward)_rnn\.)?cell\."
    rf"(?P<name>(?:{'|'.join(_MODULES)})\.(?:kernel|bias))",
    re.DOTALL,
)
_UNTOLD = "assumed: the cells' own activation functions, sigmoid and tanh"
_WRITTEN = {
    "rnn_tanh": "SimpleCell",
    "rnn_relu": "SimpleCell",
    "lstm": "OptimizedLSTMCell",
    "gru": "GRUCell",
}


def saved(arrays: Mapping[str, Array], origin: str) -> list[Saved]:
    """Find every recurrent layer: an `nnx.RNN`, or two in `nnx.Bidirectional`."""
    found: dict[str, dict[tuple[int, str], dict[str, Array]]] = {}
    read: dict[str, dict[str, str]] = {}
    for name, array in arrays.items():
        if match := _NAME.fullmatch(name):
            way = "reverse" if match["way"] == "backward" else "forward"
            layer = match["prefix"].rstrip(".")
            native = found.setdefault(layer, {}).setdefault((0, way), {})
            if match["name"] in native:
                raise FileError(f"{origin}: {name[:100]!r} is there under two names")
            native[match["name"]] = array
            read.setdefault(layer, {})[name] = name.removesuffix(match["name"])
    return [
        dataclasses.replace(
            _layer(name or UNNAMED, found[name], origin),
            account=partial(_account, name, found[name], read[name], arrays),
        )
        for name in sorted(found, key=natural)
    ]


def write(layer: Recurrent) -> bytes:
    """Give the state of `nnx.RNN` or `nnx.Bidirectional`, or an `nnx.Sequential` of it.

    An LSTM is an `OptimizedLSTMCell`. Each backward `nnx.RNN` is one with
    `reverse=True, keep_order=True`, as `nnx.Bidirectional` has it.

    Raises:
        FileError: Flax has no such layer.

    """
    case = layer.case
    if case.cell != CELLS[case.cell].base:
        raise FileError(
            f"Flax' state does not say activations, and {case.cell} has others than "
            "usual: choose --to keras, onnx or canonical"
        )
    if case.cell not in _WRITTEN:
        raise FileError(f"Flax has no {case.cell}: choose --to canonical")
    if case.direction == "reverse":
        raise FileError(
            "Flax' state does not say that a layer is in reverse alone: choose --to "
            "canonical"
        )
    if not case.bias:
        raise FileError(
            "Flax' cells have a bias always, and this layer has none: choose --to "
            "canonical"
        )
    kind = _WRITTEN[case.cell]
    state: dict[str, Array] = {}
    for n, way in case.passes:
        weights = layer.of_pass(n, way)
        if weights.pop("recurrent_bias", np.zeros(1)).any():
            raise FileError(
                f"layer{n}.{way}.recurrent_bias is not zero, and nnx.GRUCell has no "
                "place for it: choose --to torch, keras or onnx"
            )
        outer = f"layers.{n}." if case.layers > 1 else ""
        if case.direction == "bidirectional":
            outer += "backward_rnn." if way == "reverse" else "forward_rnn."
        state |= {
            f"{outer}cell.{module}.{name}": array
            for module, arrays in to_native(kind, weights).items()
            for name, array in arrays.items()
        }
    return pack(state, {"format": "flax"})


def _layer(
    name: str, passes: Mapping[tuple[int, str], Mapping[str, Array]], origin: str
) -> Saved:
    where = f"{origin}, layer {name!r}"
    native = next(iter(passes.values()))
    cells, refused = possible_cells(native.get("dense_h.kernel"), "dense_h.kernel")
    kind = _WRITTEN[cells[0]] if cells else "RNN"
    if "hi.kernel" in native:
        kind, cells, refused = "LSTMCell", ("lstm",), ""
    return Saved(
        name,
        where,
        "flax",
        cells,
        passes,
        partial(_canonical, kind=kind, where=where),
        f"nnx.{kind}, {len(passes)} directions",
        (_UNTOLD,) if refused or len(cells) == 1 else (),
        refused=refused,
    )


def _account(
    layer: str,
    passes: Mapping[tuple[int, str], Mapping[str, Array]],
    read: Mapping[str, str],
    arrays: Mapping[str, Array],
) -> Account:
    """Account for what is in the cells, and around one that is in no `Bidirectional`.

    Args:
        layer: Name of the layer.
        passes: Its arrays.
        read: Their names in the file, and beginnings of all names in their cells.
        arrays: All of the file.

    """
    prefix = f"{layer}." if layer else ""
    scopes, beside = {*read.values()}, set()
    if prefix.endswith(("cell.cell.", ".cell.")) or prefix == "cell.":
        scopes.add(prefix)  # a cell of somebody's, around Flax' own
    elif scopes == {f"{prefix}cell."}:
        of_state = (
            a for n, a in passes[0, "forward"].items() if n[0] == "h" or "_h" in n
        )
        sizes = {size for array in of_state for size in array.shape}
        beside = vectors(arrays, prefix, [f"{prefix}cell."], sizes, ".")
    # Streams of random numbers, which dropout alone reads.
    aside = [name for name in arrays if ".rngs." in name]
    return account(arrays, [*read], [*scopes], ".", suspects=beside, aside=aside)


def _canonical(
    cell: str, native: Mapping[str, Array], kind: str, where: str
) -> dict[str, Array]:
    expect(native, _shapes(cell, native, kind), where)
    modules: dict[str, dict[str, Array]] = {}
    for name, array in native.items():
        module, _, leaf = name.partition(".")
        modules.setdefault(module, {})[leaf] = array
    weights = to_canonical(kind, modules)
    if "recurrent_bias" in CELLS[cell].weights:
        # An nnx.GRUCell has none, which is the same as zeros.
        bias = weights["bias"]
        weights["recurrent_bias"] = np.zeros(bias.size // 3, bias.dtype)
    return weights


def _shapes(
    cell: str, native: Mapping[str, Array], kind: str
) -> dict[str, tuple[int, ...]]:
    if kind == "LSTMCell":
        size, units = rows(native, "ii.kernel"), rows(native, "hi.kernel")
        shapes: dict[str, tuple[int, ...]] = {}
        for of_input, of_state in zip(_INPUT_GATES, _STATE_GATES, strict=True):
            shapes[f"{of_input}.kernel"] = (size, units)
            shapes[f"{of_state}.kernel"] = (units, units)
            shapes[f"{of_state}.bias"] = (units,)
        return shapes
    units = rows(native, "dense_h.kernel")
    size = units * len(CELLS[cell].gates)
    biased = "dense_h" if kind == "OptimizedLSTMCell" else "dense_i"
    return {
        "dense_h.kernel": (units, size),
        "dense_i.kernel": (-1, size),
        f"{biased}.bias": (size,),
    }
