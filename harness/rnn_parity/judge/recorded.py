"""Values that know where they are from, and how gradients are gathered from them.

Reverse accumulation (Griewank and Walther, Evaluating Derivatives, 2nd ed. (2008),
chapter 3); the operations are those of `tape`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_parity.judge.adjoint import Placed
from rnn_parity_core import Array

Pull = Callable[[Any], Any]
"""The gradient of a value → the contribution to that of one it was made of."""


class Node:
    """A value, what it was made of, and what has flowed back to it."""

    def __init__(
        self, tape: "Recorder", value: Any, parents: list[tuple["Node", Pull]]
    ) -> None:
        self._tape = tape
        self.value = value
        self.parents = parents
        self.parts: list[Any] = []
        self.slices: dict[str, Node] = {}
        self.is_constant = False

    def __getitem__(self, index: Any) -> "Node":
        """Cut a part out of a weight; its gradient goes back to its place."""
        key = str(index)
        if key not in self.slices:
            self.slices[key] = self._tape.weight_part(self, index)
        return self.slices[key]

    def __add__(self, other: "Node") -> "Node":
        """Add up weights."""
        return self._tape.weight_sum(self, other)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return np.shape(getattr(self.value, "value", self.value))


class Recorder:
    """Records values; `backward` then gives gradients of what was read by name.

    Args:
        ops: The arithmetic, `Float64Adjoint` or `RoundedAdjoint`.

    """

    def __init__(self, ops: Any) -> None:
        self._ops = ops
        self._nodes: list[Node] = []
        self._weights: set[int] = set()
        self._read: dict[str, Node] = {}

    def _node(self, value: Any, *parents: tuple[Node, Pull]) -> Node:
        node = Node(self, value, list(parents))
        self._nodes.append(node)
        return node

    def constant(self, value: Array, name: str = "") -> Node:
        """Take an array as given; under a name its gradient can be asked for."""
        if not name:
            return self.untraced(self._ops.constant(value))
        node = self._read[name] = self._node(self._ops.constant(value))
        return node

    def untraced(self, value: Any) -> Node:
        """Take a value that nothing flows back to."""
        node = self._node(value)
        node.is_constant = True
        return node

    def weight(self, value: Array, name: str) -> Node:
        """Take a weight, by name."""
        node = self._node(self._ops.weight(value, name))
        self._weights.add(id(node))
        self._read[name] = node
        return node

    def weight_part(self, weight: Node, index: Any) -> Node:
        """Cut a part out of a weight."""
        part = self._node(weight.value[index], (weight, lambda g: Placed(g, index)))
        self._weights.add(id(part))
        return part

    def weight_sum(self, a: Node, b: Node) -> Node:
        """Add up two weights of one shape."""
        total = self._node(
            a.value + b.value, *((of, lambda g: Placed(g, ...)) for of in (a, b))
        )
        self._weights.add(id(total))
        return total

    def backward(self, seeds: list[tuple[Node, Any]]) -> dict[str, Any]:
        """Give the gradients of `sum(seed * value)` by everything read by name.

        The tape is then empty: nodes lead to one another, and what they hold would live
        until a garbage collection, of large weights several times their size.
        """
        for node, seed in seeds:
            node.parts.append(self._ops.constant(seed))
        read, self._read = self._read, {}
        names = {id(node): name for name, node in read.items()}
        gradients: dict[str, Any] = {}
        while self._nodes:
            node = self._nodes.pop()
            parts, parents = node.parts, node.parents
            node.parts, node.parents, node.slices = [], [], {}
            if node.is_constant:
                continue
            is_weight = id(node) in self._weights
            collect = self._ops.of_weight if is_weight else self._ops.fan_in
            gradient = collect(node.shape, parts)
            if id(node) in names:
                gradients[names[id(node)]] = gradient
            for parent, pull in parents if parts else []:
                if not parent.is_constant:
                    parent.parts.append(pull(gradient))
        return {name: gradients[name] for name in read}
