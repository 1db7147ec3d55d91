"""What an implementation chooses: for each place in its program once, as compilers do.

A choice never depends on values or on steps: it follows from the place's name, and from
a seed alone.
"""

import zlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

Option = TypeVar("Option")

EVERYWHERE = "everywhere"
"""The place of what is chosen once for the whole program."""


class Choices:
    """Choices drawn from a seed.

    Args:
        seed: What they are drawn from.
        changed: Place → the seed of its choices instead.

    """

    def __init__(
        self, seed: int, changed: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.seed, self.changed = seed, dict(changed)
        self._made: dict[tuple[str, str], int] = {}

    @property
    def places(self) -> list[str]:
        """Return all places that were asked about so far."""
        return sorted({place for place, _ in self._made})

    def number(self, place: str, what: str) -> int:
        """Return a number for a place, the same one always."""
        key = place, what
        if key not in self._made:
            seed = self.changed.get(place, self.seed)
            first = zlib.crc32(f"{seed} {place} {what}".encode())
            # The last bits of a checksum alone follow its text too simply.
            self._made[key] = (first * 0x9E3779B97F4A7C15 >> 29) & 0x7FFFFFFF
        return self._made[key]

    def pick(self, place: str, what: str, options: Sequence[Option]) -> Option:
        """Return one of the options; the first is the plain one."""
        return options[self.number(place, what) % len(options)]

    def elsewhere(self, place: str, seed: int) -> "Choices":
        """Return the same choices but at one place."""
        return Choices(self.seed, {**self.changed, place: seed})


class Plain(Choices):
    """The plain choice everywhere: each result rounded, in the order written."""

    def __init__(self) -> None:
        super().__init__(0)

    def pick(self, place: str, what: str, options: Sequence[Option]) -> Option:
        """Return the first option."""
        super().number(place, what)
        return options[0]
