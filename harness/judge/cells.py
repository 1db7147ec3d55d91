"""The equations of every cell, written once over a small set of operations.

`arithmetic` has the operations twice: in float64, and in float64 with an error bound.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import numpy as np

from harness.spec import Array, Problem

Value = TypeVar("Value")


class Operations(Protocol[Value]):
    """What a cell may use."""

    def affine(self, products: list[tuple[Value, Array]], bias: Array) -> Value:
        """Sum of `x @ w` over the pairs, plus the bias, in no promised order."""
        ...

    def tanh(self, x: Value) -> Value:
        """Hyperbolic tangent, element by element."""
        ...


def _rnn_tanh(
    ops: Operations[Value], x: Value, h: Value, weights: Mapping[str, Array]
) -> Value:
    """Elman (1990): `tanh(x @ kernel + h @ recurrent_kernel + bias)`."""
    products = [(x, weights["kernel"]), (h, weights["recurrent_kernel"])]
    return ops.tanh(ops.affine(products, weights["bias"]))


STEPS: dict[str, Callable[..., object]] = {"rnn_tanh": _rnn_tanh}
"""Cell → one step; `x` `[..., D]`, `h` `[..., H]` to `[..., H]`."""


def step(ops: Operations[Value], problem: Problem, x: Value, h: Value) -> Value:
    """Take one step of the problem's cell."""
    weights = {name: a.astype(np.float64) for name, a in problem.arrays.items()}
    taken: Value = STEPS[problem.case.cell](ops, x, h, weights)  # type: ignore[assignment]
    return taken
