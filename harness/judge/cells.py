"""The equations of every cell, written once over a small set of operations.

`arithmetic` has the operations twice: in float64, and in float64 with an error bound;
`terms` has the terms that a known convention may have others for.
A step maps inputs `x` `[..., I]` and states (`h` `[..., R]`, `c` `[..., H]`) to states.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.judge.terms import AS_PUBLISHED, Terms
from harness.spec import CELLS, Array

Value = TypeVar("Value")
Weights = Mapping[str, Any]
State = dict[str, Value]


class Operations(Protocol[Value]):
    """What a cell may use; every function of values rounds in the case's dtype."""

    def exactly(self, value: Array, name: str = "") -> Value:
        """Take an array as given, without error, under a name if it has one."""
        ...

    def seen(self, value: Array, instead_of: Value) -> Value:
        """Take what a backend returned, in place of what was computed here."""
        ...

    def weight(self, value: Array, name: str) -> Any:
        """Take a weight as given, by its full name; it can be sliced."""
        ...

    def affine(
        self, products: list[tuple[Value, Any]], bias: Any, offset: float = 0.0
    ) -> Value:
        """Sum of `x @ w` over the pairs and the bias, in no promised order.

        A backend may keep `bias - offset` and add the offset when it runs.
        """
        ...

    def add(self, a: Value, b: Value) -> Value:
        """Sum."""
        ...

    def mul(self, a: Value, b: Value) -> Value:
        """Product, element by element."""
        ...

    def scale(self, a: Value, weight: Any) -> Value:
        """Product with an exact weight, element by element."""
        ...

    def mix(self, z: Value, a: Value, b: Value) -> Value:
        """`z a + (1 - z) b`, in whatever form it is computed; z within [0, 1]."""
        ...

    def tanh(self, x: Value) -> Value:
        """Hyperbolic tangent."""
        ...

    def sigmoid(self, x: Value) -> Value:
        """Logistic function."""
        ...

    def relu(self, x: Value) -> Value:
        """Larger one of x and 0."""
        ...

    def where(self, mask: NDArray[np.bool_], a: Value, b: Value) -> Value:
        """Take `a` where the mask holds, else `b`."""
        ...

    def take(self, value: Value, index: Any) -> Value:
        """Index a value."""
        ...

    def stack(self, values: list[Value]) -> Value:
        """Stack along axis 1, that of time."""
        ...

    def concatenate(self, values: list[Value]) -> Value:
        """Join along the last axis."""
        ...


def gate(weights: Weights, name: str, number: int, units: int) -> Any:
    """Cut one gate's block out of a weight, along its last axis."""
    return weights[name][..., number * units : (number + 1) * units]


def _sum(
    ops: Operations[Value],
    x: Value,
    h: Value,
    weights: Weights,
    number: int,
    offset: float = 0.0,
) -> Value:
    """Pre-activation of one gate: `x @ kernel + h @ recurrent_kernel + bias`."""
    units = weights["units"].size
    products = [
        (x, gate(weights, "kernel", number, units)),
        (h, gate(weights, "recurrent_kernel", number, units)),
    ]
    return ops.affine(products, gate(weights, "bias", number, units), offset)


def _rnn_tanh(
    ops: Operations[Value], x: Value, state: State[Value], w: Weights, terms: Terms
) -> State[Value]:
    """Elman (1990): `tanh(x @ kernel + h @ recurrent_kernel + bias)`."""
    return {"h": terms.tanh(ops, _sum(ops, x, state["h"], w, 0))}


def _rnn_relu(
    ops: Operations[Value], x: Value, state: State[Value], w: Weights, terms: Terms
) -> State[Value]:
    """Le, Jaitly and Hinton (2015): the same with a rectifier."""
    return {"h": terms.relu(ops, _sum(ops, x, state["h"], w, 0))}


def _lstm(
    ops: Operations[Value], x: Value, state: State[Value], w: Weights, terms: Terms
) -> State[Value]:
    """Gers, Schmidhuber, Cummins (2000); peepholes and projection: Sak et al. (2014).

    Gates i, f, g, o. `c' = f c + i g`, `h' = o tanh(c')`. Peepholes let i and f see c,
    and o see c'. TensorFlow 1 adds 1 to the forget gate when it runs.
    """
    h, old = state["h"], state["c"]
    i, f, g, o = (
        _sum(ops, x, h, w, number, offset)
        for number, offset in enumerate((0.0, 1.0, 0.0, 0.0))
    )
    if "peephole" in w:
        i = ops.add(i, ops.scale(old, w["peephole"][0]))
        f = ops.add(f, ops.scale(old, w["peephole"][1]))
    f, i, g = terms.sigmoid(ops, f), terms.sigmoid(ops, i), terms.tanh(ops, g)
    c = terms.carry(ops, f, old, i, g)
    if "peephole" in w:
        o = ops.add(o, ops.scale(terms.peeped(ops, old, c), w["peephole"][2]))
    out = terms.squash(ops, terms.shown(ops, old, c))
    h = terms.gated(ops, terms.sigmoid(ops, o), out)
    if "projection" in w:
        h = terms.project(ops, h, w["projection"])
    return {"h": h, "c": c}


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
    return _sum(ops, x, ops.mul(r, h), w, 2)


def _gru(
    ops: Operations[Value], x: Value, state: State[Value], w: Weights, terms: Terms
) -> State[Value]:
    """Cho et al. (2014): gates r, z, n, `h' = z h + (1 - z) tanh(n)`."""
    h = state["h"]
    r, z = (terms.sigmoid(ops, _sum(ops, x, h, w, number)) for number in (0, 1))
    own = reset_after if "recurrent_bias" in w else reset_before
    n = (terms.candidate or own)(ops, x, terms.reset(ops, r, z), h, w)
    return {"h": terms.mix(ops, z, h, terms.tanh(ops, n))}


_STEPS: dict[str, Callable[..., object]] = {
    "rnn_tanh": _rnn_tanh,
    "rnn_relu": _rnn_relu,
    "lstm": _lstm,
    "lstm_peephole": _lstm,
    "lstm_projection": _lstm,
    "gru": _gru,
    "gru_reset_before": _gru,
}


def step(
    ops: Operations[Value],
    cell: str,
    x: Value,
    state: State[Value],
    weights: Weights,
    terms: Terms = AS_PUBLISHED,
) -> State[Value]:
    """Take one step of a cell with weights from `prepared`."""
    taken: State[Value] = _STEPS[cell](ops, x, state, weights, terms)  # type: ignore[assignment]
    return {name: terms.kept(ops, value) for name, value in taken.items()}


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
