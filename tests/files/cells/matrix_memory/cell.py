"""Linear attention with gates: a memory `C` `[H, H]` that is no output.

`C' = f C + (i v) k^T` and `h = o (C' q)`, everything else of x alone: the mLSTM of Beck
et al. (2024) with logistic gates, without normalizer.
"""

from typing import Any

from rnn_parity_core import Cell
from rnn_parity_core import functions as f
from rnn_parity_core.cell import Activation, Mistake

_GATES = ("q", "k", "v", "i", "f", "o")


def _keep(ops: Any, forget: Any, memory: Any, units: int) -> Any:
    """Let each row of the memory decay by a gate of its own."""
    return ops.mul(ops.spread(forget, units), memory)


def _write(ops: Any, of: dict[str, Any], units: int) -> Any:
    gated = ops.mul(of["i"], of["v"])
    return ops.mul(ops.spread(gated, units), ops.spread(of["k"], units, -2))


def _read(ops: Any, memory: Any, q: Any, units: int) -> Any:
    return ops.total(ops.mul(memory, ops.spread(q, units, -2)))


def _step(  # noqa: PLR0913 - every term that implementations are known to differ in
    ops: Any,
    x: Any,
    state: Any,
    w: Any,
    *,
    recurrent_activation: Any,
    keep: Any = _keep,
    write: Any = _write,
    read: Any = _read,
    output_of: Any = lambda _old, new: new,
    gate_output: Any = lambda ops, o, y: ops.mul(o, y),
) -> dict[str, Any]:
    units = w["kernel"].shape[-1] // len(_GATES)
    sums = ops.affine([(x, w["kernel"])], w["bias"])
    of = {
        gate: ops.take(sums, (..., slice(k * units, (k + 1) * units)))
        for k, gate in enumerate(_GATES)
    }
    of |= {gate: recurrent_activation(ops, of[gate]) for gate in "ifo"}
    old = state["C"]
    new = ops.add(keep(ops, of["f"], old, units), write(ops, of, units))
    y = read(ops, output_of(old, new), of["q"], units)
    return {"h": gate_output(ops, of["o"], y), "C": new}


def _by_hand(
    x: Any, state: Any, w: Any, *, recurrent_activation: Any
) -> dict[str, Any]:
    sums = x @ w["kernel"]
    sums = sums + w["bias"] if "bias" in w else sums
    units = int(sums.shape[-1]) // 6
    q, k, v, i, forget, o = (sums[..., n * units : (n + 1) * units] for n in range(6))
    i, forget, o = (recurrent_activation(a) for a in (i, forget, o))
    memory = forget[..., None] * state["C"] + (i * v)[..., None] * k[..., None, :]
    return {"h": o * (memory @ q[..., None])[..., 0], "C": memory}


def _write_other(form: Any) -> Mistake:
    """Return the mistake of other parts that are written, a form of all gates."""
    return Mistake(
        {"write": lambda ops, of, u: _write(ops, {**of, **form(ops, of)}, u)}
    )


CELL = Cell(
    name="matrix_memory",
    source="Beck et al. (2024), xLSTM, the mLSTM with logistic gates",
    weights={"kernel": "IG", "bias": "G"},
    states={"C": "HH"},
    step=_step,
    by_hand=_by_hand,
    gates=_GATES,
    activations={"recurrent_activation": Activation(f.SIGMOID)},
    is_linear=True,
    own_mistakes={
        "decay left out": Mistake(
            {"keep": lambda _ops, _forget, memory, _units: memory}
        ),
        "decay of columns instead of rows": Mistake(
            {"keep": lambda ops, g, memory, u: ops.mul(ops.spread(g, u, -2), memory)}
        ),
        "key and value swapped": _write_other(
            lambda _ops, of: {"k": of["v"], "v": of["k"]}
        ),
        "input gate left out": Mistake(
            {
                "write": lambda ops, of, u: ops.mul(
                    ops.spread(of["v"], u), ops.spread(of["k"], u, -2)
                )
            }
        ),
        "input gate coupled to the decay, i = 1 - f": _write_other(
            lambda ops, of: {"i": f.COMPLEMENT(ops, of["f"])}
        ),
        "memory read by columns": Mistake(
            {
                "read": lambda ops, memory, q, u: ops.total(
                    ops.mul(memory, ops.spread(q, u)), -2
                )
            }
        ),
        "output of the old memory": Mistake({"output_of": lambda old, _new: old}),
        "output gate left out": Mistake({"gate_output": lambda _ops, _o, y: y}),
    },
)
