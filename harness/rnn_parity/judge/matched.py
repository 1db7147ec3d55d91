"""What many errors of a network's outcome say of each of its weights, in any layer.

A weight that is off moves all that comes after it in one direction. So errors are
projected onto the direction of each weight (Rao's score, 1948), by going back once
through the whole network with all of them side by side.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rnn_parity.judge.adjoint import Float64Adjoint, Outer, Placed, Rows, Through
from rnn_parity.judge.arithmetic import product
from rnn_parity.judge.tape import Tape
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import Array, Problem


class _Seeds(NamedTuple):
    """Gradients of one value, one behind the other: `[S, *shape of the value]`."""

    each: Array


class _SeedsAdjoint(Float64Adjoint):
    """Float64 there, and several gradients on the way back."""

    def constant(self, value: Any, name: str = "") -> Any:
        """Take gradients as they are."""
        return value if isinstance(value, _Seeds) else super().constant(value, name)

    def mul(self, a: Any, b: Any) -> Any:
        """Multiply gradients by a value, whichever comes first, or two values."""
        if isinstance(b, _Seeds):
            a, b = b, a
        return _Seeds(a.each * b) if isinstance(a, _Seeds) else super().mul(a, b)

    def divide(self, a: Any, b: Array) -> Any:
        """Divide gradients, or a value, by a value."""
        return self.mul(a, 1 / b) if isinstance(a, _Seeds) else super().divide(a, b)

    def negative(self, a: Any) -> Any:
        """Turn the sign of gradients."""
        return self.mul(a, np.array(-1.0))

    def total(self, a: Any, axis: int = -1) -> Any:
        """Sum up gradients, or a value, along an axis."""
        plain = super().total
        return _Seeds(plain(a.each, axis)) if isinstance(a, _Seeds) else plain(a, axis)

    def spread(self, a: Any, size: int, axis: int = -1) -> Any:
        """Repeat the same along a new axis."""
        if isinstance(a, _Seeds):
            return _Seeds(super().spread(a.each, size, axis))
        return super().spread(a, size, axis)

    def mean(self, a: Any) -> Any:
        """Give gradients' mean along the last axis."""
        return _Seeds(super().mean(a.each))

    def difference(self, a: Any, b: Any) -> Any:
        """Give `a - b`, of gradients or of values."""
        if isinstance(a, _Seeds):
            return _Seeds(a.each - b.each)
        return super().difference(a, b)

    def scale(self, a: Any, weight: Array) -> Any:
        """Multiply the same by a weight."""
        return self.mul(a, weight)

    def where(self, mask: Array, a: Any, b: Any) -> Any:
        """Take `a` where the mask holds, else `b`."""
        if not isinstance(a, _Seeds) and not isinstance(b, _Seeds):
            return super().where(mask, a, b)
        one, other = (of.each if isinstance(of, _Seeds) else of for of in (a, b))
        return _Seeds(np.where(mask, one, other))

    def take(self, value: Any, index: Any) -> Any:
        """Index a value, or gradients of one."""
        if isinstance(value, _Seeds):
            return _Seeds(value.each[_behind(index)])
        return super().take(value, index)

    def fan_in(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Any:
        """Sum up what flows back to a value."""
        total: Array | None = None
        for part in parts:
            index: Any = ...
            of = part
            if isinstance(part, Placed):
                index, of = _behind(part.index), part.gradient
            elif isinstance(part, Through):
                of = _Seeds(product(part.gradient.each, part.weight.T))
            if total is None:
                total = np.zeros((len(of.each), *shape))
            total[index] += of.each
        return _Seeds(np.zeros((0, *shape)) if total is None else total)

    def of_weight(self, shape: tuple[int, ...], parts: Sequence[Any]) -> Any:
        """Keep what flows back to a weight: it is summed up by `Directions`."""
        return _Parts(shape, parts)


class _Parts(NamedTuple):
    shape: tuple[int, ...]
    parts: Sequence[Any]


def _behind(index: Any) -> Any:
    """Give the index of a value's part in gradients of it, which are one axis more."""
    if index is ...:
        return ...
    return (slice(None), *(index if isinstance(index, tuple) else (index,)))


def scores(problem: Problem, seeds: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Give `sum(seed * d outcome / d weight)` for each weight: `[S, *its shape]`.

    Args:
        problem: The problem.
        seeds: Array of the outcome → seeds `[S, *its shape]`.

    """
    tape = Tape(_SeedsAdjoint())
    made = trajectory(tape, problem)
    given = []
    for name, array in seeds.items():
        if name == "outputs":
            given.append((made.outputs, _Seeds(array)))
            continue
        for number, node in enumerate(made.finals[name.removeprefix("final_")]):
            given.append((node, _Seeds(array[:, number])))
    found = tape.backward(given)
    for name in problem.case.weight_shapes():
        yield name, _summed(found.pop(name))


def _summed(of: _Parts) -> Array:
    """Sum up what flows back to a weight, of all steps at once."""
    total: Array | float = 0.0
    outer: list[Outer] = []
    for part in of.parts:
        if isinstance(part, Placed):
            cut = _summed(part.gradient)
            placed = np.zeros((len(cut), *of.shape))
            placed[_behind(part.index)] = cut
            total = total + placed
        elif isinstance(part, Rows):
            total = total + part.gradient.each.sum(axis=1)
        else:
            outer.append(part)
    if outer:
        x = np.concatenate([part.x for part in outer])
        each = np.concatenate([part.gradient.each for part in outer], axis=1)
        total = total + np.matmul(x.T, each)
    return np.asarray(total)
