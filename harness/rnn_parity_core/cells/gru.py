"""Cho et al. (2014): gates r, z, n, `h' = z h + (1 - z) n`.

Version 3 of the preprint resets after the product, `n = tanh(x Wn + bn + r (h Un +
b_hn))`, version 1 before it, `n = tanh(x Wn + bn + (r h) Un)`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_parity_core import functions as f
from rnn_parity_core.cell import (
    Activation,
    Cell,
    Isolated,
    Mistake,
    cut_by_hand,
    sums_of_gates,
)
from rnn_parity_core.functions import Array

_OPEN = 40.0  # where a gate is 1 in every dtype
_GATES = ("r", "z", "n")
_WEIGHTS = {"kernel": "IG", "recurrent_kernel": "RG", "bias": "G"}


def _of_n(w: Any, name: str) -> Any:
    """Cut the candidate's block out of a weight."""
    units = w[name].shape[-1] // 3
    return w[name][..., 2 * units : 3 * units]


def _reset_after(ops: Any, x: Any, r: Any, h: Any, w: Any) -> Any:
    """`x Wn + bn + r (h Un + b_hn)`."""
    from_x = ops.affine([(x, _of_n(w, "kernel"))], _of_n(w, "bias"))
    recurrent = _of_n(w, "recurrent_kernel")
    inner = (
        w["recurrent_bias"] if "recurrent_bias" in w else np.zeros(recurrent.shape[-1])
    )
    return ops.add(from_x, ops.mul(r, ops.affine([(h, recurrent)], inner)))


def _reset_before(ops: Any, x: Any, r: Any, h: Any, w: Any) -> Any:
    """`x Wn + bn + (r h) Un`."""
    return sums_of_gates(ops, (x, ops.mul(r, h)), w, 3, slice(2, 3))[0]


def _mix(ops: Any, z: Any, h: Any, n: Any) -> Any:
    return ops.mix(z, h, n)


def _complement(ops: Any, x: Any) -> Any:
    return ops.function(f.COMPLEMENT, x)


def _wide_mix(ops: Any, z: Any, h: Any, n: Any) -> Any:
    """`z h + (1 - z) n` for a z of any size."""
    return ops.add(ops.mul(z, h), ops.mul(_complement(ops, z), n))


def _step(  # noqa: PLR0913 - every term that implementations are known to differ in
    ops: Any,
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    candidate: Any = None,
    reset: Any = lambda _ops, r, _z: r,
    mix: Any = None,
) -> dict[str, Any]:
    h = state["h"]
    sums = sums_of_gates(ops, (x, h), w, 3, slice(0, 2))
    r, z = (recurrent_activation(ops, a) for a in sums)
    own = _reset_after if "recurrent_bias" in w else _reset_before
    n = activation(ops, (candidate or own)(ops, x, reset(ops, r, z), h, w))
    usual = _mix if recurrent_activation.is_share else _wide_mix
    return {"h": (mix or usual)(ops, z, h, n)}


def _from_x(x: Any, w: Any) -> list[Any]:
    total = x @ w["kernel"]
    return cut_by_hand(total + w["bias"] if "bias" in w else total, 3)


def _after_by_hand(
    x: Any, state: Any, w: Any, *, recurrent_activation: Any, activation: Any
) -> dict[str, Any]:
    h, (x_r, x_z, x_n) = state["h"], _from_x(x, w)
    h_r, h_z, h_n = cut_by_hand(h @ w["recurrent_kernel"], 3)
    r, z = recurrent_activation(x_r + h_r), recurrent_activation(x_z + h_z)
    inner = h_n + w["recurrent_bias"] if "recurrent_bias" in w else h_n
    return {"h": z * h + (1 - z) * activation(x_n + r * inner)}


def _before_by_hand(
    x: Any, state: Any, w: Any, *, recurrent_activation: Any, activation: Any
) -> dict[str, Any]:
    h, (x_r, x_z, x_n) = state["h"], _from_x(x, w)
    u_r, u_z, u_n = cut_by_hand(w["recurrent_kernel"], 3)
    r, z = recurrent_activation(x_r + h @ u_r), recurrent_activation(x_z + h @ u_z)
    return {"h": z * h + (1 - z) * activation(x_n + (r * h) @ u_n)}


def _joint_bias(ops: Any, x: Any, r: Any, h: Any, w: Any) -> Any:
    """`x Wn + bn + (r h) Un + b_hn`."""
    products = [
        (x, _of_n(w, "kernel")),
        (ops.mul(r, h), _of_n(w, "recurrent_kernel")),
    ]
    return ops.affine(products, _of_n(w, "bias") + w["recurrent_bias"])


def _of_all(own: Any) -> Mistake:
    """Return the mistake of a reset that is of the inputs' part, too."""

    def candidate(ops: Any, x: Any, r: Any, h: Any, w: Any) -> Any:
        return ops.mul(r, own(ops, x, ops.constant(np.ones(1)), h, w))

    return Mistake({"candidate": candidate}, pairs=True)


_MISTAKES = {
    "z and 1 - z swapped": Mistake(
        {"mix": lambda ops, z, h, n: ops.mix(z, n, h)}, pairs=True
    ),
    "1 - z left out": Mistake({"mix": lambda ops, z, h, n: ops.add(ops.mul(z, h), n)}),
    "update gate left out": Mistake({"mix": lambda _ops, _z, _h, n: n}),
    "reset gate left out": Mistake(
        {"reset": lambda ops, _r, _z: ops.constant(np.ones(1))}
    ),
    "update gate z resets, too": Mistake({"reset": lambda _ops, _r, z: z}),
}


def _biases(combine: Callable[[Array, Array], tuple[Array, Array]]) -> Mistake:
    """Return the mistake of other biases, made of b_n and b_hn."""

    def weights(w: Mapping[str, Array]) -> dict[str, Array]:
        gates, of_n = np.split(w["bias"], [-w["recurrent_bias"].size])
        of_n, inner = combine(of_n, w["recurrent_bias"])
        return {"bias": np.concatenate([gates, of_n]), "recurrent_bias": inner}

    return Mistake(weights=weights)


_BIAS_MISTAKES = {
    "recurrent bias b_hn outside of the reset": _biases(lambda n, hn: (n + hn, 0 * hn)),
    "bias b_n inside of the reset": _biases(lambda n, hn: (0 * n, n + hn)),
    "biases b_n and b_hn swapped": _biases(lambda n, hn: (hn, n)),
    "recurrent bias b_hn outside of the reset as well": _biases(
        lambda n, hn: (n + hn, hn)
    ),
    "bias b_n inside of the reset as well": _biases(lambda n, hn: (n, n + hn)),
}

GRU = Cell(
    "gru",
    "Cho et al. (2014), version 3: the reset gate after the product",
    {**_WEIGHTS, "recurrent_bias": "H"},
    {"h": "R"},
    _step,
    _after_by_hand,
    gates=_GATES,
    activations={
        "recurrent_activation": Activation(f.SIGMOID),
        "activation": Activation(f.TANH),
    },
    # h is sigmoid(z) 0 + (1 - sigmoid(z)) tanh(n), sigmoid(z) being next to 0.
    isolates={"tanh": Isolated("outputs", (0, 0, 1), (0, -_OPEN, 0))},
    decoding_seeds=(9, 4),
    own_mistakes={
        "reset before the product instead of after it": Mistake(
            {"candidate": _joint_bias}, pairs=True
        ),
        "reset of the inputs' part too": _of_all(_reset_after),
        **_MISTAKES,
        **_BIAS_MISTAKES,
    },
)
RESET_BEFORE = replace(
    GRU,
    name="gru_reset_before",
    source="Cho et al. (2014), version 1: the reset gate before the product",
    weights=_WEIGHTS,
    by_hand=_before_by_hand,
    isolates={},
    decoding_seeds=(1, 4),
    own_mistakes={
        "reset after the product instead of before it": Mistake(
            {"candidate": _reset_after}, pairs=True
        ),
        "reset of the inputs' part too": _of_all(_reset_before),
        **_MISTAKES,
    },
)
CELLS = (GRU, RESET_BEFORE)
