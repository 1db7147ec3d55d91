"""The equations of every cell, written once over a small set of operations.

`terms` has the terms that a known convention may have others for.

A step maps inputs `x` `[..., I]` and states (`h` `[..., R]`, `c` `[..., H]`) to states.
It has three parts, so that where h is known before every step only c is gone through
step by step: what follows from x and h, what becomes of c, and the new h.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, cast

import numpy as np

from rnn_parity.judge.operations import Operations, Value
from rnn_parity.judge.terms import AS_PUBLISHED, Terms
from rnn_parity_core import CELLS, Array

Weights = Mapping[str, Any]
State = dict[str, Value]
Early = dict[str, Value]
"""What follows from x and h: gates, or their pre-activations."""


class Late(NamedTuple, Generic[Value]):
    """What the new h is made of besides."""

    old: State[Value]
    """The states before the step."""
    c: Any
    """The new c; None for cells without one."""
    weights: Weights


def gate(weights: Weights, name: str, number: int, units: int) -> Any:
    """Cut one gate's block out of a weight, along its last axis."""
    return weights[name][..., number * units : (number + 1) * units]


def _sums(
    ops: Operations[Value],
    x: Value,
    h: Value,
    w: Weights,
    gates: slice,
    offset: Array | None = None,
) -> list[Value]:
    """Give gates' pre-activations: `x @ kernel + h @ recurrent_kernel + bias`."""
    units = w["units"].size
    columns = (..., slice(gates.start * units, gates.stop * units))
    products = [(x, w["kernel"][columns]), (h, w["recurrent_kernel"][columns])]
    whole = ops.affine(products, w["bias"][columns], offset)
    return [
        ops.take(whole, (..., slice(k * units, (k + 1) * units)))
        for k in range(gates.stop - gates.start)
    ]


def _rnn(
    ops: Operations[Value], x: Value, h: Value, w: Weights, _: Terms
) -> Early[Value]:
    return {"h": _sums(ops, x, h, w, slice(0, 1))[0]}


def _rnn_tanh(
    ops: Operations[Value], early: Early[Value], _: Late[Value], terms: Terms
) -> Value:
    """Elman (1990): `tanh(x @ kernel + h @ recurrent_kernel + bias)`."""
    return cast("Value", terms.tanh(ops, early["h"]))


def _rnn_relu(
    ops: Operations[Value], early: Early[Value], _: Late[Value], terms: Terms
) -> Value:
    """Le, Jaitly and Hinton (2015): the same with a rectifier."""
    return cast("Value", terms.relu(ops, early["h"]))


def _lstm_gates(
    ops: Operations[Value], x: Value, h: Value, w: Weights, terms: Terms
) -> Early[Value]:
    """Gers, Schmidhuber, Cummins (2000); peepholes and projection: Sak et al. (2014).

    Gates i, f, g, o. `c' = f c + i g`, `h' = o tanh(c')`. Peepholes let i and f see c,
    and o see c'. TensorFlow 1 adds 1 to the forget gate when it runs.
    """
    offset = np.repeat((0.0, 1.0, 0.0, 0.0), w["units"].size)
    early = dict(zip("ifgo", _sums(ops, x, h, w, slice(0, 4), offset), strict=True))
    if "peephole" not in w:
        for name in "ifo":
            early[name] = terms.sigmoid(ops, early[name])
    early["g"] = terms.tanh(ops, early["g"])
    return early


def _lstm_carry(
    ops: Operations[Value], early: Early[Value], c: Value, w: Weights, terms: Terms
) -> Value:
    i, f = early["i"], early["f"]
    if "peephole" in w:
        i = terms.sigmoid(ops, ops.add(i, ops.scale(c, w["peephole"][0])))
        f = terms.sigmoid(ops, ops.add(f, ops.scale(c, w["peephole"][1])))
    return cast("Value", terms.carry(ops, f, c, i, early["g"]))


def _lstm(
    ops: Operations[Value], early: Early[Value], late: Late[Value], terms: Terms
) -> Value:
    old, new, w = late.old["c"], late.c, late.weights
    o = early["o"]
    if "peephole" in w:
        seen = terms.peeped(ops, old, new)
        o = terms.sigmoid(ops, ops.add(o, ops.scale(seen, w["peephole"][2])))
    h = terms.gated(ops, o, terms.squash(ops, terms.shown(ops, old, new)))
    return cast(
        "Value", terms.project(ops, h, w["projection"]) if "projection" in w else h
    )


def reset_after(
    ops: Operations[Value], x: Value, r: Value, h: Value, w: Weights
) -> Value:
    """Candidate of Cho et al. (2014), version 3 of the preprint: r after the product.

    `x Wn + bn + r (h Un + b_hn)`.
    """
    units = w["units"].size
    from_x = ops.affine([(x, gate(w, "kernel", 2, units))], gate(w, "bias", 2, units))
    recurrent = gate(w, "recurrent_kernel", 2, units)
    from_h = ops.affine([(h, recurrent)], w.get("recurrent_bias", np.zeros(units)))
    return ops.add(from_x, ops.mul(r, from_h))


def reset_before(
    ops: Operations[Value], x: Value, r: Value, h: Value, w: Weights
) -> Value:
    """Candidate of the same, version 1: `x Wn + bn + (r h) Un`."""
    return _sums(ops, x, ops.mul(r, h), w, slice(2, 3))[0]


def _gru_gates(
    ops: Operations[Value], x: Value, h: Value, w: Weights, terms: Terms
) -> Early[Value]:
    """Cho et al. (2014): gates r, z, n, `h' = z h + (1 - z) tanh(n)`."""
    r, z = (terms.sigmoid(ops, a) for a in _sums(ops, x, h, w, slice(0, 2)))
    own = reset_after if "recurrent_bias" in w else reset_before
    n = (terms.candidate or own)(ops, x, terms.reset(ops, r, z), h, w)
    return {"z": z, "n": terms.tanh(ops, n)}


def _gru(
    ops: Operations[Value], early: Early[Value], late: Late[Value], terms: Terms
) -> Value:
    return cast("Value", terms.mix(ops, early["z"], late.old["h"], early["n"]))


class Equations(NamedTuple):
    """A cell's step in its three parts; each is given the operations first."""

    early: Callable[..., Any]
    """x, h, weights, terms → all that follows from x and h alone, by name."""
    late: Callable[..., Any]
    """That, the states and weights, terms → the new h."""
    carry: Callable[..., Any] | None = None
    """That, c, weights, terms → the new c; None for cells without one."""


_LSTM = Equations(_lstm_gates, _lstm, _lstm_carry)
_GRU = Equations(_gru_gates, _gru)
EQUATIONS: dict[str, Equations] = {
    "rnn_tanh": Equations(_rnn, _rnn_tanh),
    "rnn_relu": Equations(_rnn, _rnn_relu),
    "lstm": _LSTM,
    "lstm_peephole": _LSTM,
    "lstm_projection": _LSTM,
    "gru": _GRU,
    "gru_reset_before": _GRU,
}


def carried(
    ops: Operations[Value],
    cell: str,
    early: Early[Value],
    c: Value,
    weights: Weights,
    terms: Terms = AS_PUBLISHED,
) -> Value:
    """Give the new c of a cell that has one."""
    carry = EQUATIONS[cell].carry
    assert carry  # noqa: S101 - asked of LSTMs alone
    return cast("Value", terms.kept(ops, carry(ops, early, c, weights, terms)))


def returned(
    ops: Operations[Value],
    cell: str,
    early: Early[Value],
    late: Late[Value],
    terms: Terms = AS_PUBLISHED,
) -> Value:
    """Give the new h."""
    return cast("Value", terms.kept(ops, EQUATIONS[cell].late(ops, early, late, terms)))


def step(
    ops: Operations[Value],
    cell: str,
    x: Value,
    state: State[Value],
    weights: Weights,
    terms: Terms = AS_PUBLISHED,
) -> State[Value]:
    """Take one step of a cell with weights from `prepared`."""
    early = EQUATIONS[cell].early(ops, x, state["h"], weights, terms)
    if "c" not in state:
        return {"h": returned(ops, cell, early, Late(state, None, weights), terms)}
    c = carried(ops, cell, early, state["c"], weights, terms)
    return {"h": returned(ops, cell, early, Late(state, c, weights), terms), "c": c}


def prepared(cell: str, weights: Weights) -> dict[str, Array]:
    """Widen canonical weights to float64; biases that a case lacks are zeros."""
    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    units = wide["kernel"].shape[1] // len(CELLS[cell].gates)
    sizes = {"bias": wide["kernel"].shape[1], "recurrent_bias": units}
    for name in CELLS[cell].weights:
        if name not in wide:
            wide[name] = np.zeros(sizes[name])
    # Carries the number of units to where gates are cut.
    wide["units"] = np.zeros(units)
    return wide
