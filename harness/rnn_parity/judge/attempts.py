"""Explanations are tried: what one of them raises is said, and ends no judgement."""

from collections.abc import Callable, Iterator
from typing import TypeVar

_T = TypeVar("_T")
_MOST = 3  # that are said
_MOST_CHARACTERS = 200  # of each


class Attempts:
    """What came in the way of explanations of one outcome.

    Args:
        raises: Whether to raise it at once, for those who look for mistakes in these.

    """

    def __init__(self, *, raises: bool = False) -> None:
        self._raises = raises
        self._troubles: dict[str, None] = {}

    @property
    def words(self) -> list[str]:
        """Say what came in the way, in a line; nothing if nothing did."""
        if not self._troubles:
            return []
        first = "; ".join([*self._troubles][:_MOST])
        more = len(self._troubles) - _MOST
        others = f" and {more} more" if more > 0 else ""
        said = "the result stands, but explanations of it could not be tried, a bug of "
        return [f"{said}rnn-parity, please report it: {first}{others}"]

    def call(self, what: str, function: Callable[[], _T], otherwise: _T) -> _T:
        """Call a function; where it raises, give `otherwise`."""
        try:
            return function()
        except Exception as error:  # noqa: BLE001 - whatever it is, the verdict stands
            self._note(what, error)
            return otherwise

    def each(self, what: str, give: Callable[[], Iterator[_T]]) -> Iterator[_T]:
        """Give what a generator gives, as far as it comes."""
        try:
            yield from give()
        except Exception as error:  # noqa: BLE001 - whatever it is, the verdict stands
            self._note(what, error)

    def _note(self, what: str, error: Exception) -> None:
        if self._raises:
            raise error
        said = " ".join(f"{what}: {type(error).__name__}: {error}".split())
        self._troubles.setdefault(said[:_MOST_CHARACTERS])
