"""Long short-term memory, plain, with peepholes and with a projection.

Gates i, f, g, o: `c' = f c + i g`, `h' = o tanh(c')`. Peepholes `[3, H]`, of i, f and
o, let i and f see c, and o see c'.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np

from rnn_parity_core import functions as f
from rnn_parity_core.cell import (
    Activation,
    Cell,
    Fitted,
    Isolated,
    Mistake,
    cut_by_hand,
    sums_of_gates,
)
from rnn_parity_core.functions import Array

_OPEN = 40.0  # where a gate is 1 in every dtype
_GATES = ("i", "f", "g", "o")
_PEEPING = ("i", "f", "o")
_WEIGHTS = {"kernel": "IG", "recurrent_kernel": "RG", "bias": "G"}


def _carry(ops: Any, of: Mapping[str, Any], c: Any) -> Any:
    """Give the new c, of the gates and the old one."""
    return ops.add(ops.mul(of["f"], c), ops.mul(of["i"], of["g"]))


def _new(_old: Any, new: Any) -> Any:
    return new


def _old(old: Any, _new: Any) -> Any:
    return old


def _project(ops: Any, h: Any, projection: Any) -> Any:
    return ops.affine([(h, projection)], np.zeros(projection.shape[1]))


def _step(  # noqa: PLR0913 - every term that implementations are known to differ in
    ops: Any,
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    output_activation: Any,
    carry: Any = _carry,
    output_c: Any = _new,
    peephole_c: Any = _new,
    gate_output: Any = lambda ops, o, c: ops.mul(o, c),
    project: Any = _project,
) -> dict[str, Any]:
    # TensorFlow 1 adds 1 to the forget gate when it runs.
    offset = np.repeat((0.0, 1.0, 0.0, 0.0), w["kernel"].shape[-1] // 4)
    sums = sums_of_gates(ops, (x, state["h"]), w, 4, slice(0, 4), offset)
    of, old = dict(zip(_GATES, sums, strict=True)), state["c"]

    def opened(name: str, c: Any) -> Any:
        total = of[name]
        if "peephole" in w:
            seen = ops.scale(c, w["peephole"][_PEEPING.index(name)])
            total = ops.add(total, seen)
        return recurrent_activation(ops, total)

    if "peephole" not in w:
        of |= {name: opened(name, None) for name in "ifo"}
    of["g"] = activation(ops, of["g"])
    if "peephole" in w:
        of |= {name: opened(name, old) for name in "if"}
    new = carry(ops, of, old)
    if "peephole" in w:
        of["o"] = opened("o", peephole_c(old, new))
    shown = output_activation(ops, output_c(old, new))
    h = gate_output(ops, of["o"], shown)
    if "projection" in w:
        h = project(ops, h, w["projection"])
    return {"h": h, "c": new}


def _by_hand(
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    output_activation: Any,
) -> dict[str, Any]:
    h, c = state["h"], state["c"]
    total = x @ w["kernel"] + h @ w["recurrent_kernel"]
    total = total + w["bias"] if "bias" in w else total
    i, f, g, o = cut_by_hand(total, 4)
    peephole = w.get("peephole")
    if peephole is not None:
        i, f = i + peephole[0] * c, f + peephole[1] * c
    c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
    if peephole is not None:
        o = o + peephole[2] * c
    h = recurrent_activation(o) * output_activation(c)
    return {"h": h @ w["projection"] if "projection" in w else h, "c": c}


def _carrying(form: Any) -> Mistake:
    """Return the mistake of another new c, a form of the operations, c, f, i and g."""

    def carry(ops: Any, of: Mapping[str, Any], c: Any) -> Any:
        return form(ops, c, of["f"], of["i"], of["g"])

    return Mistake({"carry": carry})


def _clipping(limit: float) -> dict[str, Any]:
    clip = f.clipped(limit)
    return {"carry": lambda ops, of, c: clip(ops, _carry(ops, of, c))}


def _forget_moved(by: float) -> Mistake:
    """Return the mistake of a forget gate's bias that something is added to."""

    def weights(w: Mapping[str, Array]) -> dict[str, Array]:
        gates = np.repeat([gate == "f" for gate in _GATES], w["bias"].size // 4)
        return {"bias": w["bias"] + by * gates}

    return Mistake(weights=weights)


_MISTAKES = {
    "1 added to the forget gate": _forget_moved(1.0),
    "1 missing from the forget gate": _forget_moved(-1.0),
    "forget gate left out": _carrying(
        lambda ops, c, _f, i, g: ops.add(c, ops.mul(i, g))
    ),
    "input gate left out": _carrying(
        lambda ops, c, f, _i, g: ops.add(ops.mul(f, c), g)
    ),
    "input gate coupled to the forget gate, i = 1 - f": _carrying(
        lambda ops, c, f, _i, g: ops.mix(f, c, g)
    ),
    "forget gate coupled to the input gate, f = 1 - i": _carrying(
        lambda ops, c, _f, i, g: ops.mix(i, g, c)
    ),
    "output gate left out": Mistake({"gate_output": lambda _ops, _o, c: c}),
    "output of the old cell state": Mistake({"output_c": _old}),
}


def _peeping(form: Any) -> Mistake:
    """Return the mistake of other peepholes, a form of `[3, H]`."""
    return Mistake(weights=lambda w: {"peephole": form(w["peephole"])})


def _peephole_orders() -> Iterator[tuple[str, Mistake]]:
    for order in permutations(range(3)):
        read = ", ".join(_PEEPING[order.index(place)] for place in range(3))
        if list(order) != sorted(order):
            words = f"peephole order {read} instead of {', '.join(_PEEPING)}"
            yield words, _peeping(partial(_rows, list(order)))


def _rows(rows: list[int], peephole: Array) -> Array:
    return peephole[rows]


def _dropped(row: int, peephole: Array) -> Array:
    return np.where(np.arange(3)[:, np.newaxis] == row, 0, peephole)


_PEEPHOLE_MISTAKES = {
    **dict(_peephole_orders()),
    **{
        f"peephole of {gate} for all gates": _peeping(partial(_rows, [k] * 3))
        for k, gate in enumerate(_PEEPING)
    },
    **{
        f"peephole of gate {gate} dropped": _peeping(partial(_dropped, k))
        for k, gate in enumerate(_PEEPING)
    },
    "output gate peeps at the old cell state": Mistake({"peephole_c": _old}),
    # Without peepholes this is a gate order, and called that.
    "input and forget gates swapped": _carrying(
        lambda ops, c, f, i, g: ops.add(ops.mul(i, c), ops.mul(f, g))
    ),
}


def _square(case: Any) -> bool:
    return bool(case.projection == case.units)


_PROJECTION_MISTAKES = {
    "tanh of the projection": Mistake(
        {"project": lambda ops, h, w: ops.tanh(_project(ops, h, w))}
    ),
    "projection dropped": Mistake({"project": lambda _ops, h, _w: h}, applies=_square),
    "projection applied twice": Mistake(
        {"project": lambda ops, h, w: _project(ops, _project(ops, h, w), w)},
        applies=_square,
    ),
}

LSTM = Cell(
    "lstm",
    "Gers, Schmidhuber and Cummins (2000)",
    _WEIGHTS,
    {"h": "R", "c": "H"},
    _step,
    _by_hand,
    gates=_GATES,
    activations={
        "recurrent_activation": Activation(f.SIGMOID),
        "activation": Activation(f.TANH, " of the candidate"),
        "output_activation": Activation(f.TANH, " of the cell state"),
    },
    own_mistakes=_MISTAKES,
    # c is sigmoid(f) 0 + sigmoid(i) tanh(g), one of the two being 1.
    isolates={
        "tanh": Isolated("final_c", (0, 0, 1, 0), (_OPEN, 0, 0, 0)),
        "sigmoid": Isolated("final_c", (1, 0, 0, 0), (0, 0, _OPEN, 0)),
    },
    decoding_seeds=(4, 13),
    fitted=(Fitted("cell state clipped at {:.6g}", _clipping, repeats="c"),),
)
PEEPHOLE = replace(
    LSTM,
    name="lstm_peephole",
    source="Gers and Schmidhuber (2000); Sak et al. (2014)",
    weights={**_WEIGHTS, "peephole": "3H"},
    own_mistakes={**_MISTAKES, **_PEEPHOLE_MISTAKES},
    isolates={},
    decoding_seeds=(4, 28),
)
PROJECTION = replace(
    LSTM,
    name="lstm_projection",
    source="Sak et al. (2014)",
    weights={**_WEIGHTS, "projection": "HP"},
    own_mistakes={**_MISTAKES, **_PROJECTION_MISTAKES},
    isolates={},
    decoding_seeds=(62, 31),
)
CELLS = (LSTM, PEEPHOLE, PROJECTION)
