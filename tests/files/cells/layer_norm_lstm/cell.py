"""An LSTM with layer normalization of its sums and of its cell state.

As PyTorch's `benchmarks/fastrnns/custom_lstms.py` has it: inputs' and states' sums are
normalized each by itself, over all gates, and what is carried on is the normalized c.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from rnn_parity_core import Cell
from rnn_parity_core import functions as f
from rnn_parity_core.cell import Activation, Mistake

EPSILON = 1e-5
_GATES = ("i", "f", "g", "o")
_ROOT = replace(f.SQRT, roundings=2)


def _standardize(ops: Any, a: Any, size: int) -> Any:
    del size
    return ops.standardize(a, EPSILON)


def _norm(ops: Any, a: Any, of: tuple[Any, Any], standardize: Any) -> Any:
    scale, shift = of
    made = standardize(ops, a, scale.shape[-1])
    return ops.shift(ops.scale(made, scale), shift)


def _affine_of(w: Any, name: str) -> tuple[Any, Any]:
    return w[f"{name}_scale"], w[f"{name}_shift"]


def _total(ops: Any, from_x: Any, from_h: Any, w: Any, standardize: Any) -> Any:
    return ops.add(
        _norm(ops, from_x, _affine_of(w, "input"), standardize),
        _norm(ops, from_h, _affine_of(w, "state"), standardize),
    )


def _step(  # noqa: PLR0913 - every term that implementations are known to differ in
    ops: Any,
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    output_activation: Any,
    total: Any = _total,
    standardize: Any = _standardize,
    norm_c: Any = _norm,
    carried: Any = lambda _raw, normed: normed,
) -> dict[str, Any]:
    units, none = w["cell_scale"].shape[-1], np.zeros(w["input_scale"].shape[-1])
    from_x = ops.affine([(x, w["kernel"])], none)
    from_h = ops.affine([(state["h"], w["recurrent_kernel"])], none)
    sums = total(ops, from_x, from_h, w, standardize)
    i, forget, g, o = (
        ops.take(sums, (..., slice(k * units, (k + 1) * units))) for k in range(4)
    )
    i, forget, o = (recurrent_activation(ops, a) for a in (i, forget, o))
    raw = ops.add(ops.mul(forget, state["c"]), ops.mul(i, activation(ops, g)))
    c = norm_c(ops, raw, _affine_of(w, "cell"), standardize)
    return {"h": ops.mul(o, output_activation(ops, c)), "c": carried(raw, c)}


def _normed(a: Any, scale: Any, shift: Any) -> Any:
    apart = a - a.mean(-1)[..., None]
    variance = (apart * apart).mean(-1)[..., None]
    return apart / (variance + EPSILON) ** 0.5 * scale + shift


def _by_hand(
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    output_activation: Any,
) -> dict[str, Any]:
    of_x = _normed(x @ w["kernel"], w["input_scale"], w["input_shift"])
    recurrent = state["h"] @ w["recurrent_kernel"]
    sums = of_x + _normed(recurrent, w["state_scale"], w["state_shift"])
    units = int(sums.shape[-1]) // 4
    i, forget, g, o = (sums[..., k * units : (k + 1) * units] for k in range(4))
    c = recurrent_activation(forget) * state["c"]
    c = c + recurrent_activation(i) * activation(g)
    c = _normed(c, w["cell_scale"], w["cell_shift"])
    return {"h": recurrent_activation(o) * output_activation(c), "c": c}


def _only(name: str) -> Any:
    """Normalize one of the two sums alone."""

    def total(ops: Any, from_x: Any, from_h: Any, w: Any, standardize: Any) -> Any:
        if name == "input":
            normed = _norm(ops, from_x, _affine_of(w, name), standardize)
            return ops.add(normed, from_h)
        return ops.add(from_x, _norm(ops, from_h, _affine_of(w, name), standardize))

    return total


def _joint(ops: Any, from_x: Any, from_h: Any, w: Any, standardize: Any) -> Any:
    """Normalize the sum of both at once."""
    both = ops.add(from_x, from_h)
    return _norm(ops, both, _affine_of(w, "input"), standardize)


def _gate_by_gate(ops: Any, from_x: Any, from_h: Any, w: Any, standardize: Any) -> Any:
    """Normalize each gate by itself, as TensorFlow's LayerNormBasicLSTMCell."""
    units = w["cell_scale"].shape[-1]

    def by_gate(ops: Any, a: Any, size: int) -> Any:
        del size
        cuts = [(..., slice(k * units, (k + 1) * units)) for k in range(4)]
        return ops.concatenate([standardize(ops, ops.take(a, c), units) for c in cuts])

    return _total(ops, from_x, from_h, w, by_gate)


def _of_sample(ops: Any, a: Any, size: int) -> Any:
    """Divide the squares' sum by one less than their number."""
    share = (size - 1) / size
    made = ops.standardize(a, EPSILON * share)
    return ops.scale(made, np.full(1, share**0.5))


def _epsilon_outside(ops: Any, a: Any, size: int) -> Any:
    """Divide `a - mean` by `deviation + epsilon`."""

    def mean(of: Any) -> Any:
        return ops.scale(ops.total(of), np.full(1, 1 / size))

    apart = ops.add(a, ops.scale(ops.spread(mean(a), size), np.full(1, -1.0)))
    deviation = _ROOT(ops, mean(ops.mul(apart, apart)))
    given = ops.shift(deviation, np.full(1, EPSILON))
    return ops.divide(apart, ops.spread(given, size))


def _wide(case: Any) -> bool:
    return bool(case.units > 1)


CELL = Cell(
    name="layer_norm_lstm",
    source="Ba, Kiros and Hinton (2016), as in PyTorch's custom_lstms.py",
    weights={
        "kernel": "IG",
        "recurrent_kernel": "RG",
        "input_scale": "G",
        "input_shift": "G",
        "state_scale": "G",
        "state_shift": "G",
        "cell_scale": "H",
        "cell_shift": "H",
    },
    states={"h": "R", "c": "H"},
    step=_step,
    by_hand=_by_hand,
    gates=_GATES,
    activations={
        "recurrent_activation": Activation(f.SIGMOID),
        "activation": Activation(f.TANH, " of the candidate"),
        "output_activation": Activation(f.TANH, " of the cell state"),
    },
    own_mistakes={
        "norm left out of c": Mistake({"norm_c": lambda _ops, a, _of, _standardize: a}),
        "norm left out of the state's sums": Mistake({"total": _only("input")}),
        "norm left out of the inputs' sums": Mistake({"total": _only("state")}),
        "one joint norm of both sums": Mistake({"total": _joint}),
        "a norm of each gate by itself": Mistake({"total": _gate_by_gate}),
        "c carried on before its norm": Mistake({"carried": lambda raw, _normed: raw}),
        "sample variance instead of the population's": Mistake(
            {"standardize": _of_sample}, applies=_wide
        ),
        "epsilon outside of the root": Mistake(
            {"standardize": _epsilon_outside}, applies=_wide
        ),
    },
)
