"""PyTorch's state_dict, as safetensors: `encoder.weight_ih_l0_reverse`, …."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from rnn_parity.models.account import Account, account, listed, vectors
from rnn_parity.models.layer import (
    UNNAMED,
    Recurrent,
    Saved,
    expect,
    possible_cells,
    rounded,
    rows,
)
from rnn_parity_backends.on_torch.layout import to_canonical, to_native
from rnn_parity_core import CELLS, Array, FileError
from rnn_parity_core.arrays import pack

_WEIGHT = (
    r"(?P<kind>weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)"
    r"(?:_l(?P<layer>[0-9]{1,2}))?(?P<reverse>_reverse)?"
)
_NAME = re.compile(rf"(?P<prefix>(?:.*\.)?){_WEIGHT}", re.DOTALL)
# What WeightDropout of fastai and AWD-LSTM keeps beside the copy that it drops from.
_RAW = re.compile(rf"(?P<prefix>(?:.*\.)?){_WEIGHT}_raw", re.DOTALL)
# Parts that weight and spectral normalization make a weight of.
_DERIVED = re.compile(
    rf"(?P<prefix>(?:.*?\.)??)(?:parametrizations\.)?{_WEIGHT}"
    r"(?:_(?:g|v|u|orig)|\.original[01]?)",
    re.DOTALL,
)
_CELL = "assumed: nothing but an nn.RNNCell, LSTMCell or GRUCell computes with them"
_Passes = dict[tuple[int, str], dict[str, Array]]


@dataclass
class _Module:
    """A module that holds the weights of a recurrent layer."""

    prefix: str
    passes: _Passes = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    plain: bool = False
    """Whether its names have no number of a layer, as those of cells."""
    dropped: list[str] = field(default_factory=list)
    """Copies with dropout, which are not read."""


def saved(arrays: Mapping[str, Array], origin: str) -> list[Saved]:
    """Find every recurrent layer of a state_dict, by the prefix of its names."""
    found: dict[str, _Module] = {}
    for name in arrays:
        if match := _NAME.fullmatch(name):
            module = found.setdefault(match["prefix"], _Module(match["prefix"]))
            _put(module, match, name, arrays, origin)
        elif match := _DERIVED.fullmatch(name):
            found.setdefault(match["prefix"], _Module(match["prefix"]))
    for name in arrays:
        if match := _RAW.fullmatch(name):
            inner = f"{match['prefix']}module."  # fastai keeps the layer itself there
            prefix = inner if inner in found else match["prefix"]
            module = found.setdefault(prefix, _Module(prefix))
            copy = prefix + name[len(match["prefix"]) : -len("_raw")]
            if copy in module.read:
                module.dropped.append(copy)
                module.read.remove(copy)
                del module.passes[_place(match)][match["kind"]]
            _put(module, match, name, arrays, origin)
    return [_layer(module, arrays, origin) for module in found.values()]


def _put(
    module: _Module,
    match: re.Match[str],
    name: str,
    arrays: Mapping[str, Array],
    origin: str,
) -> None:
    native = module.passes.setdefault(_place(match), {})
    if match["kind"] in native:
        raise FileError(f"{origin}: {name!r} is there under two names")
    native[match["kind"]] = arrays[name]
    module.read.append(name)
    module.plain |= not match["layer"]


def _place(match: re.Match[str]) -> tuple[int, str]:
    return int(match["layer"] or 0), "reverse" if match["reverse"] else "forward"


def write(layer: Recurrent) -> bytes:
    """Give a state_dict that `nn.RNN`, `nn.LSTM` or `nn.GRU` loads.

    Raises:
        FileError: PyTorch has no such layer.

    """
    cell = layer.case.cell
    if cell != CELLS[cell].base:
        raise FileError(
            "PyTorch's layers take no activations, and a state_dict says none: "
            f"{cell} would be read as {CELLS[cell].base}; choose --to keras, onnx or "
            "canonical"
        )
    if cell in {"lstm_peephole", "gru_reset_before"}:
        raise FileError(
            f"PyTorch has no layer for {cell}: choose --to onnx or tensorflow-v1"
        )
    if layer.case.direction == "reverse":
        raise FileError("PyTorch has no layer in reverse alone: choose --to canonical")
    state: dict[str, Array] = {}
    for n, way in layer.case.passes:
        end = f"_l{n}" + ("_reverse" if way == "reverse" else "")
        native = to_native(cell, layer.of_pass(n, way))
        if (both := layer.biases.get((n, way))) is not None:
            native |= {"bias_ih": both[0], "bias_hh": both[1]}
        state |= {f"{name}{end}": array for name, array in native.items()}
    return pack(state, {"format": "pt"})


def _layer(module: _Module, arrays: Mapping[str, Array], origin: str) -> Saved:
    name, passes = module.prefix.rstrip(".") or UNNAMED, module.passes
    where = f"{origin}, layer {name!r}"
    first = passes.get((0, "forward"), {})
    hh = first.get("weight_hh")
    cells, refused = possible_cells(None if hh is None else hh.T, "weight_hh")
    if "weight_hr" in first and hh is not None:
        cells, refused = ("lstm_projection",), ""
    pairs = [
        (native["bias_ih"], native["bias_hh"])
        for native in passes.values()
        if native.keys() >= {"bias_ih", "bias_hh"}
    ]

    def canonical(cell: str, native: dict[str, Array]) -> dict[str, Array]:
        expect(native, _shapes(cell, native), where)
        own = to_canonical(cell, native)
        if "bias_ih" in native:
            own["biases"] = np.stack([native["bias_ih"], native["bias_hh"]])
        return own

    return Saved(
        name,
        where,
        "torch",
        cells,
        passes,
        canonical,
        f"{rows(first, 'weight_hh')} gate rows, {len({n for n, _ in passes})} layers, "
        f"{len({way for _, way in passes})} directions",
        _notes(module, cells, pairs),
        refused,
        account=partial(_account, module, arrays),
    )


def _notes(
    module: _Module, cells: Sequence[str], pairs: Sequence[tuple[Array, Array]]
) -> tuple[str, ...]:
    raw = [name for name in module.read if name.endswith("_raw")]
    notes = rounded(cells[0], pairs, "bias_ih + bias_hh") if cells else ()
    if module.plain:
        notes += (_CELL,)
    if raw:
        notes += (f"{listed(raw)}: read as the weight, before dropout",)
    if module.dropped:
        notes += (f"{listed(module.dropped)}: not read, a copy with dropout",)
    return notes


def _account(module: _Module, arrays: Mapping[str, Array]) -> Account:
    """Account for what is in the module, and beside it if it is a cell's."""
    beside: set[str] = set()
    prefix = module.prefix
    if module.plain and prefix:
        around = prefix.split(".")[:-1]
        if around.pop().isdecimal() and around:
            around.pop()  # a ModuleList of cells computes nothing: look around it
        parent = ".".join([*around, ""])
        hh = module.passes.get((0, "forward"), {}).get("weight_hh", np.zeros(0))
        beside = vectors(arrays, parent, [prefix], hh.shape, ".") - {*module.read}
    return account(
        arrays, module.read, [prefix], ".", suspects=beside, aside=module.dropped
    )


def _shapes(cell: str, native: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    size = rows(native, "weight_hh")
    units = size // len(CELLS[cell].gates)
    projected = "projection" in CELLS[cell].weights
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih": (size, -1),
        "weight_hh": (size, -1 if projected else units),
    }
    if projected:
        shapes["weight_hr"] = (-1, units)
    if any(name.startswith("bias") for name in native):
        shapes |= {"bias_ih": (size,), "bias_hh": (size,)}
    return shapes
