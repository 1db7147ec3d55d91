"""PyTorch's state_dict, as safetensors: `encoder.weight_ih_l0_reverse`, …."""

import re
from collections.abc import Mapping

import numpy as np

from backends.on_torch.layout import to_canonical, to_native
from harness.arrays import pack
from harness.errors import FileError
from harness.models.layer import Recurrent, Saved, possible_cells
from harness.spec import CELLS, Array

_NAME = re.compile(
    r"(?P<prefix>(?:.*\.)?)(?P<kind>weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)"
    r"(?:_l(?P<layer>[0-9]{1,2}))?(?P<reverse>_reverse)?",
    re.DOTALL,
)
_MATRIX = 2


def saved(arrays: Mapping[str, Array], origin: str) -> list[Saved]:
    """Find every recurrent layer of a state_dict, by the prefix of its names."""
    found: dict[str, dict[tuple[int, str], dict[str, Array]]] = {}
    for name, array in arrays.items():
        if match := _NAME.fullmatch(name):
            at = int(match["layer"] or 0), "reverse" if match["reverse"] else "forward"
            passes = found.setdefault(match["prefix"].rstrip("."), {})
            native = passes.setdefault(at, {})
            if match["kind"] in native:
                raise FileError(f"{origin}: {name!r} is there under two names")
            native[match["kind"]] = array
    return [_layer(name or ".", passes, origin) for name, passes in found.items()]


def write(layer: Recurrent) -> bytes:
    """Give a state_dict that `nn.RNN`, `nn.LSTM` or `nn.GRU` loads.

    Raises:
        FileError: PyTorch has no such layer.

    """
    cell = layer.case.cell
    if cell in {"lstm_peephole", "gru_reset_before"}:
        raise FileError(f"PyTorch has no layer for {cell}: choose --to canonical")
    if layer.case.direction == "reverse":
        raise FileError("PyTorch has no layer in reverse alone: choose --to canonical")
    state: dict[str, Array] = {}
    for n, way in layer.case.passes:
        prefix = f"layer{n}.{way}."
        own = {
            name.removeprefix(prefix): array
            for name, array in layer.weights.items()
            if name.startswith(prefix)
        }
        end = f"_l{n}" + ("_reverse" if way == "reverse" else "")
        native = to_native(cell, own)
        state |= {f"{name}{end}": array for name, array in native.items()}
    return pack(state, {"format": "pt"})


def _layer(
    name: str, passes: dict[tuple[int, str], dict[str, Array]], origin: str
) -> Saved:
    where = f"{origin}, layer {name!r}"
    first = passes.get((0, "forward"), {})
    hh = first.get("weight_hh")
    if hh is None or hh.ndim != _MATRIX:
        raise FileError(f"{where}: weight_hh [G, R] of layer 0 is missing")
    if "weight_hr" in first:
        cells: tuple[str, ...] = ("lstm_projection",)
    else:
        cells = possible_cells(hh.shape[0], hh.shape[1], where)
    layers = len({n for n, _ in passes})
    ways = len({way for _, way in passes})
    sizes = f"{hh.shape[1]} recurrent, {layers} layers, {ways} directions"

    def canonical(cell: str, native: dict[str, Array]) -> dict[str, Array]:
        _check(cell, native, where)
        return to_canonical(cell, native)

    return Saved(name, where, "torch", cells, passes, canonical, sizes, _notes(passes))


def _check(cell: str, native: dict[str, Array], where: str) -> None:
    """See that arrays can be taken apart; sizes among layers are for others to judge.

    Raises:
        FileError: Something is missing, or has an impossible shape.

    """
    needed = {"weight_ih", "weight_hh"}
    if "projection" in CELLS[cell].weights:
        needed.add("weight_hr")
    if any(name.startswith("bias") for name in native):
        needed |= {"bias_ih", "bias_hh"}
    if lacking := needed - native.keys():
        raise FileError(f"{where}: {', '.join(sorted(lacking))} is missing")
    rows = native["weight_hh"].shape[:1]
    for name, array in native.items():
        vector = name.startswith("bias")
        if array.ndim != (1 if vector else _MATRIX) or (vector and array.shape != rows):
            raise FileError(f"{where}: {name} has shape {list(array.shape)}, not [G…]")
        if array.dtype != native["weight_hh"].dtype:
            raise FileError(f"{where}: {name} is {array.dtype}, weight_hh is not")


def _notes(passes: Mapping[tuple[int, str], Mapping[str, Array]]) -> tuple[str, ...]:
    """Say by how much the one bias is rounded that PyTorch keeps as two."""
    worst = 0.0
    for native in passes.values():
        one, other = native.get("bias_ih"), native.get("bias_hh")
        if one is None or other is None or one.shape != other.shape:
            continue
        exact = one.astype(np.float64) + other.astype(np.float64)
        off = np.abs(exact - (one + other).astype(np.float64))
        worst = max(worst, float(off.max(initial=0.0)))
    return (f"bias_ih + bias_hh is rounded, by up to {worst:.2g}",) if worst else ()
