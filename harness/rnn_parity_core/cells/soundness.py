"""Whether a cell that somebody wrote is one: said where it is registered, not in a run.

What its step computes is for `rnn-parity conform-cell` to say.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rnn_parity_core.cell import Cell, Mistake
from rnn_parity_core.errors import ParityError
from rnn_parity_core.functions import Function

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_STATE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)
_OF_WEIGHTS = "IHRPG3"
_OF_STATES = "HRPG3"
_MEANING = "I inputs, H units, R outputs, P projection, G gates times H, 3 three"


def check_cell(cell: Cell, origin: str) -> None:
    """See that a cell can be named in IDs, has arrays, and takes what it is given.

    Args:
        cell: The cell.
        origin: Where it is from, for the message.

    Raises:
        ParityError: A field is not what it must be.

    """
    for field, wrong in _wrong(cell):
        raise ParityError(f"{origin}: {field} of the cell {wrong}")


def _wrong(cell: Cell) -> Iterator[tuple[str, str]]:
    """Give each field that is wrong, and what about it and what to do."""
    if not _matches(_NAME, cell.name):
        said = f"is {cell.name!r}, which is no part of an ID; give up to 40 lower-case "
        yield "name", said + "letters, digits and underscores, a letter first"
    yield from _arrays("weights", cell.weights, _NAME, _OF_WEIGHTS)
    yield from _arrays("states", cell.states, _STATE, _OF_STATES)
    used = "".join([*cell.weights.values(), *cell.states.values()])
    if "G" in used and not cell.gates:
        yield "gates", "are none, yet an axis is G; name the blocks that G consists of"
    if "P" in used and "projection" not in cell.weights:
        yield "weights", "have an axis P, and no weight 'projection'; name it so"
    for name, activation in cell.activations.items():
        function: Any = getattr(activation, "function", None)
        if not isinstance(function, Function):
            yield (
                f"activations[{name!r}]",
                "is no Activation of a Function; make it one",
            )
            return
    yield from _functions(cell)


def _arrays(
    field: str, arrays: Any, names: re.Pattern[str], letters: str
) -> Iterator[tuple[str, str]]:
    if not isinstance(arrays, Mapping) or not arrays:
        yield field, "are none; give a mapping of names to axes: {'kernel': 'IG'}"
        return
    for name, axes in arrays.items():
        if not _matches(names, name):
            said = (
                f"have the name {name!r}, which is no part of an array's; give up to "
            )
            yield field, said + "40 letters, digits and underscores, a letter first"
        elif not isinstance(axes, str) or not axes or set(axes) - set(letters):
            said = f"has the axes {axes!r}; give one letter each, of "
            yield f"{field}[{name!r}]", f"{said}{', '.join(letters)} ({_MEANING})"


def _functions(cell: Cell) -> Iterator[tuple[str, str]]:
    """See that the two forms of the step can be called with what they are given."""
    chosen = list(cell.activations)
    for field, positional in (("step", "ops, x, state, w"), ("by_hand", "x, state, w")):
        function = getattr(cell, field)
        count = len(positional.split(","))
        if not callable(function) or not _takes(function, count, chosen):
            keywords = ", ".join(chosen)
            after = f", *, {keywords}" if keywords else ""
            yield field, f"is no function of ({positional}{after}); write one"
            return
    count = len(("ops", "x", "state", "w"))
    own: Mapping[str, Any] = cell.own_mistakes
    for words, mistake in own.items():
        if not isinstance(mistake, Mistake):
            yield f"own_mistakes[{words!r}]", "is no Mistake; make it one"
        elif not _takes(cell.step, count, [*{*chosen, *mistake.changes}]):
            said = f"changes {', '.join(mistake.changes)}, which the step takes no "
            yield f"own_mistakes[{words!r}]", f"{said}keyword for; add it to the step"


def _takes(function: Callable[..., Any], count: int, keywords: list[str]) -> bool:
    try:
        inspect.signature(function).bind(*range(count), **dict.fromkeys(keywords))
    except (TypeError, ValueError):
        return False
    return True


def _matches(pattern: re.Pattern[str], name: Any) -> bool:
    return isinstance(name, str) and bool(pattern.fullmatch(name))
