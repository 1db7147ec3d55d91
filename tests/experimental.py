"""Two cells that are not built in, and use the operations along an axis."""

from typing import Any

import numpy as np
import pytest

from rnn_parity_core import CELLS
from rnn_parity_core import functions as f
from rnn_parity_core.cell import Activation, Cell

EPSILON = 1e-5


def _norm(ops: Any, a: Any, scale: Any, shift: Any) -> Any:
    return ops.shift(ops.scale(ops.standardize(a, EPSILON), scale), shift)


def _normed_step(  # noqa: PLR0913 - operations, what is read, and functions
    ops: Any,
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    activation: Any,
    output_activation: Any,
) -> dict[str, Any]:
    units = w["recurrent_kernel"].shape[0]
    none = np.zeros(4 * units)
    from_x = _norm(
        ops,
        ops.affine([(x, w["kernel"])], none),
        w["input_scale"],
        w["input_shift"],
    )
    from_h = _norm(
        ops,
        ops.affine([(state["h"], w["recurrent_kernel"])], none),
        w["state_scale"],
        w["state_shift"],
    )
    total = ops.add(from_x, from_h)
    i, keep, g, o = (
        ops.take(total, (..., slice(k * units, (k + 1) * units))) for k in range(4)
    )
    i, keep, o = (recurrent_activation(ops, a) for a in (i, keep, o))
    added = ops.mul(i, activation(ops, g))
    c = ops.add(ops.mul(keep, state["c"]), added)
    c = _norm(ops, c, w["cell_scale"], w["cell_shift"])
    return {"h": ops.mul(o, output_activation(ops, c)), "c": c}


def _of_nobody(*_of: Any, **_changes: Any) -> dict[str, Any]:
    raise NotImplementedError


NORMED = Cell(
    "normed_lstm",
    "Ba, Kiros and Hinton (2016)",
    {
        "kernel": "IG",
        "recurrent_kernel": "RG",
        "input_scale": "G",
        "input_shift": "G",
        "state_scale": "G",
        "state_shift": "G",
        "cell_scale": "H",
        "cell_shift": "H",
    },
    {"h": "R", "c": "H"},
    _normed_step,
    _of_nobody,
    gates=("i", "f", "g", "o"),
    activations={
        "recurrent_activation": Activation(f.SIGMOID),
        "activation": Activation(f.TANH, " of the candidate"),
        "output_activation": Activation(f.TANH, " of the cell state"),
    },
)
"""Layer norm of what comes from x, from h, and of c."""


def _matrix_step(
    ops: Any, x: Any, state: Any, w: Any, *, recurrent_activation: Any
) -> dict[str, Any]:
    units = w["kernel"].shape[-1] // 6
    total = ops.affine([(x, w["kernel"])], w["bias"])
    q, k, v, i, keep, o = (
        ops.take(total, (..., slice(n * units, (n + 1) * units))) for n in range(6)
    )
    i, keep, o = (recurrent_activation(ops, a) for a in (i, keep, o))
    written = ops.mul(ops.spread(ops.mul(i, v), units), ops.spread(k, units, -2))
    memory = ops.add(ops.mul(ops.spread(keep, units), state["C"]), written)
    read = ops.total(ops.mul(memory, ops.spread(q, units, -2)))
    return {"h": ops.mul(o, read), "C": memory}


MATRIX = Cell(
    "matrix_memory",
    "linear attention with gates",
    {"kernel": "IG", "bias": "G"},
    {"C": "HH"},
    _matrix_step,
    _of_nobody,
    gates=("q", "k", "v", "i", "f", "o"),
    is_linear=True,
    activations={"recurrent_activation": Activation(f.SIGMOID)},
)
"""`C' = f C + i v k^T`, of which a step returns `o (C' q)`: h is no state."""


@pytest.fixture
def experimental(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make both known by name, for one test."""
    for cell in (NORMED, MATRIX):
        monkeypatch.setitem(CELLS._known, cell.name, cell)
