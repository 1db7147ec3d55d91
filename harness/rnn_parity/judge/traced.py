"""A step as a list of operations: what can be taken for all steps at once, what not.

The step is a function that anybody may have written. It is called once, with values
that only write down what is done with them; nobody says which parts are which.
"""

import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from rnn_parity.judge.arithmetic import Float64
from rnn_parity_core import Array
from rnn_parity_core.cell import Step


class UntraceableError(Exception):
    """A step that cannot be taken for all steps at once, and why."""


class Call(NamedTuple):
    """One operation of a step."""

    name: str
    """Of `Operations`; nothing for what is done with weights alone."""
    function: Callable[..., Any] | None
    args: tuple[Any, ...]


class Traced:
    """A value of a step that was not computed.

    Args:
        trace: Where it is written down.
        number: Its place there.
        value: Of as many axes and sizes, without rows.
        leaves: Names of what it was made of: `x`, states, weights.

    """

    def __init__(
        self, trace: "Trace", number: int, value: Array, leaves: frozenset[str]
    ) -> None:
        self._trace = trace
        self.number, self.value, self.leaves = number, value, leaves

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; rows are 0."""
        return self.value.shape

    def __getitem__(self, index: Any) -> "Traced":
        """Cut a part out of a weight."""
        return self._trace.call("", operator.getitem, self, index)

    def __add__(self, other: Any) -> "Traced":
        """Add up weights."""
        return self._trace.call("", operator.add, self, other)

    def __bool__(self) -> bool:
        """Refuse to be asked: what a step does must not depend on values."""
        raise UntraceableError("it branches on a value")


class Trace:
    """All operations of one step of some sizes.

    Args:
        step: The step.
        leaves: `x`, and each state's and each weight's name → an array of as many axes
            and sizes; of x and states without rows.
        states: Which of the names are states.

    """

    def __init__(
        self, step: Step, leaves: Mapping[str, Array], states: tuple[str, ...]
    ) -> None:
        self._plain = Float64()
        self.calls: list[Call] = []
        self.leaf: dict[str, Traced] = {
            name: self._made(Call(name, None, ()), array, frozenset([name]))
            for name, array in leaves.items()
        }
        weights = {n: self.leaf[n] for n in leaves if n not in {"x", *states}}
        given = {name: self.leaf[name] for name in states}
        self.made: dict[str, Traced] = step(self, self.leaf["x"], given, weights)

    def __getattr__(self, name: str) -> Callable[..., Traced]:
        """Stand for the operations: each call is written down."""
        if not callable(getattr(self._plain, name, None)):
            raise UntraceableError(f"there is no operation `{name}`")
        return partial(self.call, name, None)

    def call(
        self, name: str, function: Callable[..., Any] | None, *args: Any
    ) -> Traced:
        """Write down an operation, and give what stands for its result."""
        leaves: set[str] = set()

        def plain(of: Any) -> Any:
            if isinstance(of, Traced):
                leaves.update(of.leaves)
                return of.value
            return of

        if name == "take" and _is_of_rows(args[1]):
            raise UntraceableError("it indexes a value otherwise than `..., last axes`")
        form = function or getattr(self._plain, name)
        value = form(*(_mapped(plain, of) for of in args))
        return self._made(Call(name, function, args), value, frozenset(leaves))

    def _made(self, call: Call, value: Array, leaves: frozenset[str]) -> Traced:
        self.calls.append(call)
        return Traced(self, len(self.calls) - 1, value, leaves)

    def called(self, of: Any, name: str) -> tuple[Any, ...] | None:
        """Give what an operation was called with, if a value is the result of it."""
        if not isinstance(of, Traced) or self.calls[of.number].name != name:
            return None
        return self.calls[of.number].args


class Replay:
    """A trace's operations in an arithmetic, each once, as far as they are asked for.

    Args:
        trace: The trace.
        ops: The arithmetic.
        known: Number of a value → it.
        given: What is known of a value from elsewhere; None of one that it is not.

    """

    def __init__(
        self,
        trace: Trace,
        ops: Any,
        known: Mapping[int, Any],
        given: Callable[[Traced], Any] | None = None,
    ) -> None:
        self._trace, self._ops, self._known = trace, ops, dict(known)
        self._given = given

    def value(self, of: Any) -> Any:
        """Give the value that a traced one stands for."""
        if not isinstance(of, Traced):
            return of
        if of.number not in self._known:
            found = None if self._given is None else self._given(of)
            if found is None:
                name, function, args = self._trace.calls[of.number]
                form = function or getattr(self._ops, name)
                found = form(*(_mapped(self.value, arg) for arg in args))
            self._known[of.number] = found
        return self._known[of.number]


def _is_of_rows(index: Any) -> bool:
    """Whether an index begins with the axes of rows and steps."""
    return not (index is ... or (isinstance(index, tuple) and index[:1] == (...,)))


def _mapped(form: Callable[[Any], Any], of: Any) -> Any:
    """Apply to what is in lists and tuples, too."""
    if isinstance(of, list | tuple) and not hasattr(of, "_fields"):
        return type(of)(_mapped(form, part) for part in of)
    return form(of)


def empty(shape: tuple[int, ...]) -> Array:
    """Give an array of a shape that takes no memory."""
    return np.broadcast_to(np.zeros(()), shape)
