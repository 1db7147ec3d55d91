"""What a layer takes of its file, what it leaves to others, and what nobody knows.

A layer's scope is the module that holds its weights: whatever else is in there may take
part in its step. `account` says of every name of a file which of the three it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from rnn_parity_core import Array

_LONGEST = 240  # characters of names that a line has, or of one name
_GROUPS = 4  # names that a line has, before it names modules


class Account(NamedTuple):
    """Every name of a file, as one layer sees it."""

    read: tuple[str, ...] = ()
    unread: Mapping[str, str] = {}
    """Tensors and settings in its scope that are not understood, and what they are."""
    beside: tuple[str, ...] = ()
    """Of other layers."""
    separator: str = "."


def account(
    arrays: Mapping[str, Array],
    read: Collection[str],
    scopes: Sequence[str],
    separator: str,
    *,
    suspects: Collection[str] = (),
    aside: Collection[str] = (),
) -> Account:
    """Tell what is read of a file from what is not.

    Args:
        arrays: All of the file.
        read: Names of those that are read.
        scopes: Beginnings of names that are the layer's own.
        separator: What stands between the parts of a name.
        suspects: Names outside of its scope that may take part nevertheless.
        aside: Names that are known, and take no part.

    """
    known = {*read, *aside}
    others = [name for name in arrays if name not in known]
    own = tuple(scopes)
    inside = {name for name in others if name.startswith(own) or name in suspects}
    return Account(
        tuple(read),
        {name: str([*arrays[name].shape]) for name in others if name in inside},
        tuple(name for name in others if name not in inside),
        separator,
    )


def vectors(
    arrays: Mapping[str, Array],
    parent: str,
    own: Sequence[str],
    sizes: Collection[int],
    separator: str,
) -> set[str]:
    """Give what stands beside a cell and may normalize in its step: vectors alone.

    A cell is called step by step by the module around it, which may do more in each
    step. A module of vectors as long as the state or the gates normalizes, or may; one
    with a matrix, if of one row, is a layer of its own.

    Args:
        arrays: All of the file.
        parent: Beginning of names in the module around the cell.
        own: Beginnings of names in the cell.
        sizes: How long the state and the gates are.
        separator: What stands between the parts of a name.

    """
    groups: dict[str, list[str]] = {}
    for name in arrays:
        if name.startswith(parent) and not name.startswith(tuple(own)):
            child = name[len(parent) :].partition(separator)[0]
            groups.setdefault(child, []).append(name)
    return {
        name
        for names in groups.values()
        if all(arrays[name].ndim <= 1 for name in names)
        and any(arrays[n].size in sizes for n in names)
        for name in names
    }


def merged(accounts: Sequence[Account]) -> Account:
    """Give the account of a stack's layers together."""
    read = [name for one in accounts for name in one.read]
    unread = {name: said for one in accounts for name, said in one.unread.items()}
    known = {*read, *unread}
    beside = dict.fromkeys(name for one in accounts for name in one.beside)
    left = tuple(name for name in beside if name not in known)
    return Account(tuple(read), unread, left, accounts[0].separator)


def listed(names: Iterable[str]) -> str:
    """List names, the first of them if they are many or long."""
    waiting = [name[:_LONGEST] for name in names]
    shown = waiting[:1]
    for name in waiting[1:]:
        if sum(map(len, shown)) + len(name) > _LONGEST:
            break
        shown.append(name)
    more = len(waiting) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def in_lines(found: Account) -> tuple[str, ...]:
    """Say in a line each what is read, and what is of other layers."""
    lines, sep = [], found.separator
    place = _common([name.split(sep)[:-1] for name in found.read])
    if found.read:
        shown = [*found.read]
        if len(shown) > _GROUPS:
            shown = [sep.join([*place, "*"])] if place else [shown[0], "…", shown[-1]]
        lines.append(f"read: {_tensors(found.read)}, {listed(shown)}")
    if found.beside:
        groups = dict.fromkeys(_module(name, place, sep) for name in found.beside)
        said = listed([*groups][:_GROUPS]) + (", …" if len(groups) > _GROUPS else "")
        lines.append(
            f"not part of it: {_tensors(found.beside)} of other layers, {said}"
        )
    return tuple(lines)


def _tensors(names: Sequence[str]) -> str:
    return f"{len(names)} tensor{'' if len(names) == 1 else 's'}"


def _module(name: str, place: Sequence[str], separator: str) -> str:
    """Name the module that a tensor is in, as far as its way is not that to `place`."""
    parts = name.split(separator)
    shared = len(_common([parts, place]))
    head = separator.join(parts[: shared + 1])
    return head + (f"{separator}*" if shared + 1 < len(parts) else "")


def _common(paths: Sequence[Sequence[str]]) -> list[str]:
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return shared
