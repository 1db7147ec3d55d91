"""What goes wrong for reasons that a user can mend, said in one line."""

import difflib
from collections.abc import Iterable

_LONGEST_QUOTE = 200  # characters of a name of anyone's that are said again
_MOST_KNOWN = 24  # names that are listed
_MOST_TRIED = 10_000  # names among which the one that was meant is looked for


class ParityError(Exception):
    """A mistake in what was asked or in a file that was read; its text is for users."""


def clean(text: str) -> str:
    """Keep control characters out of a terminal, whoever wrote them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class UsageError(ParityError):
    """A name, a selection or an option that cannot be followed."""


class FileError(ParityError):
    """A file or folder that cannot be read, trusted or written."""


def unknown_name(kind: str, got: str, known: Iterable[str]) -> UsageError:
    """Say that `got` is no known `kind`, and what was probably meant."""
    names, got = [name[:_LONGEST_QUOTE] for name in known], got[:_LONGEST_QUOTE]
    close = difflib.get_close_matches(got, names[:_MOST_TRIED], n=3, cutoff=0.5)
    listed = ", ".join(names[:_MOST_KNOWN]) or "none"
    if len(names) > _MOST_KNOWN:
        listed += f" and {len(names) - _MOST_KNOWN} more"
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {listed}"
    return UsageError(f"unknown {kind} {got!r}; {hint}")
