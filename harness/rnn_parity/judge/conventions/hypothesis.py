"""What a backend may have computed instead, and the arithmetic to test that with."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.equations import AS_PUBLISHED, Equations
from rnn_parity.judge.rounded import Rounded
from rnn_parity_core import Accuracy, Array, Outcome, Problem

Arrays = Mapping[str, Array]
Alter = Callable[[Problem, str], Arrays]
"""A problem and a scope (see `in_weights`) → arrays in place of its own."""
Bounds = Callable[[Accuracy], Rounded]
"""What a backend may err by → the arithmetic."""


class Prediction(NamedTuple):
    """What a backend returns under a hypothesis."""

    outputs: Bounded
    """`[B, T, R * directions]`"""
    finals: Mapping[str, Bounded]
    """State → `[L * directions, B, R or H]`"""


@dataclass(frozen=True)
class Hypothesis:
    """One thing that a backend may do otherwise: other arrays, equations or outcome."""

    name: str
    arrays: Arrays = field(default_factory=lambda: MappingProxyType({}))
    """The arrays that it computes with in place of the problem's."""
    equations: Equations = AS_PUBLISHED
    outcome: Outcome | None = None
    """What it returned as it was before that was spoilt; None: it was not."""
    bounds: Bounds = Rounded
    predict: Callable[[], Prediction] | None = None
    """What it returns, if that takes more than other arrays and equations."""
    by_bounds: bool = False
    """Whether wider bounds, no other values, are what it says."""

    def changed(self, problem: Problem) -> Arrays:
        """Give the arrays that differ from the problem's."""
        return {
            name: array
            for name, array in self.arrays.items()
            if _differ(problem.arrays.get(name), array)
        }


Hypotheses = Iterator[Hypothesis]


def _differ(old: Array | None, new: Array) -> bool:
    return bool(new.any()) if old is None else not np.array_equal(old, new)


def in_weights(
    problem: Problem, name: str, alter: Callable[[Array], Array], scope: str = ""
) -> Arrays:
    """Alter one weight in every layer and direction, or in those of a scope.

    Args:
        problem: The problem.
        name: Short name of the weight.
        alter: The weight → what is taken for it.
        scope: `upper`, `first`, `forward` or `reverse`: these layers or passes alone.

    """
    found = {}
    for layer, way in problem.case.passes:
        full = f"layer{layer}.{way}.{name}"
        if full in problem.arrays and within(layer, way, scope):
            found[full] = alter(problem[full])
    return found


def within(layer: int, way: str, scope: str) -> bool:
    """Whether one layer and direction is of a scope (see `in_weights`)."""
    of_layers = {"upper": layer > 0, "first": layer == 0}
    return not scope or of_layers.get(scope, way == scope)


def other_memory_order(array: Array) -> Array:
    """Read the memory of the transposed array as if it were not transposed."""
    return np.ascontiguousarray(array.T).reshape(array.shape)
