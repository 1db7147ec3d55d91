"""The operations of a cell as one legal implementation of it computes them."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_parity.adversary.along_axis import AlongAxis
from rnn_parity.adversary.curves import CURVES, erring
from rnn_parity.adversary.formats import Format
from rnn_parity.adversary.made import SELDOM, Made
from rnn_parity_core import HALF_DTYPES, Array
from rnn_parity_core.functions import Function
from rnn_parity_core.operations import one_by_one

_FLOAT32 = Format("float32")


class Implementation(AlongAxis):
    """One legal implementation.

    Places in the program are told by counting operations within a step, which begins
    where one step's inputs are taken from all.

    Args:
        accuracy: What it may err by.
        choices: What it chooses.

    """

    def constant(self, value: Array, name: str = "") -> Made:
        """Take a value that is given; initial states tell where a pass begins."""
        if name.startswith("initial"):
            self._of, self._count = name.partition(".")[2], 0
        return Made(np.asarray(value).astype(self._form.wide))

    def observe(self, value: Array, instead_of: Made | None) -> Made:
        """Take what a backend returned."""
        del instead_of
        return self.constant(value)

    def weight(self, value: Array, name: str) -> Array:
        """Take a weight."""
        del name
        return np.asarray(value).astype(self._form.wide)

    def handed_on(self, value: Array, again: Made) -> Made:
        """Take what a backend's layer returned."""
        del again
        return self.constant(value)

    def of_same_sums(self) -> Self:
        """Give this: it computes what it computes."""
        return self

    def detach(self, value: Made) -> Made:
        """Take a value of earlier steps."""
        return value

    def infer_c(self, o: Made, h: Array, f: Made, i: Made, g: Made) -> None:
        """Give nothing: c is known."""

    def told_by(self, o: Made, h: Array) -> None:
        """Give nothing, as above."""

    def recomputed(self, told: Made, again: Made) -> Made:
        """Take the first."""
        del again
        return told

    def tighten(self, a: Made, b: Made) -> Made:
        """Take the first: it is known."""
        del b
        return a

    def add(self, a: Made, b: Made) -> Made:
        """Add."""
        return self._both(np.add, a, b)

    def mul(self, a: Made, b: Made) -> Made:
        """Multiply."""
        return self._both(np.multiply, a, b)

    def _both(self, form: Callable[..., Array], a: Made, b: Made) -> Made:
        """Compute a result, and perhaps once more otherwise."""
        place = self._place(form.__name__)
        found = form(self.read(a, place, "a"), self.read(b, place, "b"))
        again = None
        if self._twice:
            again = form(
                self.read(a, place, "a again", second=True),
                self.read(b, place, "b again", second=True),
            )
        return Made(found, again)

    def recurrence(self, f: Made, a: Made) -> Callable[[int, Made], Made]:
        """Give what makes `f c + a` of a step and c."""
        return one_by_one(self, f, a)

    def scale(self, a: Made, weight: Array) -> Made:
        """Multiply by a weight."""
        return Made(self._shown(a, self._place("scale")) * self._given(weight))

    def shift(self, a: Made, weight: Array) -> Made:
        """Add a weight."""
        return Made(self.read(a, self._place("shift"), "a") + self._given(weight))

    def divide(self, a: Made, b: Made) -> Made:
        """Divide; instructions for it err by up to 2 ulp, one of them by rounding."""
        found = self._both(np.divide, a, b)
        off = self._choices.pick(self._place("quotient"), "off", (0, 0, -1, 1))
        up = 1 + off * self._form.eps
        return Made(found.value * up, found.second * up)

    def mix(self, z: Made, a: Made, b: Made) -> Made:
        """Mix in one of the forms that kernels have, perhaps twice."""
        place = self._place("mix")
        found = self._mixed((z, a, b), place, "once")
        again = self._mixed((z, a, b), place, "again") if self._twice else None
        return Made(found, again)

    def _mixed(self, made: tuple[Made, ...], place: str, which: str) -> Array:
        """Return `z a + (1 - z) b`; fused multiply-adds skip a rounding."""
        pick = self._choices.pick
        z, a, b = (
            self.read(of, place, f"{which} {k}", second=which == "again")
            for k, of in enumerate(made)
        )
        form = pick(place, which, ("sum", "from b", "from a", "difference"))

        def maybe(value: Array, name: str) -> Array:
            skipped = pick(place, f"{which} {name} skipped", SELDOM)
            return value if skipped else self._round(value)

        if form == "sum":
            rest = maybe(1 - z, "rest")
            return maybe(z * a, "za") + maybe(rest * b, "rest b")
        if form == "from b":
            return b + maybe(z * maybe(a - b, "apart"), "moved")
        if form == "from a":
            rest = maybe(1 - z, "rest")
            return a + maybe(rest * maybe(b - a, "apart"), "moved")
        return maybe(b - maybe(z * b, "zb"), "rest b") + maybe(z * a, "za")

    def tanh(self, x: Made) -> Made:
        """Take the hyperbolic tangent, off by a fixed curve."""
        return self._function("tanh", x)

    def sigmoid(self, x: Made) -> Made:
        """Take the logistic function in the same way."""
        return self._function("sigmoid", x)

    def function(self, function: Function, x: Made) -> Made:
        """Take any other function, each of its roundings up, down or none.

        One of which ulps are stated errs by all of them but its own rounding.
        """
        place = self._place(function.name)
        read = self.read(x, place, "x")
        found = function.value(read)
        size = 0.99 * self._form.eps / 2 * (np.abs(found) + function.around)
        times = function.roundings - 1
        if not function.roundings:
            stated = self._accuracy.functions[function.name]
            size, times = (stated.ulp - 0.51) * self._form.spacing(found), 1
        for number in range(times):
            curve = self._choices.pick(place, f"curve {number}", tuple(CURVES))
            seed = self._choices.number(place, f"seed {number}")
            found = found + size * CURVES[curve](read, found, seed)
        return Made(found)

    def _function(self, name: str, x: Made) -> Made:
        place = self._place(name)
        read = self._shown(x, place)
        found = self._erring(name, read, place, "once")
        again = self._erring(name, read, place, "again") if self._twice else None
        return Made(found, again)

    def _erring(self, name: str, x: Array, place: str, which: str) -> Array:
        curve = self._choices.pick(place, f"curve {which}", tuple(CURVES))
        seed = self._choices.number(place, f"curve seed {which}")
        found = erring(name, x, self._accuracy, self._form, (curve, seed))
        return self._form.flushed(found) if self._flush else found

    def relu(self, x: Made) -> Made:
        """Take the larger one of x and 0."""
        return Made(np.maximum(self.read(x, self._place("relu"), "x"), 0.0))

    def where(self, mask: NDArray[np.bool_], a: Made, b: Made) -> Made:
        """Take `a` where the mask holds: what a step hands on.

        That is in the dtype, but half precisions' may be kept wide until they are
        returned. What is returned at the end may have been computed a second time.
        """
        place = self._place("where")
        form, flush = self._form, self._flush
        if self._form.name in HALF_DTYPES and self._choices.pick(
            place, "kept wide", SELDOM
        ):
            form = _FLOAT32
        kept = form.rounded(a.value, flush=flush)
        found = Made(np.where(mask, kept, b.value))
        again = a.value
        if self._choices.pick(place, "final", (False, True)):
            again = a.second
        found.final = np.where(mask, form.rounded(again, flush=flush), b.final)
        return found

    def take(self, value: Made, index: Any) -> Made:
        """Index a value; a step begins where its inputs are taken."""
        if isinstance(index, tuple) and isinstance(index[-1], int):
            self._count = 0
        second = None if value.second is value.value else value.second[index]
        return Made(value.value[index], second)

    def stack(self, values: list[Made]) -> Made:
        """Stack along axis 1, that of time."""
        return Made(np.stack([of.value for of in values], axis=1))

    def concatenate(self, values: list[Made], axis: int = -1) -> Made:
        """Join along an axis."""
        return Made(np.concatenate([of.value for of in values], axis))
