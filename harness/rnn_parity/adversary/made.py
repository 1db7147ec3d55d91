"""Results that whoever reads them may round or not."""

from typing import Any

import numpy as np

from rnn_parity.adversary.choices import EVERYWHERE, Choices
from rnn_parity.adversary.formats import Format
from rnn_parity_core import Accuracy, Array

SELDOM = (False, False, True)
"""Options of what is left out or kept wide now and then."""


class Made:
    """A result, wide and not yet rounded: whoever reads it may round it or not.

    What is computed twice has a second value, of which some readers read.
    """

    __slots__ = ("_rounded", "final", "second", "value")

    def __init__(self, value: Array, second: Array | None = None) -> None:
        self.value = value
        self.second = value if second is None else second
        self.final = value  # what is returned of a state at the end
        self._rounded: Array | None = None

    def rounded(self, form: Format, *, flush: bool, second: bool = False) -> Array:
        """Return it in the dtype."""
        if second and self.second is not self.value:
            return form.rounded(self.second, flush=flush)
        if self._rounded is None:
            self._rounded = form.rounded(self.value, flush=flush)
        return self._rounded


class Reader:
    """How one implementation reads and rounds values.

    Places in the program are told by counting operations within a step.

    Args:
        accuracy: What it may err by.
        choices: What it chooses.

    """

    def __init__(self, accuracy: Accuracy, choices: Choices) -> None:
        self._accuracy, self._choices = accuracy, choices
        self._form = Format(accuracy.dtype)
        # Sums of half precisions may be float32's whatever is stated.
        inside = accuracy.accumulator or accuracy.dtype
        self._inside = Format(inside)
        self._flush = choices.pick(EVERYWHERE, "flush", SELDOM)
        # What is carried on and what is shown may be computed apart, of the same sums.
        twice = choices.pick(EVERYWHERE, "twice", (False, True))
        self._twice = twice and accuracy.recomputes
        self._of, self._count = "", 0

    def _place(self, operation: str) -> str:
        """Return the name of the place in the program that is come to next."""
        self._count += 1
        return f"{self._of} {self._count} {operation}"

    def read(
        self, made: Made, place: str, operand: str, *, second: bool = False
    ) -> Array:
        """Return a value as an operation reads it."""
        if not self._choices.pick(place, f"{operand} wide", SELDOM):
            return made.rounded(self._form, flush=self._flush, second=second)
        value = made.second if second else made.value
        return self._form.flushed(value) if self._flush else value

    def _shown(self, made: Made, place: str) -> Array:
        """Return what c is where it is shown: it may be computed for that alone."""
        second = made.second is not made.value and self._choices.pick(
            place, "second", (False, True)
        )
        return self.read(made, place, "shown", second=second)

    def _given(self, value: Any) -> Array:
        """Return a weight as it is read."""
        wide = np.asarray(value, self._form.wide)
        return self._form.flushed(wide) if self._flush else wide

    def _round(self, value: Array, form: Format | None = None) -> Array:
        return (form or self._form).rounded(value, flush=self._flush)
