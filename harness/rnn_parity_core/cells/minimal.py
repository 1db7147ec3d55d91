"""Cells with less in them: MGU, IndRNN, minGRU and minLSTM."""

from typing import Any

from rnn_parity_core import functions as f
from rnn_parity_core.cell import (
    Activation,
    Cell,
    Mistake,
    cut,
    cut_by_hand,
    sums_of_gates,
)


def _plus(tensor: Any, w: Any, name: str = "bias") -> Any:
    return tensor + w[name] if name in w else tensor


def _mgu(  # noqa: PLR0913 - every term that implementations are known to differ in
    ops: Any,
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    reset: Any = lambda ops, f, h: ops.mul(f, h),
    mix: Any = lambda ops, f, h, n: ops.mix(f, h, n),
) -> dict[str, Any]:
    h, units = state["h"], w["recurrent_kernel"].shape[-1] // 2
    (total,) = sums_of_gates(ops, (x, h), w, 2, slice(0, 1))
    gate = recurrent_activation(ops, total)
    of_n = (..., slice(units, 2 * units))
    from_x = ops.affine([(x, w["kernel"][of_n])], w["bias"][of_n])
    from_h = ops.affine([(h, w["recurrent_kernel"][of_n])], w["recurrent_bias"])
    n = activation(ops, ops.add(from_x, reset(ops, gate, from_h)))
    return {"h": mix(ops, gate, h, n)}


def _mgu_by_hand(
    x: Any, state: Any, w: Any, *, recurrent_activation: Any, activation: Any
) -> dict[str, Any]:
    h = state["h"]
    x_f, x_n = cut_by_hand(_plus(x @ w["kernel"], w), 2)
    h_f, h_n = cut_by_hand(h @ w["recurrent_kernel"], 2)
    gate = recurrent_activation(x_f + h_f)
    n = activation(x_n + gate * _plus(h_n, w, "recurrent_bias"))
    return {"h": gate * h + (1 - gate) * n}


MGU = Cell(
    "mgu",
    "Zhou et al. (2016), as flax.linen.MGUCell has it: the gate after the product",
    {"kernel": "IG", "recurrent_kernel": "RG", "bias": "G", "recurrent_bias": "H"},
    {"h": "R"},
    _mgu,
    _mgu_by_hand,
    decoding_seeds=(40, 13),
    gates=("f", "n"),
    activations={
        "recurrent_activation": Activation(f.SIGMOID),
        "activation": Activation(f.TANH),
    },
    own_mistakes={
        "f and 1 - f swapped": Mistake(
            {"mix": lambda ops, f, h, n: ops.mix(f, n, h)}, pairs=True
        ),
        "1 - f left out": Mistake(
            {"mix": lambda ops, f, h, n: ops.add(ops.mul(f, h), n)}
        ),
        "gate does not reset": Mistake({"reset": lambda _ops, _f, h: h}, pairs=True),
        "gate does not mix": Mistake({"mix": lambda _ops, _f, _h, n: n}),
    },
)


def _ind_rnn(
    ops: Any, x: Any, state: Any, w: Any, *, activation: Any
) -> dict[str, Any]:
    total = ops.affine([(x, w["kernel"])], w["bias"])
    return {"h": activation(ops, ops.add(total, ops.scale(state["h"], w["recurrent"])))}


def _ind_rnn_by_hand(x: Any, state: Any, w: Any, *, activation: Any) -> dict[str, Any]:
    return {"h": activation(_plus(x @ w["kernel"] + state["h"] * w["recurrent"], w))}


IND_RNN = Cell(
    "ind_rnn",
    "Li et al. (2018): relu(x @ kernel + recurrent * h + bias)",
    {"kernel": "IG", "recurrent": "H", "bias": "G"},
    {"h": "H"},
    _ind_rnn,
    _ind_rnn_by_hand,
    decoding_seeds=(562, 215),
    gates=("h",),
    activations={"activation": Activation(f.RELU)},
)


_ACTIVATIONS = {
    "recurrent_activation": Activation(f.SIGMOID),
    "activation": Activation(f.LINEAR),
}


def _gates_of_x(ops: Any, x: Any, w: Any, count: int) -> list[Any]:
    whole = ops.affine([(x, w["kernel"])], w["bias"])
    return cut(ops, whole, count, w["kernel"].shape[-1] // count)


def _min_gru(  # noqa: PLR0913 - one for each term
    ops: Any,
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    mix: Any = lambda ops, z, h, n: ops.mix(z, n, h),
) -> dict[str, Any]:
    z, n = _gates_of_x(ops, x, w, 2)
    z, n = recurrent_activation(ops, z), activation(ops, n)
    return {"h": mix(ops, z, state["h"], n)}


def _min_gru_by_hand(
    x: Any, state: Any, w: Any, *, recurrent_activation: Any, activation: Any
) -> dict[str, Any]:
    z, n = cut_by_hand(_plus(x @ w["kernel"], w), 2)
    z, n = recurrent_activation(z), activation(n)
    return {"h": (1 - z) * state["h"] + z * n}


MIN_GRU = Cell(
    "min_gru",
    "Feng et al. (2024): z and n of x alone, h' = (1 - z) h + z n",
    {"kernel": "IG", "bias": "G"},
    {"h": "H"},
    _min_gru,
    _min_gru_by_hand,
    decoding_seeds=(32, 16),
    gates=("z", "n"),
    activations=_ACTIVATIONS,
    own_mistakes={
        "z and 1 - z swapped": Mistake(
            {"mix": lambda ops, z, h, n: ops.mix(z, h, n)}, pairs=True
        ),
        "1 - z left out": Mistake(
            {"mix": lambda ops, z, h, n: ops.add(h, ops.mul(z, n))}
        ),
    },
)


def _shares(ops: Any, i: Any, f: Any) -> tuple[Any, Any]:
    """Give what i and f have of their sum."""
    total = ops.add(i, f)
    return ops.divide(i, total), ops.divide(f, total)


def _complement(ops: Any, x: Any) -> Any:
    return f.COMPLEMENT(ops, x)


def _min_lstm(  # noqa: PLR0913 - one for each term
    ops: Any,
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    shares: Any = _shares,
) -> dict[str, Any]:
    i, f, n = _gates_of_x(ops, x, w, 3)
    n = activation(ops, n)
    i, f = shares(ops, recurrent_activation(ops, i), recurrent_activation(ops, f))
    return {"h": ops.add(ops.mul(f, state["h"]), ops.mul(i, n))}


def _min_lstm_by_hand(
    x: Any, state: Any, w: Any, *, recurrent_activation: Any, activation: Any
) -> dict[str, Any]:
    i, f, n = cut_by_hand(_plus(x @ w["kernel"], w), 3)
    i, f = recurrent_activation(i), recurrent_activation(f)
    return {"h": f / (i + f) * state["h"] + i / (i + f) * activation(n)}


MIN_LSTM = Cell(
    "min_lstm",
    "Feng et al. (2024): i, f and n of x alone, h' = (f h + i n) / (i + f)",
    {"kernel": "IG", "bias": "G"},
    {"h": "H"},
    _min_lstm,
    _min_lstm_by_hand,
    decoding_seeds=(1, 2),
    gates=("i", "f", "n"),
    activations=_ACTIVATIONS,
    own_mistakes={
        "gates not divided by their sum": Mistake(
            {"shares": lambda _ops, i, f: (i, f)}, pairs=True
        ),
        "input gate coupled to the forget gate, i = 1 - f": Mistake(
            {"shares": lambda ops, _i, f: (_complement(ops, f), f)}
        ),
    },
)

CELLS = (MGU, IND_RNN, MIN_GRU, MIN_LSTM)
