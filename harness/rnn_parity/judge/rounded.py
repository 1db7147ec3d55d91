"""The operations of a cell with the error that a backend may make.

Running error analysis in the sense of Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed. (2002), section 3.3: next to every value goes a bound on how far a
correct implementation in the case's dtype can be from it, and on how far the float64
value itself is from the truth.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rnn_parity.judge.along_axis import AlongAxis
from rnn_parity.judge.bounded import (
    Bounded,
    Curve,
    logistic_of,
    surely_within,
    tanh_of,
)
from rnn_parity.judge.bounds import power_of_two, worst_case
from rnn_parity.judge.sums import U64
from rnn_parity_core import HALF_DTYPES, Array
from rnn_parity_core.functions import Function

REFERENCE_ULP = 4.0
"""Largest error of the reference's own tanh and logistic function in ulp of float64;
NumPy's tanh was seen to err by 1.1, its `1 / (1 + exp(-x))` by 2.1."""

_ZERO = np.zeros(())
_TELLABLE = 1 - 2.0**-10
_NEAR = 0.05
_STILL_TAKEN = 4.0
"""Times as wide may the bound be of a c that h tells, so that it is taken: from there
each step stands for itself, and a fault shows in its own."""


def _nowhere(limit: float) -> NDArray[np.bool_]:
    """Say that nothing is known of an argument."""
    del limit
    return np.zeros((), dtype=bool)


class Rounded(AlongAxis):
    """Float64 with running error bounds for a backend; made as `Sums` are."""

    def constant(self, value: Array, name: str = "") -> Bounded:
        """Take a value as given: a backend starts from the same bits.

        What is below the smallest normal number it may read as zero.
        """
        del name  # nobody asks for it later
        wide = np.asarray(value, np.float64)
        if (error := self._read_as_zero(wide)) is None:
            error = np.broadcast_to(_ZERO, wide.shape)  # one number in every place
        return Bounded(wide, error)

    def detach(self, value: Bounded) -> Bounded:
        """Take a value of earlier steps."""
        return value

    def observe(self, value: Array, instead_of: Bounded | None) -> Bounded:
        """Take what a backend returned: its next step starts from these bits.

        Of a half precision it may have kept the number that these were rounded from.
        """
        del instead_of
        taken = self.constant(value)
        if self._dtype not in HALF_DTYPES:
            return taken
        return Bounded(taken.value, taken.error + self._unit * np.abs(taken.value))

    def handed_on(self, value: Array, again: Bounded) -> Bounded:
        """Take what a layer returned: it and what went on may each be off by that."""
        taken = self.observe(value, None)
        if not self._accuracy.recomputes:
            return taken
        return Bounded(taken.value, taken.error + 2 * again.error)

    def weight(self, value: Array, name: str) -> Array:
        """Take a weight: every backend has its bits."""
        del name
        return value.astype(np.float64)

    def _rounded(self, value: Array, carried: Array) -> Bounded:
        """Add one rounding of a result whose operands carry errors."""
        own = np.abs(value)
        own += carried
        own *= self._both
        own += carried
        own += self._tiny
        return Bounded(value, own)

    def add(self, a: Bounded, b: Bounded) -> Bounded:
        """Bound a sum."""
        return self._rounded(a.value + b.value, a.error + b.error)

    def mul(self, a: Bounded, b: Bounded) -> Bounded:
        """Bound a product."""
        carried = np.abs(b.value)
        carried += b.error
        carried = carried * a.error
        carried += np.abs(a.value) * b.error
        return self._rounded(a.value * b.value, carried)

    def recurrence(self, f: Bounded, a: Bounded) -> Callable[[int, Bounded], Bounded]:
        """Give what bounds `f c + a` of a step and c.

        What `add` and `mul` come to, with all but c multiplied out once for all steps.
        """
        size, up = np.abs(f.value), 1 + self._both
        by_size = f.error * up**2 + size * (self._both * up)
        by_error = (size + f.error) * up**2
        rest = a.error * up + self._tiny * (1 + up)

        def made(step: int, c: Bounded) -> Bounded:
            value = f.value[:, step] * c.value
            value += a.value[:, step]
            error = np.abs(c.value)
            error *= by_size[:, step]
            error += by_error[:, step] * c.error
            error += rest[:, step]
            own = np.abs(value)
            own *= self._both
            error += own
            return Bounded(value, error)

        return made

    def scale(self, a: Bounded, weight: Array) -> Bounded:
        """Bound a product with an exact weight."""
        size = np.abs(weight)
        carried = a.error * size
        if (flushed := self._read_as_zero(weight)) is not None:
            carried = carried + (np.abs(a.value) + a.error) * flushed
        return self._rounded(a.value * weight, carried)

    def shift(self, a: Bounded, weight: Array) -> Bounded:
        """Bound a sum with an exact weight, from which a part may be taken before."""
        error = a.error + self._both * np.abs(weight)
        if (flushed := self._read_as_zero(weight)) is not None:
            error = error + flushed
        return self._rounded(a.value + weight, error)

    def divide(self, a: Bounded, b: Bounded) -> Bounded:
        """Bound a quotient, of 2 ulp; nothing does where the divisor may be 0.

        That is what an instruction for it errs by (`div.full`, PTX ISA, section 9.7.3),
        and more than a product with a reciprocal does.
        """
        least = np.maximum(np.abs(b.value) - b.error, 0.0)
        value = np.where(b.value == 0, 0.0, a.value / b.value)
        carried = (a.error + np.abs(value) * b.error) / least
        carried = np.where(np.isfinite(carried), carried, np.inf)
        carried += 3 * self._both * (np.abs(value) + carried)
        return self._rounded(value, carried)

    def mix(self, z: Bounded, a: Bounded, b: Bounded) -> Bounded:
        """Bound `z a + (1 - z) b`, also if computed as `b + z (a - b)`.

        Each form rounds three times, of results that are at most |a| + |b|, and what a
        rounding adds is rounded again.
        """
        value = z.value * a.value + (1 - z.value) * b.value
        apart = np.abs(a.value - b.value) + a.error + b.error
        inner = np.minimum(np.maximum(z.value, 0.0) + z.error, 1.0)
        outer = np.minimum(np.maximum(1 - z.value, 0.0) + z.error, 1.0)
        carried = z.error * apart + inner * a.error + outer * b.error
        size = np.abs(a.value) + a.error + np.abs(b.value) + b.error
        # A mean is no farther out than what it is the mean of.
        error = np.minimum(carried, np.abs(value) + size)
        error += worst_case(3, self._both) * size + 3 * self._tiny
        return Bounded(value, error)

    def relu(self, x: Bounded) -> Bounded:
        """Bound the larger one of x and 0: it rounds nothing."""
        return x._replace(value=np.maximum(x.value, 0.0))

    def tanh(self, x: Bounded) -> Bounded:
        """Bound tanh: its steepest slope within the error, plus its own ulps."""
        curve = tanh_of(x)
        return Bounded(curve.value, self._function("tanh", curve) + curve.carried)

    def sigmoid(self, x: Bounded) -> Bounded:
        """Bound the logistic function in the same way."""
        curve = logistic_of(x)
        return Bounded(curve.value, self._function("sigmoid", curve) + curve.carried)

    def function(self, function: Function, x: Bounded) -> Bounded:
        """Bound any other function: its steepest slope anywhere, and its roundings."""
        value = function.value(x.value)
        slopes = function.slopes(x.value - x.error, x.value + x.error)
        error = np.where(x.error > 0, slopes * x.error, 0.0)
        size = np.abs(value) + error + function.around
        if function.roundings:
            own = function.roundings * (self._both * size + self._tiny)
        else:
            stated = self._accuracy.functions[function.name]
            own = 2 * (self._unit * stated.ulp + REFERENCE_ULP * U64) * size
            own += self._tiny + stated.absolute
        return Bounded(value, error + own)

    def _function(self, name: str, curve: Curve) -> Array:
        """Give the stated error of a function that is never larger than 1."""
        own = power_of_two(curve.largest)
        own *= self._relative_to_power(name, curve)
        own += self._tiny + self._accuracy.functions[name].absolute
        return own

    def _own(self, name: str, of: Bounded) -> Array:
        """Give the stated error of a function of which the result is known."""
        largest = np.minimum(np.abs(of.value) + of.error, 1.0)
        anywhere = Curve(of.value, 0.0, 0.0, largest, _nowhere)
        return self._function(name, anywhere)

    def _relative_to_power(self, name: str, curve: Curve) -> Array | float:
        """Give the stated ulps, and the reference's, over the power of two of a result.

        Those of a pair hold where it covers all that a backend's argument may be.
        """
        stated = self._accuracy.functions[name]
        # An ulp is its rounding unit twice, times that power.
        pairs = [
            (limit, 2 * self._unit * ulp + 2 * REFERENCE_ULP * U64)
            for limit, ulp in [*stated.near, (math.inf, stated.ulp)]
        ]
        found: Array | float = pairs[-1][1]
        for (limit, inside), (_, beyond) in pairwise(pairs):
            # Less by so much.
            found = found + curve.within(limit) * (inside - beyond)
        return found

    def infer_c(
        self, o: Bounded, h: Array, f: Bounded, i: Bounded, g: Bounded
    ) -> Bounded:
        """Bound the c that a backend goes on with where it returned `h = o tanh(c)`.

        The nearer to 1 tanh is, and o to 0, the less h says of c; where it says
        little, the bound is infinite. A backend may compute `f c + i g` once for h and
        once more to go on with, gates too, and round otherwise.
        """
        told = self.told_by(o, h)
        if not self._accuracy.recomputes:
            return told
        added = (np.abs(i.value) + i.error) * (np.abs(g.value) + g.error)
        size = np.abs(told.value) + told.error
        kept = size + added  # f c was what is left of the new c
        least = np.maximum(f.value - f.error, self._tiny)
        apart = kept * (self._own("sigmoid", f) / least)
        apart += np.abs(g.value) * self._own("sigmoid", i)
        apart += np.abs(i.value) * self._own("tanh", g)
        apart += worst_case(3, self._both) * (kept + added) + 3 * self._tiny
        return Bounded(told.value, told.error + 2 * apart)

    def recomputed(self, told: Bounded, again: Bounded) -> Bounded:
        """Take a state that was told: what goes on may have been rounded otherwise."""
        if not self._accuracy.recomputes:
            return told
        return Bounded(told.value, told.error + 2 * again.error)

    def told_by(self, o: Bounded, h: Array) -> Bounded:
        """Bound the c of `h = o tanh(c)`, from what o, tanh and a rounding may be."""
        size, least = np.abs(h), o.value - o.error
        y = size / o.value
        most = (size * (1 + self._both) + self._tiny) / least
        away = np.maximum(
            most - y, y - (size * (1 - self._both) - self._tiny) / (o.value + o.error)
        )
        tellable = (least > 0) & (most < _TELLABLE)
        c = np.arctanh(np.where(tellable, y, 0.0))
        # What tanh(c) is, is known, so that no slope is asked; what was c is near by.
        near = partial(surely_within, Bounded(c, np.asarray(_NEAR)))
        away += self._function("tanh", Curve(y, 0.0, 0.0, np.minimum(most, 1.0), near))
        farthest = y + away
        # By the steepest slope of its inverse on the way there.
        error = away / ((1 - farthest) * (1 + farthest))
        tellable &= (farthest < _TELLABLE) & (error < _NEAR)
        return Bounded(np.copysign(c, h), np.where(tellable, error, np.inf))

    def tighten(self, a: Bounded, b: Bounded) -> Bounded:
        """Take the first, unless the second is known much more exactly."""
        return self.where(a.error <= _STILL_TAKEN * b.error, a, b)
