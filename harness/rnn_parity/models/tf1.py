"""TensorFlow 1's variables in safetensors: `rnn/basic_lstm_cell/kernel`, ….

The names are those that `compat.v1.nn`'s loops give to the legacy cells' variables
(`Variable.op.name`), so that a session's program takes them as they are.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from rnn_parity.models.account import Account, account
from rnn_parity.models.layer import Recurrent, Saved, expect, rows
from rnn_parity_backends.on_tensorflow.layout import from_v1, holds_offset, to_v1
from rnn_parity_core import CELLS, Array, FileError
from rnn_parity_core.arrays import pack

_BIASED = ("kernel", "bias")
_PEEPHOLES = ("w_f_diag", "w_i_diag", "w_o_diag")
# Cell → the scope of its variables and their names there, in the layout's order.
_VARIABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "rnn_tanh": ("basic_rnn_cell", _BIASED),
    "rnn_relu": ("basic_rnn_cell", _BIASED),
    "lstm": ("lstm_cell", _BIASED),
    "lstm_peephole": ("lstm_cell", (*_BIASED, *_PEEPHOLES)),
    "lstm_projection": ("lstm_cell", (*_BIASED, "projection/kernel")),
    "gru_reset_before": (
        "gru_cell",
        ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias"),
    ),
}
_NAMES = {name for _, names in _VARIABLES.values() for name in names}
_SCOPES = (
    *("basic_rnn_cell", "basic_lstm_cell", "lstm_cell", "gru_cell"),
    "layer_norm_basic_lstm_cell",
)
_AROUND = (
    r"(?P<prefix>(?:.*?/)??)"
    r"(?:(?:multi_rnn_cell/)?cell_(?P<layer>[0-9]{1,2})/)?"
    r"(?:bidirectional_rnn/(?P<way>fw|bw)/)?"
    rf"(?P<scope>{'|'.join(_SCOPES)})/"
)
_NAME = re.compile(rf"{_AROUND}(?P<name>{'|'.join(sorted(_NAMES))})", re.DOTALL)
_OTHER = re.compile(rf"{_AROUND}(?P<name>.+)", re.DOTALL)
_AVERAGED = "ExponentialMovingAverage"
# Variables that optimisers keep for each of a cell's.
_SLOTS = re.compile(
    rf".+/(?:Adam|AdamW|Momentum|RMSProp|Adagrad|Adadelta|Ftrl|{_AVERAGED})(?:_[0-9])?",
    re.DOTALL,
)
_BACKWARD = "bidirectional_rnn/bw/"
_FORGET = "forget_bias"
"""Of a file's metadata: what its LSTMs' cells must be made with."""
_ADDED = {
    "1": "assumed: forget_bias=1, which TensorFlow 1 adds when it runs, was added to "
    "the bias",
    "0": "the file says forget_bias=0: make the cells with it, or they add 1",
}
_UNTOLD = "assumed: the cells' own activation functions, sigmoid and tanh"


@dataclass
class _Scope:
    """The variables of a layer."""

    passes: dict[tuple[int, str], dict[str, Array]] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    around: dict[str, None] = field(default_factory=dict)
    """Beginnings of all names in its cells."""
    averaged: bool = False


def saved(
    arrays: Mapping[str, Array], metadata: Mapping[str, str], origin: str
) -> list[Saved]:
    """Find every recurrent layer, by the scopes of its variables.

    Cells add 1 to their forget gate, unless the metadata says that these do not.
    """
    added = metadata.get(_FORGET, "1")
    found: dict[tuple[str, str], _Scope] = {}
    for name, array in arrays.items():
        if match := _NAME.fullmatch(name) or _OTHER.fullmatch(name):
            # A MultiRNNCell in one of two directions is a stack of its own.
            back = match["way"] == "bw" or match["prefix"].endswith(_BACKWARD)
            way = "reverse" if back else "forward"
            layer = found.setdefault((match["prefix"], match["scope"]), _Scope())
            native = layer.passes.setdefault((int(match["layer"] or 0), way), {})
            layer.around[name.removesuffix(match["name"])] = None
            if match["name"] not in _NAMES:
                layer.averaged |= name.endswith(_AVERAGED)
                continue
            if match["name"] in native:
                raise FileError(f"{origin}: {name!r} is there under two names")
            native[match["name"]] = array
            layer.read.append(name)
    if found and added not in _ADDED:
        said = " or ".join(_ADDED)
        raise FileError(f"{origin}: its {_FORGET} is {added!r}, expected {said}")
    return [_layer(*at, layer, arrays, added, origin) for at, layer in found.items()]


def write(layer: Recurrent) -> bytes:
    """Give the variables of legacy cells in TensorFlow 1's own loops.

    One layer is in `dynamic_rnn`, several are in `MultiRNNCell`, both directions in
    `bidirectional_dynamic_rnn` and several such in `stack_bidirectional_dynamic_rnn`.
    LSTMs' biases are those of cells that add 1 to their forget gate; where some bias
    less 1 is no number, of cells that are made with `forget_bias=0`.

    Raises:
        FileError: TensorFlow 1 has no such layer.

    """
    case = layer.case
    if case.cell != CELLS[case.cell].base:
        raise FileError(
            f"TensorFlow 1's variables do not say activations, and {case.cell} has "
            "others than usual: choose --to keras, onnx or canonical"
        )
    if case.cell not in _VARIABLES:
        raise FileError(
            f"TensorFlow 1 has no cell for {case.cell}: choose --to keras or onnx"
        )
    if case.direction == "reverse":
        raise FileError(
            "TensorFlow 1 has no layer in reverse alone: choose --to canonical"
        )
    if not case.bias:
        raise FileError(
            "TensorFlow 1's cells have a bias always, and this layer has none: choose "
            "--to canonical"
        )
    scope, names = _VARIABLES[case.cell]
    state: dict[str, Array] = {}
    every = {at: layer.of_pass(*at) for at in case.passes}
    added = "1" if all(holds_offset(case.cell, w) for w in every.values()) else "0"
    for (n, way), weights in every.items():
        native = to_v1(case.cell, weights, float(added))
        outer = _outer(case.layers, n, case.direction, way)
        state |= {
            f"{outer}{scope}/{name}": array
            for name, array in zip(names, native, strict=True)
        }
    said = {_FORGET: added} if scope == "lstm_cell" else {}
    return pack(state, {"format": "tensorflow-v1", **said})


def _outer(layers: int, n: int, direction: str, way: str) -> str:
    """Name the scopes around a cell."""
    if direction == "bidirectional":
        outer = f"stack_bidirectional_rnn/cell_{n}/" if layers > 1 else ""
        return f"{outer}bidirectional_rnn/{'bw' if way == 'reverse' else 'fw'}/"
    return f"rnn/multi_rnn_cell/cell_{n}/" if layers > 1 else "rnn/"


def _layer(
    prefix: str,
    scope: str,
    layer: _Scope,
    arrays: Mapping[str, Array],
    added: str,
    origin: str,
) -> Saved:
    name, passes = prefix.strip("/") or scope, layer.passes
    where = f"{origin}, layer {name!r}"
    names = {variable for native in passes.values() for variable in native}
    sort = "lstm_cell" if scope == "basic_lstm_cell" else scope
    cells = tuple(
        cell
        for cell, (of, its) in _VARIABLES.items()
        if (of, set(its)) == (sort, names)
    )
    notes = {
        _ADDED[added]: sort == "lstm_cell",
        _UNTOLD: len(cells) == 1,
        f"not read: {_AVERAGED} of the same variables": layer.averaged,
    }
    return Saved(
        name,
        where,
        "tensorflow-v1",
        cells,
        passes,
        partial(_canonical, added=float(added), where=where),
        f"{scope}, {len(passes)} passes",
        tuple(said for said, is_so in notes.items() if is_so),
        refused="" if cells else f"{', '.join(sorted(names))} is no cell's variables",
        account=partial(_account, layer, arrays),
    )


def _account(layer: _Scope, arrays: Mapping[str, Array]) -> Account:
    slots = [name for name in arrays if _SLOTS.fullmatch(name)]
    return account(arrays, layer.read, [*layer.around], "/", aside=slots)


def _canonical(
    cell: str, native: Mapping[str, Array], added: float, where: str
) -> dict[str, Array]:
    _, names = _VARIABLES[cell]
    expect(native, _shapes(cell, native), where)
    return from_v1(cell, [native[name] for name in names], added)


def _shapes(cell: str, native: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """Tell the shapes by the size of one bias."""
    if cell == "gru_reset_before":
        units = native["candidate/bias"].size if "candidate/bias" in native else 0
        return {
            "gates/kernel": (-1, 2 * units),
            "gates/bias": (2 * units,),
            "candidate/kernel": (rows(native, "gates/kernel"), units),
            "candidate/bias": (units,),
        }
    gates = len(CELLS[cell].gates)
    units = native["bias"].size // gates if "bias" in native else 0
    shapes: dict[str, tuple[int, ...]] = {
        "kernel": (-1, gates * units),
        "bias": (gates * units,),
    }
    if cell == "lstm_peephole":
        shapes |= dict.fromkeys(_PEEPHOLES, (units,))
    if cell == "lstm_projection":
        shapes["projection/kernel"] = (units, -1)
    return shapes
