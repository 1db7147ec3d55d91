"""The operations of a cell a third time: float64 values that know where they are from.

Reverse accumulation over the equations that the judge has anyway (Griewank and Walther,
Evaluating Derivatives, 2nd ed. (2008), chapter 3), so that no gradient is derived by
hand.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judge.arithmetic import Float64
from harness.spec import Array

Pull = Callable[[Array], Array]

_FLOAT64 = Float64()


class Node:
    """A value, how its gradient flows back, and that gradient once it is known."""

    def __init__(
        self, tape: "Tape", value: Array, parents: list[tuple["Node", Pull]]
    ) -> None:
        self._tape = tape
        self.value = value
        self.parents = parents
        self.gradient = np.zeros_like(value)

    def __getitem__(self, index: Any) -> "Node":
        """Cut out a part; its gradient goes back to its place."""
        return self._tape.take(self, index)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.value.size

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.value.shape


class Tape:
    """Records operations; `backward` then gives gradients of what was read by name."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self.read: dict[str, Node] = {}

    def _node(self, value: Array, *parents: tuple[Node, Pull]) -> Node:
        node = Node(self, np.asarray(value), list(parents))
        self._nodes.append(node)
        return node

    def exactly(self, value: Array, name: str = "") -> Node:
        """Take an array as given; under a name its gradient can be asked for."""
        node = self._node(value.astype(np.float64))
        if name:
            self.read[name] = node
        return node

    def weight(self, value: Array, name: str) -> Node:
        """Take a weight, by name."""
        return self.exactly(value, name)

    def backward(self, seeds: list[tuple[Node, Array]]) -> dict[str, Array]:
        """Give the gradients of `sum(seed * value)` by everything read by name."""
        for node, seed in seeds:
            node.gradient = node.gradient + seed
        for node in reversed(self._nodes):
            for parent, pull in node.parents:
                parent.gradient = parent.gradient + pull(node.gradient)
        return {name: node.gradient for name, node in self.read.items()}

    def affine(
        self,
        products: list[tuple[Node, Node]],
        bias: Node | Array,
        offset: float = 0.0,
    ) -> Node:
        """Sum of `x @ w` over the pairs, plus the bias."""
        del offset
        if not isinstance(bias, Node):
            bias = self.exactly(bias)
        value = sum((x.value @ w.value for x, w in products), start=bias.value)
        parents: list[tuple[Node, Pull]] = [(bias, partial(_summed, bias.shape))]
        for x, w in products:
            parents += [(x, partial(_through, w)), (w, partial(_outer, x))]
        return self._node(np.asarray(value), *parents)

    def add(self, a: Node, b: Node) -> Node:
        """Sum."""
        return self._node(a.value + b.value, (a, lambda g: g), (b, lambda g: g))

    def mul(self, a: Node, b: Node) -> Node:
        """Product, element by element."""
        return self._node(
            a.value * b.value,
            (a, lambda g: g * b.value),
            (b, lambda g: g * a.value),
        )

    def scale(self, a: Node, weight: Node) -> Node:
        """Product with a weight, element by element."""
        return self._node(
            a.value * weight.value,
            (a, lambda g: g * weight.value),
            (weight, lambda g: _summed(weight.shape, g * a.value)),
        )

    def mix(self, z: Node, a: Node, b: Node) -> Node:
        """`z a + (1 - z) b`."""
        return self._node(
            z.value * a.value + (1 - z.value) * b.value,
            (z, lambda g: g * (a.value - b.value)),
            (a, lambda g: g * z.value),
            (b, lambda g: g * (1 - z.value)),
        )

    def tanh(self, x: Node) -> Node:
        """Hyperbolic tangent."""
        y = np.tanh(x.value)
        return self._node(y, (x, lambda g: g * (1 - y) * (1 + y)))

    def sigmoid(self, x: Node) -> Node:
        """Logistic function."""
        y = _FLOAT64.sigmoid(x.value)
        return self._node(y, (x, lambda g: g * y * (1 - y)))

    def relu(self, x: Node) -> Node:
        """Larger one of x and 0; its gradient at 0 is 0, as everywhere."""
        return self._node(np.maximum(x.value, 0.0), (x, lambda g: g * (x.value > 0)))

    def where(self, mask: NDArray[np.bool_], a: Node, b: Node) -> Node:
        """Take `a` where the mask holds, else `b`."""
        return self._node(
            np.where(mask, a.value, b.value),
            (a, lambda g: np.where(mask, g, 0.0)),
            (b, lambda g: np.where(mask, 0.0, g)),
        )

    def take(self, value: Node, index: Any) -> Node:
        """Index a value; no element is taken twice."""

        def pull(gradient: Array) -> Array:
            back = np.zeros_like(value.value)
            back[index] = gradient
            return back

        return self._node(value.value[index], (value, pull))

    def stack(self, values: list[Node]) -> Node:
        """Stack along axis 1, that of time."""
        parents = [(v, lambda g, t=t: g[:, t]) for t, v in enumerate(values)]
        return self._node(np.stack([v.value for v in values], axis=1), *parents)

    def concatenate(self, values: list[Node]) -> Node:
        """Join along the last axis."""
        ends = np.cumsum([v.shape[-1] for v in values])
        parents = [
            (v, lambda g, end=end, size=v.shape[-1]: g[..., end - size : end])
            for v, end in zip(values, ends, strict=True)
        ]
        return self._node(np.concatenate([v.value for v in values], axis=-1), *parents)


def _rows(array: Array) -> Array:
    """Make one axis of all but the last."""
    return array.reshape(-1, array.shape[-1])


def _through(w: Node, gradient: Array) -> Array:
    """Pull the gradient of `x @ w` back to x."""
    return np.asarray(gradient @ w.value.T)


def _outer(x: Node, gradient: Array) -> Array:
    """Pull the gradient of `x @ w` back to w."""
    return np.asarray(_rows(x.value).T @ _rows(gradient))


def _summed(shape: tuple[int, ...], gradient: Array) -> Array:
    """Undo the broadcasting of a value of a shape along leading axes."""
    lead = gradient.ndim - len(shape)
    return np.asarray(gradient.sum(axis=tuple(range(lead))))
