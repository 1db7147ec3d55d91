"""The operations of a cell a third time: values that know where they are from.

Reverse accumulation over the equations that the judge has anyway (Griewank and Walther,
Evaluating Derivatives, 2nd ed. (2008), chapter 3), so that no gradient is derived by
hand. Over `Float64Adjoint` it gives gradients, over `RoundedAdjoint` these and how far
off a correct backend's may be: the bounds of the way there flow back with them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_parity.judge.adjoint import Outer, Placed, Rows, Through
from rnn_parity.judge.recorded import Node, Pull, Recorder
from rnn_parity_core import Array
from rnn_parity_core.functions import Function
from rnn_parity_core.operations import one_by_one


def _through(weight: "Node", gradient: Any) -> Through:
    return Through(gradient, weight.value)


class Tape(Recorder):
    """Records operations; `backward` then gives gradients of what was read by name.

    Args:
        ops: The arithmetic, `Float64Adjoint` or `RoundedAdjoint`.

    """

    def observe(self, value: Array, instead_of: Node | None) -> Node:
        """Take what a backend returned; its gradient flows on to what made it."""
        flow = [(instead_of, lambda g: g)] if instead_of else []
        return self._node(self._ops.observe(value, None), *flow)

    def handed_on(self, value: Array, again: Node) -> Node:
        """Take what a layer returned."""
        return self.observe(value, again)

    def of_same_sums(self) -> "Tape":
        """Give this: gradients are of what was computed first."""
        return self

    def detach(self, value: Node) -> Node:
        """Take a value of earlier steps."""
        return value

    def infer_c(self, o: Node, h: Array, f: Node, i: Node, g: Node) -> None:
        """Give nothing: what c was made of is what matters here."""

    def told_by(self, o: Node, h: Array) -> None:
        """Give nothing, as above."""

    def recomputed(self, told: Node, again: Node) -> Node:
        """Take the first."""
        del again
        return told

    def tighten(self, a: Node, b: Node) -> Node:
        """Take the first."""
        del b
        return a

    def recurrence(self, f: Node, a: Node) -> Callable[[int, Node], Node]:
        """Give what makes `f c + a` of a step and c."""
        return one_by_one(self, f, a)

    def affine(
        self,
        products: list[tuple[Node, Node]],
        bias: Node | Array,
        offset: Array | None = None,
    ) -> Node:
        """Sum of `x @ w` over the pairs, plus the bias."""
        given = bias.value if isinstance(bias, Node) else bias
        pairs = [(x.value, w.value) for x, w in products]
        parents: list[tuple[Node, Pull]] = []
        if isinstance(bias, Node):
            parents.append((bias, Rows))
        for x, w in products:
            parents += [(x, partial(_through, w)), (w, partial(Outer, x.value))]
        return self._node(self._ops.affine(pairs, given, offset), *parents)

    def add(self, a: Node, b: Node) -> Node:
        """Sum."""
        value = self._ops.add(a.value, b.value)
        return self._node(value, (a, lambda g: g), (b, lambda g: g))

    def mul(self, a: Node, b: Node) -> Node:
        """Product, element by element."""
        mul = self._ops.mul
        return self._node(
            mul(a.value, b.value),
            (a, lambda g: mul(g, b.value)),
            (b, lambda g: mul(g, a.value)),
        )

    def scale(self, a: Node, weight: Node | Array) -> Node:
        """Product with a weight, or with given numbers, element by element."""
        if not isinstance(weight, Node):
            return self._scaled(a, weight)
        scale, mul = self._ops.scale, self._ops.mul
        return self._node(
            scale(a.value, weight.value),
            (a, lambda g: scale(g, weight.value)),
            (weight, lambda g: Rows(mul(g, a.value))),
        )

    def _scaled(self, a: Node, by: Array) -> Node:
        scale = self._ops.scale
        return self._node(scale(a.value, by), (a, lambda g: scale(g, by)))

    def shift(self, a: Node, weight: Node | Array) -> Node:
        """Sum with a weight, or with given numbers, along the last axis."""
        if not isinstance(weight, Node):
            return self._node(self._ops.shift(a.value, weight), (a, lambda g: g))
        made = self._ops.shift(a.value, weight.value)
        return self._node(made, (a, lambda g: g), (weight, Rows))

    def divide(self, a: Node, b: Node) -> Node:
        """Quotient, element by element."""
        ops = self._ops
        made = ops.divide(a.value, b.value)
        return self._node(
            made,
            (a, lambda g: ops.divide(g, b.value)),
            (b, lambda g: ops.negative(ops.divide(ops.mul(g, made), b.value))),
        )

    def spread(self, a: Node, size: int, axis: int = -1) -> Node:
        """Repeat along a new axis."""
        ops = self._ops
        return self._node(
            ops.spread(a.value, size, axis), (a, lambda g: ops.total(g, axis))
        )

    def total(self, a: Node, axis: int = -1) -> Node:
        """Sum along an axis."""
        ops, size = self._ops, a.shape[axis]
        return self._node(
            ops.total(a.value, axis), (a, lambda g: ops.spread(g, size, axis))
        )

    def standardize(self, a: Node, epsilon: float) -> Node:
        """Center and scale along the last axis.

        Where y is what it gives, `(g - mean(g) - y mean(g y)) / deviation` flows back.
        """
        ops, made = self._ops, self._ops.standardize(a.value, epsilon)

        def pull(g: Any) -> Any:
            centered = ops.difference(g, ops.mean(g))
            along = ops.mul(made, ops.mean(ops.mul(g, made)))
            scale = ops.scaling(a.value, epsilon)
            return ops.mul(ops.difference(centered, along), scale)

        return self._node(made, (a, pull))

    def mix(self, z: Node, a: Node, b: Node) -> Node:
        """`z a + (1 - z) b`."""
        mul, ops = self._ops.mul, self._ops
        return self._node(
            ops.mix(z.value, a.value, b.value),
            (z, lambda g: mul(g, ops.difference(a.value, b.value))),
            (a, lambda g: mul(g, z.value)),
            (b, lambda g: mul(g, ops.complement(z.value))),
        )

    def tanh(self, x: Node) -> Node:
        """Hyperbolic tangent."""
        ops, y = self._ops, self._ops.tanh(x.value)
        return self._node(y, (x, lambda g: ops.mul(g, ops.tanh_slope(y))))

    def sigmoid(self, x: Node) -> Node:
        """Logistic function."""
        ops, y = self._ops, self._ops.sigmoid(x.value)
        return self._node(y, (x, lambda g: ops.mul(g, ops.sigmoid_slope(y))))

    def relu(self, x: Node) -> Node:
        """Larger one of x and 0."""
        ops, y = self._ops, self._ops.relu(x.value)
        return self._node(y, (x, lambda g: ops.mul(g, ops.relu_slope(x.value))))

    def function(self, function: Function, x: Node) -> Node:
        """Any other function of each element."""
        ops, y = self._ops, self._ops.function(function, x.value)
        slope = partial(ops.slope, function, x.value)
        return self._node(y, (x, lambda g: ops.mul(g, slope())))

    def where(self, mask: NDArray[np.bool_], a: Node, b: Node) -> Node:
        """Take `a` where the mask holds, else `b`."""
        ops, zero = self._ops, self._ops.constant(np.zeros(()))
        return self._node(
            ops.where(mask, a.value, b.value),
            (a, lambda g: ops.where(mask, g, zero)),
            (b, lambda g: ops.where(mask, zero, g)),
        )

    def take(self, value: Node, index: Any) -> Node:
        """Index a value; no element is taken twice."""
        taken = self._ops.take(value.value, index)
        return self._node(taken, (value, lambda g: Placed(g, index)))

    def stack(self, values: list[Node]) -> Node:
        """Stack along axis 1, that of time."""
        ops = self._ops
        parents = [
            (v, lambda g, t=t: ops.take(g, (slice(None), t)))
            for t, v in enumerate(values)
        ]
        return self._node(ops.stack([v.value for v in values]), *parents)

    def concatenate(self, values: list[Node], axis: int = -1) -> Node:
        """Join along an axis."""
        ops = self._ops
        before = (slice(None),) * (axis % len(values[0].shape))
        ends = np.cumsum([v.shape[axis] for v in values])
        parents = [
            (
                v,
                lambda g, part=slice(end - v.shape[axis], end): ops.take(
                    g, (*before, part)
                ),
            )
            for v, end in zip(values, ends, strict=True)
        ]
        return self._node(ops.concatenate([v.value for v in values], axis), *parents)
