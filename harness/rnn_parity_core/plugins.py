"""What other distributions register: an entry point is a name and an object of ours."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, TypeVar

from rnn_parity_core.errors import ParityError

Kind = TypeVar("Kind")


def registered(group: str, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
    """Give what is registered under a group, each with the words for where it is from.

    Args:
        group: `rnn_parity.backends`, `rnn_parity.cells`, `rnn_parity.reports` or
            `rnn_parity.models`.
        kind: What an entry point must lead to.

    Raises:
        ParityError: One cannot be loaded, or leads to something else.

    """
    for point in entry_points(group=group):
        origin = f"entry point {point.name} = {point.value!r}"
        try:
            found: Any = point.load()
        except Exception as error:
            raise ParityError(
                f"{origin} cannot be loaded: {type(error).__name__}: {error}; "
                "mend or uninstall that package"
            ) from error
        if not isinstance(found, kind):
            raise ParityError(
                f"{origin} is a {type(found).__name__}, expected a {kind.__name__}"
            )
        yield origin, found
