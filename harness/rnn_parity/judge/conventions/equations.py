"""Equations with another term: activations, gates and resets of other conventions."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_parity.judge.cells import gate, reset_after, reset_before
from rnn_parity.judge.conventions.hypothesis import Guessing, Hypothesis
from rnn_parity.judge.terms import AS_PUBLISHED, Term, Terms
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import CELLS, Accuracy, Array, Outcome, Problem

_Named = Iterator[tuple[str, Terms]]


def _hard(slope: float) -> Term:
    """`max(0, min(1, slope x + 1/2))`."""

    def hard(ops: Guessing, x: Any) -> Any:
        # Any number of roundings of what is then cut off does not matter.
        return ops.curve(
            x, lambda a: np.clip(slope * a + 0.5, 0, 1), steepest=slope, around=0.5
        )

    return hard


def _clipped(limit: float) -> Term:
    return lambda ops, x: ops.curve(x, lambda a: np.clip(a, -limit, limit), roundings=1)


def _leaky(slope: float) -> Term:
    return lambda ops, x: ops.curve(
        x, lambda a: np.where(a > 0, a, slope * a), steepest=max(1.0, abs(slope))
    )


def _rational(ops: Guessing, x: Any) -> Any:
    """`x (27 + x^2) / (27 + 9 x^2)`, cut at 1: a Pade approximant of tanh."""

    def value(a: Array) -> Array:
        return np.asarray(np.clip(a * (27 + a * a) / (27 + 9 * a * a), -1, 1))

    return ops.curve(x, value, roundings=8)


def _softsign(ops: Guessing, x: Any) -> Any:
    return ops.curve(x, lambda a: a / (1 + np.abs(a)))


def _complement(ops: Guessing, x: Any) -> Any:
    return ops.curve(x, lambda a: 1 - a, around=1.0)


def _itself(_ops: Any, x: Any) -> Any:
    return x


def _sigmoid(ops: Any, x: Any) -> Any:
    return ops.sigmoid(x)


def _tanh(ops: Any, x: Any) -> Any:
    return ops.tanh(x)


def _relu(ops: Any, x: Any) -> Any:
    return ops.relu(x)


_TANHS: Mapping[str, Term] = {
    "relu instead of tanh": _relu,
    "no tanh": _itself,
    "sigmoid instead of tanh": _sigmoid,
    "rational approximation of tanh": _rational,
    "tanh cut off linearly at 1": _clipped(1.0),
    "softsign instead of tanh": _softsign,
}
_SIGMOIDS: Mapping[str, Term] = {
    # Of Keras 3 and torch; of tf_keras and ONNX.
    "hard sigmoid x / 6 + 0.5 instead of sigmoid": _hard(1 / 6),
    "hard sigmoid 0.2 x + 0.5 instead of sigmoid": _hard(0.2),
    "hard sigmoid x / 4 + 0.5 instead of sigmoid": _hard(0.25),
    "tanh instead of sigmoid": _tanh,
    "no sigmoid": _itself,
}
_RELUS: Mapping[str, Term] = {
    "tanh instead of relu": _tanh,
    "no relu": _itself,
    "sigmoid instead of relu": _sigmoid,
    "relu cut off at 6": lambda ops, x: ops.curve(
        x, lambda a: np.clip(a, 0, 6), roundings=1
    ),
}


def _wide_mix(ops: Any, z: Any, h: Any, n: Any) -> Any:
    """`z h + (1 - z) n` for a z of any size."""
    return ops.add(ops.mul(z, h), ops.mul(_complement(ops, z), n))


def _activations(cell: str) -> _Named:
    """Give other functions in place of each that the cell has."""
    functions, lstm = CELLS[cell].functions, "c" in CELLS[cell].states
    if cell == "rnn_relu":
        for name, term in _RELUS.items():
            yield name, replace(AS_PUBLISHED, relu=term)
    for name, term in _TANHS.items() if "tanh" in functions else ():
        of = " of the candidate" if lstm else ""
        if lstm:
            yield name, replace(AS_PUBLISHED, tanh=term, squash=term)
        yield name + of, replace(AS_PUBLISHED, tanh=term)
        if lstm:
            yield f"{name} of the cell state", replace(AS_PUBLISHED, squash=term)
    for name, term in _SIGMOIDS.items() if "sigmoid" in functions else ():
        yield name, replace(AS_PUBLISHED, sigmoid=term, mix=_wide_mix)


_LSTM: Mapping[str, Terms] = {
    "forget gate left out": Terms(
        carry=lambda ops, _f, c, i, g: ops.add(c, ops.mul(i, g))
    ),
    "input gate left out": Terms(
        carry=lambda ops, f, c, _i, g: ops.add(ops.mul(f, c), g)
    ),
    "input gate coupled to the forget gate, i = 1 - f": Terms(
        carry=lambda ops, f, c, _i, g: ops.mix(f, c, g)
    ),
    "forget gate coupled to the input gate, f = 1 - i": Terms(
        carry=lambda ops, _f, c, i, g: ops.mix(i, g, c)
    ),
    "output gate left out": Terms(gated=lambda _ops, _o, c: c),
    "output of the old cell state": Terms(shown=lambda _ops, old, _new: old),
}
_PEEPHOLE: Mapping[str, Terms] = {
    "output gate peeps at the old cell state": Terms(
        peeped=lambda _ops, old, _new: old
    ),
    # Without peepholes this is a gate order, and called that.
    "input and forget gates swapped": Terms(
        carry=lambda ops, f, c, i, g: ops.add(ops.mul(i, c), ops.mul(f, g))
    ),
}


def _projected(ops: Any, h: Any, w: Any) -> Any:
    return ops.affine([(h, w)], np.zeros(w.shape[1]))


_PROJECTION: Mapping[str, Terms] = {
    "tanh of the projection": Terms(
        project=lambda ops, h, w: ops.tanh(_projected(ops, h, w))
    ),
}
_SQUARE_PROJECTION: Mapping[str, Terms] = {
    "projection dropped": Terms(project=lambda _ops, h, _w: h),
    "projection applied twice": Terms(
        project=lambda ops, h, w: _projected(ops, _projected(ops, h, w), w)
    ),
}


def _before(ops: Any, x: Any, r: Any, h: Any, w: Any) -> Any:
    """`x Wn + bn + (r h) Un + b_hn`."""
    units = w["units"].size
    bias = gate(w, "bias", 2, units) + w["recurrent_bias"]
    products = [
        (x, gate(w, "kernel", 2, units)),
        (ops.mul(r, h), gate(w, "recurrent_kernel", 2, units)),
    ]
    return ops.affine(products, bias)


def _of_all(ops: Any, x: Any, r: Any, h: Any, w: Any) -> Any:
    """`r (x Wn + bn + h Un + b_hn)`."""
    ones = ops.constant(np.ones(1))
    return ops.mul(r, reset_after(ops, x, ones, h, w))


_RESETS: Mapping[str, Mapping[str, Terms]] = {
    "gru": {
        "reset before the product instead of after it": Terms(candidate=_before),
        "reset of the inputs' part too": Terms(candidate=_of_all),
    },
    "gru_reset_before": {
        "reset after the product instead of before it": Terms(candidate=reset_after),
        "reset of the inputs' part too": Terms(
            candidate=lambda ops, x, r, h, w: ops.mul(
                r, reset_before(ops, x, ops.constant(np.ones(1)), h, w)
            )
        ),
    },
}
_GRU: Mapping[str, Terms] = {
    "z and 1 - z swapped": Terms(mix=lambda ops, z, h, n: ops.mix(z, n, h)),
    "1 - z left out": Terms(mix=lambda ops, z, h, n: ops.add(ops.mul(z, h), n)),
    "update gate left out": Terms(mix=lambda _ops, _z, _h, n: n),
    "reset gate left out": Terms(reset=lambda ops, _r, _z: ops.constant(np.ones(1))),
    "update gate z resets, too": Terms(reset=lambda _ops, _r, z: z),
}


def equation_conventions(problem: Problem) -> _Named:
    """Give every other form of the cell's equations."""
    case, cell = problem.case, CELLS[problem.case.cell]
    if "c" in cell.states:
        yield from _LSTM.items()
    if case.cell in _RESETS:
        yield from _RESETS[case.cell].items()
        yield from _GRU.items()
    if "peephole" in cell.weights:
        yield from _PEEPHOLE.items()
    if "projection" in cell.weights:
        yield from _PROJECTION.items()
    if case.projection == case.units:
        yield from _SQUARE_PROJECTION.items()
    yield from _activations(case.cell)


def fitted_conventions(problem: Problem, outcome: Outcome) -> Iterator[Hypothesis]:
    """Give equations with a number that is read off the outcome."""
    if problem.case.cell == "rnn_relu" and (outcome["outputs"] < 0).any():
        slope = _fitted_slope(problem, outcome)
        if 0 < abs(slope) < 1:
            yield Hypothesis(
                f"leaky relu of slope {slope:.6g} instead of relu",
                terms=Terms(relu=_leaky(slope)),
            )
    if "final_c" in outcome:
        # No number comes twice by chance.
        size = np.abs(outcome["final_c"])
        values, counts = np.unique(size[size > 0], return_counts=True)
        if (counts > 1).any():
            limit = float(values[counts.argmax()])
            yield Hypothesis(
                f"cell state clipped at {limit:.6g}",
                terms=Terms(carry=_clipping(_clipped(limit))),
            )


def _clipping(clip: Term) -> Term:
    return lambda ops, f, c, i, g: clip(ops, AS_PUBLISHED.carry(ops, f, c, i, g))


def _fitted_slope(problem: Problem, outcome: Outcome) -> float:
    """Find the slope of a leaky relu by Gauss and Newton's method, in one unknown.

    The difference between outputs and steps vanishes at the right slope, and is nearly
    linear in it.
    """
    got = outcome["outputs"].astype(np.float64)
    ops = Guessing(Accuracy(problem.case.dtype, {}))

    def difference(slope: float) -> Array:
        terms = Terms(relu=_leaky(slope))
        made = trajectory(ops, problem, observed=got, terms=terms)
        return np.asarray((made.outputs.value - got).ravel())

    slope, nudge = 0.1, 2.0**-20
    for _ in range(6):
        here = difference(slope)
        tangent = (difference(slope + nudge) - here) / nudge
        if not (steepness := float(tangent @ tangent)):
            break
        slope -= float(tangent @ here) / steepness
    return float(f"{slope:.6g}")
