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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judge.bounded import (
    Bounded,
    Curve,
    logistic_of,
    surely_within,
    tanh_of,
    together,
)
from harness.judge.bounds import power_of_two
from harness.judge.operations import one_by_one
from harness.judge.sums import U64, Sums
from harness.spec import Array

REFERENCE_ULP = 4.0
"""Largest error of the reference's own tanh and logistic function in ulp of float64;
NumPy's tanh was seen to err by 1.1, its `1 / (1 + exp(-x))` by 2.1."""

_ZERO = np.zeros(())
_TELLABLE = 1 - 2.0**-10
_NEAR = 0.05


class Rounded(Sums):
    """Float64 with running error bounds for a backend; made as `Sums` are."""

    def exactly(self, value: Array, name: str = "") -> Bounded:
        """Take a value as given: a backend starts from the same bits."""
        del name  # nobody asks for it later
        wide = np.asarray(value, np.float64)
        zeros = np.broadcast_to(_ZERO, wide.shape)  # one number, seen in every place
        return (
            Bounded(wide, zeros, zeros, zeros) if self._apart else Bounded(wide, zeros)
        )

    def past(self, value: Bounded) -> Bounded:
        """Take a value of earlier steps; all that come are off by what it is off by."""
        if not self._apart:
            return value
        return value._replace(steady=value.error, sigma=np.zeros_like(value.error))

    def seen(self, value: Array, instead_of: Bounded | None) -> Bounded:
        """Take what a backend returned: its next step starts from these bits."""
        del instead_of
        return self.exactly(value)

    def weight(self, value: Array, name: str) -> Array:
        """Take a weight: every backend has its bits."""
        del name
        return value.astype(np.float64)

    def _rounded(
        self, value: Array, carried: Array, apart: tuple[Any, Any] | None
    ) -> Bounded:
        """Add one rounding of a result whose operands carry errors."""
        own = np.abs(value)
        own += carried
        own *= self._both
        if apart is None:
            own += carried
            own += self._tiny
            return Bounded(value, own)
        steady, sigma = apart
        error = own + (carried + self._tiny)
        return Bounded(value, error, steady + self._tiny, sigma + own)

    def add(self, a: Bounded, b: Bounded) -> Bounded:
        """Bound a sum."""
        apart = (a.steady + b.steady, a.sigma + b.sigma) if self._apart else None
        return self._rounded(a.value + b.value, a.error + b.error, apart)

    def mul(self, a: Bounded, b: Bounded) -> Bounded:
        """Bound a product."""
        sizes = np.abs(a.value), np.abs(b.value)
        carried = sizes[1] + b.error
        carried *= a.error
        carried += sizes[0] * b.error
        apart = None
        if self._apart:
            both = a.error * b.error  # of what is random in both: taken for steady
            apart = (
                sizes[0] * b.steady + sizes[1] * a.steady + both,
                sizes[0] * b.sigma + sizes[1] * a.sigma,
            )
        return self._rounded(a.value * b.value, carried, apart)

    def recurrence(self, f: Bounded, a: Bounded) -> Callable[[int, Bounded], Bounded]:
        """Give what bounds `f c + a` of a step and c.

        What `add` and `mul` come to, with all but c multiplied out once for all steps.
        """
        if self._apart:
            return one_by_one(self, f, a)
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
        apart = (a.steady * size, a.sigma * size) if self._apart else None
        return self._rounded(a.value * weight, a.error * size, apart)

    def mix(self, z: Bounded, a: Bounded, b: Bounded) -> Bounded:
        """Bound `z a + (1 - z) b`, also if computed as `b + z (a - b)`.

        Either form rounds three times, of results that are at most |a| + |b|.
        """
        value = z.value * a.value + (1 - z.value) * b.value
        apart = np.abs(a.value - b.value) + a.error + b.error
        inner = np.minimum(np.maximum(z.value, 0.0) + z.error, 1.0)
        outer = np.minimum(np.maximum(1 - z.value, 0.0) + z.error, 1.0)

        def carried(name: str) -> Array:
            of_z, of_a, of_b = (getattr(of, name) for of in (z, a, b))
            return np.asarray(of_z * apart + inner * of_a + outer * of_b)

        size = np.abs(a.value) + a.error + np.abs(b.value) + b.error
        # A mean is no farther out than what it is the mean of.
        error = np.minimum(carried("error"), np.abs(value) + size)
        own, tiny = 3 * self._both * size, 3 * self._tiny
        if not self._apart:
            return Bounded(value, error + own + tiny)
        steady, sigma = carried("steady") + tiny, carried("sigma") + own
        return Bounded(value, error + own + tiny, steady, sigma)

    def relu(self, x: Bounded) -> Bounded:
        """Bound the larger one of x and 0: it rounds nothing."""
        return x._replace(value=np.maximum(x.value, 0.0))

    def tanh(self, x: Bounded) -> Bounded:
        """Bound tanh: its steepest slope within the error, plus its own ulps."""
        return self._function("tanh", tanh_of(x), x)

    def sigmoid(self, x: Bounded) -> Bounded:
        """Bound the logistic function in the same way."""
        return self._function("sigmoid", logistic_of(x), x)

    def _function(self, name: str, curve: Curve, x: Bounded) -> Bounded:
        """Add the stated errors of a function that is never larger than 1."""
        accuracy, value, carried = self._accuracy, curve.value, curve.carried
        own = power_of_two(curve.largest)
        own *= self._relative_to_power(name, curve)
        own += self._tiny + accuracy.absolute.get(name, 0.0)
        if not self._apart:
            own += carried
            return Bounded(value, own)
        # Near one argument a function errs one way, so that all of it may be steady.
        slope = curve.slope
        return Bounded(value, own + carried, x.steady * slope + own, x.sigma * slope)

    def _relative_to_power(self, name: str, curve: Curve) -> Array | float:
        """Give the stated ulps, and the reference's, over the power of two of a result.

        Those of a pair hold where it covers all that a backend's argument may be.
        """
        accuracy = self._accuracy
        # An ulp is its rounding unit twice, times that power.
        pairs = [
            (limit, 2 * self._unit * ulp + 2 * REFERENCE_ULP * U64)
            for limit, ulp in [
                *accuracy.near.get(name, ()),
                (math.inf, accuracy.ulp[name]),
            ]
        ]
        found: Array | float = pairs[-1][1]
        for (limit, inside), (_, beyond) in pairwise(pairs):
            # Less by so much.
            found = found + curve.within(limit) * (inside - beyond)
        return found

    def rebuilt(self, o: Bounded, h: Array) -> Bounded:
        """Bound the c that a backend had where it returned `h = o tanh(c)`.

        The nearer to 1 tanh is, and o to 0, the less h says of c; where it says
        little, the bound is infinite.
        """
        y = h / o.value
        tellable = np.abs(y) < _TELLABLE
        squashed = np.where(tellable, y, 0.0)
        c = np.arctanh(squashed)
        # What tanh(c) is, is known, so that no slope is asked; what was c is near by.
        near = partial(surely_within, Bounded(c, np.asarray(_NEAR)))
        given = Curve(squashed, 0.0, 0.0, np.abs(squashed), near)
        shown = self.mul(o, self._function("tanh", given, self.exactly(c)))
        slope = o.value * (1 - y * y)
        # So near by, the slope of tanh changes by a factor of exp(2 _NEAR) at most.
        tellable &= (slope > 0) & (shown.error < _NEAR / 2 * slope)
        up = math.exp(2 * _NEAR)

        def held(of: Any) -> Array:
            return np.where(tellable, up * of / slope, np.inf)

        if not self._apart:
            return Bounded(c, held(shown.error))
        return Bounded(c, *(held(of) for of in shown[1:]))

    def nearer(self, a: Bounded, b: Bounded) -> Bounded:
        """Take whichever has the smaller bound, element by element."""
        return self.where(a.error <= b.error, a, b)

    def where(self, mask: NDArray[np.bool_], a: Bounded, b: Bounded) -> Bounded:
        """Take `a` where the mask holds, else `b`."""
        return together(lambda x, y: np.asarray(np.where(mask, x, y)), a, b)

    def take(self, value: Bounded, index: Any) -> Bounded:
        """Index a value."""
        return together(lambda part: part[index], value)

    def stack(self, values: list[Bounded]) -> Bounded:
        """Stack along axis 1, that of time."""
        return together(lambda *parts: np.stack(parts, axis=1), *values)

    def concatenate(self, values: list[Bounded], axis: int = -1) -> Bounded:
        """Join along an axis."""
        return together(lambda *parts: np.concatenate(parts, axis), *values)
