"""Flax' NNX cells and its loops over them.

`nnx.RNN` runs on where a row has ended. Its outputs there are zeroed here, as nothing
of them is an output; the state that it returns is that of the last valid step, but of
the last step of all for a row that has none, where the initial one is put back.
"""

from typing import Any

import jax.numpy as jnp
from flax import nnx

from rnn_parity_backends import equations
from rnn_parity_backends.on_flax import layout
from rnn_parity_backends.with_jax import loops
from rnn_parity_backends.with_jax.arrays import Arrays, Forward, Tensor, Variant
from rnn_parity_backends.with_jax.layers import LayerBackend
from rnn_parity_core import CELLS, Case, Problem, Unsupported

_CALLED = {
    "rnn_tanh": nnx.SimpleCell,
    "rnn_relu": nnx.SimpleCell,
    "lstm": nnx.LSTMCell,
    "gru": nnx.GRUCell,
}
_LOOPED = {**_CALLED, "lstm": nnx.OptimizedLSTMCell}
_FUNCTIONS: dict[str, Any] = {
    "tanh": jnp.tanh,
    "sigmoid": nnx.sigmoid,
    "relu": nnx.relu,
    "linear": nnx.identity,
    "hard_sigmoid": nnx.hard_sigmoid,
    "softsign": nnx.soft_sign,
}
_ARGUMENTS = {"recurrent_activation": "gate_fn", "activation": "activation_fn"}

Native = Any  # h, or c and h


class FlaxBackend(LayerBackend):
    """Runs on the CPU.

    Args:
        threads: Threads of one operation; 0 leaves them to XLA.

    """

    def __init__(self, *, threads: int = 0) -> None:
        super().__init__("flax", forward_of, threads=threads)


def forward_of(case: Case) -> Forward:
    """Give the function of a case.

    Raises:
        Unsupported: Flax has no such cell or variant.

    """
    cell = CELLS[case.cell]
    if cell.base not in _CALLED or case.variant == "basic":
        raise Unsupported(f"Flax has no {case.cell} for {case.variant}")
    chosen = cell.chosen
    if others := {*chosen.values()} - _FUNCTIONS.keys():
        raise Unsupported(f"jax.nn has no {', '.join(sorted(others))}")
    if chosen.get("output_activation", chosen["activation"]) != chosen["activation"]:
        raise Unsupported("nnx has one function for the candidate and the cell state")
    if cell.base == "gru" and case.bias:
        raise Unsupported("nnx.GRUCell has no recurrent bias of the candidate")
    variants: dict[str, Variant] = {
        "static": lambda problem: loops.static(problem, make_step),
        "static_single": lambda problem: loops.static_single(problem, make_step),
        "dynamic": _looped,
        "variable_input": _looped,
        "variable_output": lambda problem: loops.decoded(problem, make_step),
    }
    compute = variants[case.variant]
    return lambda arrays: compute(Problem(case, arrays))


def cell_of(name: str, kind: type[Any], weights: Arrays) -> Any:
    """Give a cell of Flax that holds canonical weights."""
    (size, units), dtype = weights["kernel"].shape, weights["kernel"].dtype
    options = {
        argument: _FUNCTIONS[CELLS[name].chosen[place]]
        for place, argument in _ARGUMENTS.items()
        if place in CELLS[name].chosen
    }

    def make() -> Any:
        sizes = size, units // len(CELLS[name].gates)
        rngs = nnx.Rngs(0)
        return kind(*sizes, dtype=dtype, param_dtype=dtype, rngs=rngs, **options)

    cell = nnx.eval_shape(make)
    nnx.update(cell, layout.to_native(kind.__name__, weights))
    return cell


def make_step(name: str, weights: Arrays) -> equations.Step:
    """Give the function that takes one step: a call of a cell."""
    cell = cell_of(name, _CALLED[CELLS[name].base], weights)
    return lambda x, state: _states(cell(_native(state), x)[0])


def _native(state: Arrays) -> Native:
    return (state["c"], state["h"]) if "c" in state else state["h"]


def _states(native: Native) -> Arrays:
    if isinstance(native, tuple):
        return {"h": native[1], "c": native[0]}
    return {"h": native}


def _looped(problem: Problem) -> Arrays:
    """Run `nnx.RNN` or `nnx.Bidirectional` for each layer."""
    case, x, finals = problem.case, problem["inputs"], []
    lengths = problem["lengths"] if case.variant == "variable_input" else None
    for layer in range(case.layers):
        initial = [problem.initial(layer, way) for way in case.directions]
        found, x = _layer(problem, layer)(
            x,
            initial_carry=_one_or_pair([_native(state) for state in initial]),
            seq_lengths=lengths,
            return_carry=True,
            time_major=case.time_major,
        )
        pair = found if len(initial) > 1 else (found,)
        final = [_states(native) for native in pair]
        if lengths is not None:
            x = ended(case, x, lengths)
            final = [
                unmoved(was, now, lengths)
                for was, now in zip(initial, final, strict=True)
            ]
        finals += final
    return loops.result(x, finals)


def _layer(problem: Problem, layer: int) -> Any:
    """Give `nnx.RNN`, or two in `nnx.Bidirectional`."""
    cell = problem.case.cell
    passes = [
        nnx.RNN(
            cell_of(cell, _LOOPED[CELLS[cell].base], problem.weights(layer, way)),
            reverse=way == "reverse",
            keep_order=way == "reverse",
            rngs=False,
        )
        for way in problem.case.directions
    ]
    return nnx.Bidirectional(*passes, rngs=False) if len(passes) > 1 else passes[0]


def _one_or_pair(found: list[Native]) -> Native:
    return tuple(found) if len(found) > 1 else found[0]


def ended(case: Case, outputs: Tensor, lengths: Tensor) -> Tensor:
    """Zero outputs past the end of each row."""
    valid = jnp.arange(case.steps) < lengths[:, None]
    valid = valid.T if case.time_major else valid
    return jnp.where(valid[..., None], outputs, jnp.zeros_like(outputs))


def unmoved(initial: Arrays, final: Arrays, lengths: Tensor) -> Arrays:
    """Put initial states back for rows without a valid step."""
    moved = lengths[:, None] > 0
    return {name: jnp.where(moved, final[name], initial[name]) for name in final}
