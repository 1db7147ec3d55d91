"""A repository's defaults: `[tool.rnn-parity]` in the nearest pyproject.toml.

It names no program to run, as anyone may have sent the folder that it lies in: no
`python` and no `host`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnn_parity_core import FileError, UsageError, unknown_name
from rnn_parity_core.files import read_bytes

FOR_ALL = (
    *("backends", "cases", "dtypes", "variants", "jobs", "timeout", "memory"),
    *("strict", "require-bound"),
)
"""What the table may say for every command that has such an option."""
FOR_ONE = (*FOR_ALL, "out", "format")
"""What a table of a command may say, as `[tool.rnn-parity.verify]`."""

_MAX_BYTES = 2**20


def defaults(commands: Mapping[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Return what a repository sets: command → parameter → value, as click takes it.

    Args:
        commands: All of them, by name.
        folder: Where to look first; then in those around it.

    Raises:
        UsageError: A table names what is no option, or a value is of no use.
        FileError: The file cannot be read.

    """
    path, table = _table(folder)
    own = {name: of for name, of in table.items() if isinstance(of, dict)}
    general = {name: of for name, of in table.items() if name not in own}
    for name in own:
        if name not in commands:
            raise unknown_name(f"command in {path}", name, commands)
    _check(general, FOR_ALL, f"{path}, [tool.rnn-parity]")
    found: dict[str, dict[str, Any]] = {}
    for name, command in commands.items():
        mine = own.get(name, {})
        place = f"{path}, [tool.rnn-parity.{name}]"
        known = {parameter.name or "" for parameter in command.params}
        having = tuple(n for n in FOR_ONE if _parameter(n) in known)
        _check(mine, having, place)
        both = {n: v for n, v in general.items() if n in having} | mine
        found[name] = {_parameter(n): _value(n, v, path) for n, v in both.items()}
    return found


def _table(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Give the nearest pyproject.toml that has a table of ours, and that."""
    for place in (folder, *folder.parents):
        path = place / "pyproject.toml"
        if not path.is_file():
            continue
        try:
            document = tomllib.loads(read_bytes(path, _MAX_BYTES).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FileError(f"cannot read {path}: {error}") from None
        tools = document.get("tool", {})
        table = tools.get("rnn-parity") if isinstance(tools, dict) else None
        if isinstance(table, dict):
            return path, table
    return Path(), {}


def _check(table: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for name in table:
        if name in {"python", "host"}:
            raise UsageError(
                f"{place} names {name}, and no program is run because a folder names "
                f"it: give --{name} on the command line"
            )
        if name not in known:
            raise unknown_name(f"option in {place}", name, known)


def _parameter(name: str) -> str:
    return {"require-bound": "require_bound", "format": "form"}.get(name, name)


def _value(name: str, value: Any, path: Path) -> Any:
    """Give a value as the command line would have it: lists have commas there."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    if isinstance(value, str | int | float):
        return value
    raise UsageError(
        f"{path}: {name} is {type(value).__name__}, expected text, a number, true or "
        "false, or a list of names"
    )
