"""Equinox' cells, of one row each, and what its documentation loops them with."""

from typing import Any

import equinox as eqx
import jax
from jax import lax

from rnn_parity_backends import equations
from rnn_parity_backends.on_equinox import layout
from rnn_parity_backends.with_jax import loops
from rnn_parity_backends.with_jax.arrays import Arrays, Forward, Tensor, Variant
from rnn_parity_backends.with_jax.layers import LayerBackend, looped
from rnn_parity_core import Case, Problem, Unsupported

_CELLS = {"lstm": eqx.nn.LSTMCell, "gru": eqx.nn.GRUCell}
_VARIANTS = ("static", "static_single", "dynamic", "variable_output")

Native = Any  # h, or h and c


class EquinoxBackend(LayerBackend):
    """Runs on the CPU.

    Args:
        threads: Threads of one operation; 0 leaves them to XLA.

    """

    def __init__(self, *, threads: int = 0) -> None:
        super().__init__("equinox", forward_of, threads=threads)


def forward_of(case: Case) -> Forward:
    """Give the function of a case.

    Raises:
        Unsupported: Equinox has no such cell or loop.

    """
    if case.cell not in _CELLS or case.variant not in _VARIANTS:
        raise Unsupported(f"Equinox has no {case.cell} for {case.variant}")

    def scanned(
        way: str, weights: Arrays, initial: Arrays, x: Tensor
    ) -> tuple[Tensor, Arrays]:
        return _scanned(case, way, weights, initial, x)

    variants: dict[str, Variant] = {
        "static": lambda problem: loops.static(problem, make_step),
        "static_single": lambda problem: loops.static_single(problem, make_step),
        "dynamic": lambda problem: looped(problem, scanned),
        "variable_output": lambda problem: loops.decoded(problem, make_step),
    }
    compute = variants[case.variant]
    return lambda arrays: compute(Problem(case, arrays))


def cell_of(name: str, weights: Arrays) -> Any:
    """Give Equinox' cell that holds canonical weights."""
    native = layout.to_native(weights)
    (size, units), dtype = weights["kernel"].shape, weights["kernel"].dtype
    units //= {"lstm": 4, "gru": 3}[name]
    empty = eqx.filter_eval_shape(
        _CELLS[name], size, units, "bias" in weights, dtype, key=jax.random.key(0)
    )
    return eqx.tree_at(
        lambda cell: [getattr(cell, field) for field in native],
        empty,
        list(native.values()),
    )


def make_step(name: str, weights: Arrays) -> equations.Step:
    """Give the function that takes one step of all rows, one cell mapped over them."""
    cell = jax.vmap(cell_of(name, weights))
    return lambda x, state: _states(cell(x, _native(state)))


def _native(state: Arrays) -> Native:
    """Give `h`, or an LSTM's `(h, c)`."""
    return (state["h"], state["c"]) if "c" in state else state["h"]


def _states(native: Native) -> Arrays:
    if isinstance(native, tuple):
        return {"h": native[0], "c": native[1]}
    return {"h": native}


def _scanned(
    case: Case, way: str, weights: Arrays, initial: Arrays, x: Tensor
) -> tuple[Tensor, Arrays]:
    """Scan a cell over each row's steps, and map that over rows."""
    cell = cell_of(case.cell, weights)

    def body(state: Native, x: Tensor) -> tuple[Native, Tensor]:
        state = cell(x, state)
        return state, _states(state)["h"]

    def row(state: Native, steps: Tensor) -> tuple[Native, Tensor]:
        return lax.scan(body, state, steps, reverse=way == "reverse")

    axis = 1 if case.time_major else 0
    mapped = jax.vmap(row, in_axes=(0, axis), out_axes=(0, axis))
    final, outputs = mapped(_native(initial), x)
    return outputs, _states(final)
