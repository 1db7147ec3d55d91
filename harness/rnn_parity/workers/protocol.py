"""What a worker answers, checked before it is used."""

import math
import reprlib
from typing import Any, TypeVar

import msgspec

from rnn_parity_core import clean

LONGEST = 500
"""Characters of what a worker says."""

# What is asked → what the answer to it carries; any may be a reason why there is none.
# Another machine answers what it likes to.
_ANSWERS: dict[str, tuple[str, list[type]]] = {
    "load": ("loaded", [bytes]),
    "run": ("outcome", [bytes, float]),
    "graph": ("graph", [bytes]),
    "layer": ("read", [bytes]),
    "arrays": ("read", [bytes]),
}
_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_REASONS = ("absent", "unsupported", "error")
_REFUSALS = ("file", "usage")  # whose text is ours, and may list much


class WorkerError(Exception):
    """A worker died or hung; the text says how."""


def decoded(data: bytes, kind: type[_Struct], wrong: str) -> _Struct:
    """Read what a worker says in JSON.

    Raises:
        WorkerError: It is no such thing; `wrong` and why.

    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorkerError(f"{wrong}: {error}") from None


def checked(asked: str, answer: object) -> tuple[Any, ...]:
    """See that an answer is one to what was asked."""
    kind, *rest = answer if isinstance(answer, tuple) and answer else ("",)
    types = [type(part) for part in rest]
    if kind in _REASONS and types == [str]:
        return kind, clean(" ".join(rest[0].split()))[:LONGEST]
    if kind in _REFUSALS and types == [str]:
        return kind, *rest
    if (kind, types) == _ANSWERS[asked] and 0 <= (*rest, 0.0)[1] < math.inf:
        return kind, *rest
    raise no_answer(asked, answer)


def no_answer(asked: str, answer: object) -> WorkerError:
    """Say that what came is no answer to what was asked."""
    try:
        said = clean(reprlib.repr(answer))[:LONGEST]  # of any depth and length
    except ValueError:
        said = "a number of more digits than Python writes"
    return WorkerError(f"the worker answers what is no answer to {asked!r}: {said}")
