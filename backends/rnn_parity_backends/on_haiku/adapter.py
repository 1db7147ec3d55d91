"""Haiku's cores, and its two loops over them."""

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax.numpy as jnp

from rnn_parity_backends import equations
from rnn_parity_backends.on_haiku import layout
from rnn_parity_backends.with_jax import loops
from rnn_parity_backends.with_jax.arrays import Arrays, Forward, Tensor, Variant
from rnn_parity_backends.with_jax.layers import LayerBackend, looped
from rnn_parity_core import Case, Outcome, Problem, Unsupported

_CORES = {"rnn_relu": hk.VanillaRNN, "lstm": hk.LSTM, "gru_reset_before": hk.GRU}
_VARIANTS = ("static", "static_single", "dynamic", "variable_output")

Native = Any  # h, or an `hk.LSTMState`
Unroll = Callable[[Any, Tensor, Native], tuple[Tensor, Native]]
"""A core, inputs and the initial state to outputs and the final state."""


class HaikuBackend(LayerBackend):
    """Runs on the CPU.

    Args:
        threads: Threads of one operation; 0 leaves them to XLA.

    """

    def __init__(self, *, threads: int = 0) -> None:
        super().__init__("dm-haiku", forward_of, threads=threads)

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`.

        Raises:
            Unsupported: Haiku has no such core or loop, or a forget bias has no number
                in its dtype that is it with 1 added.

        """
        case = problem.case
        if not all(layout.holds(case.cell, problem.weights(*at)) for at in case.passes):
            raise Unsupported(
                f"hk.LSTM adds 1 to its forget bias, and some bias less 1 is no number "
                f"of {case.dtype}"
            )
        return super().run(problem)


def forward_of(case: Case) -> Forward:
    """Give the function of a case.

    Raises:
        Unsupported: Haiku has no such core or loop.

    """
    if case.cell not in _CORES or case.variant not in _VARIANTS:
        raise Unsupported(f"Haiku has no {case.cell} for {case.variant}")

    def loop(
        way: str, weights: Arrays, initial: Arrays, x: Tensor
    ) -> tuple[Tensor, Arrays]:
        unroll = {"static_single": _static_unroll, "dynamic": _dynamic_unroll}
        return _applied(case.cell, weights, unroll[case.variant](case, way), x, initial)

    variants: dict[str, Variant] = {
        "static": lambda problem: loops.static(problem, make_step),
        "static_single": lambda problem: looped(problem, loop),
        "dynamic": lambda problem: looped(problem, loop),
        "variable_output": lambda problem: loops.decoded(problem, make_step),
    }
    compute = variants[case.variant]
    return lambda arrays: compute(Problem(case, arrays))


def make_step(cell: str, weights: Arrays) -> equations.Step:
    """Give the function that takes one step: a call of a core."""

    def once(core: Any, x: Tensor, state: Native) -> tuple[Tensor, Native]:
        found: tuple[Tensor, Native] = core(x, state)
        return found

    return lambda x, state: _applied(cell, weights, once, x, state)[1]


def _applied(
    cell: str, weights: Arrays, unroll: Unroll, x: Tensor, initial: Arrays
) -> tuple[Tensor, Arrays]:
    """Call a core of canonical weights, once or in a loop."""
    units = weights["recurrent_kernel"].shape[0]

    def function(x: Tensor, state: Native) -> tuple[Tensor, Native]:
        return unroll(_CORES[cell](units), x, state)

    transformed = hk.without_apply_rng(hk.transform(function))
    native = layout.to_native(cell, weights, jnp.concatenate)
    outputs, final = transformed.apply(native, x, _native(initial))
    return outputs, _states(final)


def _native(state: Arrays) -> Native:
    return hk.LSTMState(state["h"], state["c"]) if "c" in state else state["h"]


def _states(native: Native) -> Arrays:
    if isinstance(native, hk.LSTMState):
        return {"h": native.hidden, "c": native.cell}
    return {"h": native}


def _dynamic_unroll(case: Case, way: str) -> Unroll:
    return lambda core, x, state: hk.dynamic_unroll(
        core, x, state, time_major=case.time_major, reverse=way == "reverse"
    )


def _static_unroll(case: Case, way: str) -> Unroll:
    """Unroll by `hk.static_unroll`, which has no direction: what goes in is flipped."""

    def turned(x: Tensor) -> Tensor:
        return jnp.flip(x, axis=1) if way == "reverse" else x

    def unroll(core: Any, x: Tensor, state: Native) -> tuple[Tensor, Native]:
        outputs, final = hk.static_unroll(
            core, turned(x), state, time_major=case.time_major
        )
        return turned(outputs), final

    return unroll
