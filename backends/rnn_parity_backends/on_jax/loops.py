"""What JAX computes: a cell called step by step, scanned, or feeding itself.

Every function here is pure, from all arrays of a case to an outcome. Weights enter a
loop's body in its carry, not by closing over them: a body is the same function each
time, and by that JAX knows what it has compiled. (What a body hands on unchanged, JAX
takes out of the carry again.)
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax.numpy as jnp
from jax import nn

from rnn_parity_backends import equations
from rnn_parity_backends.with_jax import loops
from rnn_parity_backends.with_jax.arrays import Arrays, Forward, Tensor, Variant
from rnn_parity_core import Case, Problem

Scan = Callable[..., tuple[Any, Tensor]]
"""`lax.scan`, or something that is called like it."""


class _Ops:
    def tanh(self, x: Tensor) -> Tensor:
        return jnp.tanh(x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return nn.sigmoid(x)

    def relu(self, x: Tensor) -> Tensor:
        return nn.relu(x)

    def clip(self, x: Tensor, low: float, high: float) -> Tensor:
        return jnp.clip(x, low, high)

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        return loops.concatenate(tensors)


_OPS = _Ops()


def _make_step(cell: str, weights: Arrays) -> equations.Step:
    return equations.make_step(_OPS, cell, weights)


def forward_of(case: Case, scan: Scan) -> Forward:
    """Give the function of a case, its arrays as the variant is fed them."""
    variants: dict[str, Variant] = {
        "basic": _basic,
        "static": lambda problem: loops.static(problem, _make_step),
        "static_single": lambda problem: loops.static_single(problem, _make_step),
        "variable_input": lambda problem: _scanned(problem, scan),
        "variable_output": lambda problem: loops.decoded(problem, _make_step),
    }
    compute = variants[case.variant]
    return lambda arrays: compute(Problem(case, arrays))


def _basic(problem: Problem) -> Arrays:
    x = problem["inputs"]
    steps = [x[:, t] for t in range(problem.case.steps)]
    return loops.unrolled(problem, steps, _make_step)


def _scanned(problem: Problem, scan: Scan) -> Arrays:
    """Scan over time, from the end for the reverse pass.

    Rows of full length are scanned by the same program as others. A row's steps past
    its length leave its state as it is; the reverse pass meets them first, with the
    initial state.
    """
    case, finals = problem.case, []
    x: Tensor = problem["inputs"]
    if not case.time_major:
        x = jnp.swapaxes(x, 0, 1)
    valid = (jnp.arange(case.steps)[:, None] < problem["lengths"])[..., None]
    for layer in range(case.layers):
        ways = []
        for way in case.directions:
            carry = problem.weights(layer, way), problem.initial(layer, way)
            (_, final), outputs = scan(
                _masked(case.cell), carry, (x, valid), reverse=way == "reverse"
            )
            ways.append(outputs)
            finals.append(final)
        x = loops.concatenate(ways)
    return loops.result(x if case.time_major else jnp.swapaxes(x, 0, 1), finals)


@cache
def _masked(cell: str) -> Callable[..., tuple[Any, Tensor]]:
    """Give a scan's body: weights and states, an input and whether it is one."""

    def body(carry: tuple[Arrays, Arrays], now: tuple[Tensor, Tensor]) -> Any:
        weights, state = carry
        x, valid = now
        taken = _make_step(cell, weights)(x, state)
        kept = {name: jnp.where(valid, taken[name], state[name]) for name in state}
        output = jnp.where(valid, taken["h"], jnp.zeros_like(taken["h"]))
        return (weights, kept), output

    return body
