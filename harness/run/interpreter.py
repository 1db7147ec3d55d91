"""Another Python that a backend's worker runs under: which it is, what it lacks."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from harness.backend import BackendInfo
from harness.errors import UsageError, unknown_name

NEEDED = {
    "ml_dtypes": "ml_dtypes",
    "msgspec": "msgspec",
    "numpy": "numpy",
    "safetensors": "safetensors",
}
"""Import name → distribution, of what a worker imports besides the framework."""

LEAST = (3, 11)
_TIMEOUT = 60.0

# Written for any Python 3, so that one which is too old can say so.
_PROBE = """
import sys
from importlib.util import find_spec
sys.path[:] = [p for p in sys.path if p]
def there(name):
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
found = [name for name in sys.argv[1:] if not there(name)]
print(" ".join(["rnn-parity", *map(str, sys.version_info[:2]), *found]))
"""


def with_interpreters(
    infos: Iterable[BackendInfo], asked: Iterable[str]
) -> list[BackendInfo]:
    """Give backends the interpreters that are asked for: `jax#old=PATH` each.

    Raises:
        UsageError: None of the backends has that name, or PATH is no Python.

    """
    found = {info.name: info for info in infos}
    for words in asked:
        names = [name for name in found if words.startswith(f"{name}=")]
        if not names:
            name, equals, _ = words.rpartition("=")
            if not equals:
                raise UsageError(
                    f"--python {words} names no backend; for example: "
                    "--python 'jax#old=/venvs/old/bin/python'"
                )
            raise unknown_name("backend of --python", name, found)
        name = max(names, key=len)
        path = _executable(words.removeprefix(f"{name}="))
        found[name] = replace(found[name], interpreter=path)
    return list(found.values())


def _executable(path: str) -> str:
    """Give the absolute path of a Python, links kept: a venv is known by its own."""
    which = shutil.which(Path(path).expanduser()) if path else None
    if not which:
        raise UsageError(
            f"{path!r} is no program; give --python the interpreter of an environment, "
            "as in /venvs/old/bin/python"
        )
    absolute = os.path.abspath(which)  # noqa: PTH100 - `resolve` would follow links
    version, _ = _asked(absolute, ())
    if version < LEAST:
        raise UsageError(
            f"{path} is Python {'.'.join(map(str, version))}, expected "
            f"{'.'.join(map(str, LEAST))} or later; make the environment with that"
        )
    return absolute


def lacking(python: str, modules: Mapping[str, str]) -> list[str]:
    """Name the distributions that an interpreter lacks, of import name → distribution.

    Raises:
        UsageError: It is no Python.

    """
    _, missing = _asked(python, tuple(modules))
    return [modules[name] for name in missing]


def _asked(python: str, modules: tuple[str, ...]) -> tuple[tuple[int, ...], list[str]]:
    """Ask an interpreter for its version and which modules it does not find."""
    try:
        done = subprocess.run(  # noqa: S603 - it is the user who names it
            [python, "-c", _PROBE, *modules],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        words = done.stdout.split()
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired):
        words = []
    if words[:1] != ["rnn-parity"]:
        raise UsageError(
            f"{python} does not answer as Python does; give --python the interpreter "
            "of an environment, as in /venvs/old/bin/python"
        )
    return tuple(map(int, words[1:3])), words[3:]
