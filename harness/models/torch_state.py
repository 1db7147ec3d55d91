"""PyTorch's state_dict, as safetensors: `encoder.weight_ih_l0_reverse`, …."""

import re
from collections.abc import Mapping

import numpy as np

from backends.on_torch.layout import to_canonical, to_native
from harness.errors import FileError
from harness.models.layer import (
    Recurrent,
    Saved,
    expect,
    possible_cells,
    rounded,
    rows,
)
from harness.spec import CELLS, Array
from harness.store.arrays import pack

_NAME = re.compile(
    r"(?P<prefix>(?:.*\.)?)(?P<kind>weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)"
    r"(?:_l(?P<layer>[0-9]{1,2}))?(?P<reverse>_reverse)?",
    re.DOTALL,
)


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


def _layer(
    name: str, passes: dict[tuple[int, str], dict[str, Array]], origin: str
) -> Saved:
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
        rounded(cells[0], pairs, "bias_ih + bias_hh") if cells else (),
        refused,
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
