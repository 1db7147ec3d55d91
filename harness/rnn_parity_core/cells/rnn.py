"""Elman's network, with tanh or a rectifier."""

from typing import Any

from rnn_parity_core import functions as f
from rnn_parity_core.cell import (
    Activation,
    Cell,
    Fitted,
    Isolated,
    Mistake,
    sums_of_gates,
)

_WEIGHTS = {"kernel": "IG", "recurrent_kernel": "RG", "bias": "G"}


def _step(ops: Any, x: Any, state: Any, w: Any, *, activation: Any) -> dict[str, Any]:
    (total,) = sums_of_gates(ops, (x, state["h"]), w, 1, slice(0, 1))
    return {"h": activation(ops, total)}


def _by_hand(x: Any, state: Any, w: Any, *, activation: Any) -> dict[str, Any]:
    total = state["h"] @ w["recurrent_kernel"] + x @ w["kernel"]
    return {"h": activation(total + w["bias"] if "bias" in w else total)}


RNN_TANH = Cell(
    "rnn_tanh",
    "Elman (1990): tanh(x @ kernel + h @ recurrent_kernel + bias)",
    _WEIGHTS,
    {"h": "R"},
    _step,
    _by_hand,
    gates=("h",),
    activations={"activation": Activation(f.TANH)},
    isolates={"tanh": Isolated("outputs", (1,), (0,))},
    decoding_seeds=(31, 10),
)
RNN_RELU = Cell(
    "rnn_relu",
    "Le, Jaitly and Hinton (2015): the same with a rectifier",
    _WEIGHTS,
    {"h": "R"},
    _step,
    _by_hand,
    gates=("h",),
    activations={"activation": Activation(f.RELU)},
    own_mistakes={
        "leaky relu of slope 0.0078125 instead of relu": Mistake(
            {"activation": f.leaky_relu(0.0078125)}
        ),
    },
    decoding_seeds=(84, 14),
    fitted=(
        Fitted(
            "leaky relu of slope {:.6g} instead of relu",
            lambda slope: {"activation": f.leaky_relu(slope)},
            negative=True,
        ),
    ),
)
CELLS = (RNN_TANH, RNN_RELU)
