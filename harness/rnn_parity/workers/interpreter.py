"""Another Python that a backend's worker runs under: which it is, what it lacks.

It may be on another machine.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from rnn_parity.processes.starting import SAFE_PATH
from rnn_parity.workers.host import (
    LOST,
    as_program,
    check_host,
    python_command,
    typed_command,
)
from rnn_parity_core import BackendInfo, UsageError, clean, unknown_name

NEEDED = {
    "ml_dtypes": "ml_dtypes",
    "msgspec": "msgspec",
    "numpy": "numpy",
    "safetensors": "safetensors",
}
"""Import name → distribution, of what a worker imports besides the framework."""

LEAST = (3, 11)
_TIMEOUT = 60.0
_LONGEST = 300  # characters of what ssh says

_ANSWER = re.compile(r"\s*rnn-parity ([0-9]{1,3}) ([0-9]{1,3})\b(.*)", re.DOTALL)

# Written for any Python 3, so that one which is too old can say so.
_PROBE = """import sys
from importlib.util import find_spec
def there(name):
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
found = [name for name in names if not there(name)]
print(" ".join(["rnn-parity", *map(str, sys.version_info[:2]), *found]))
"""


def with_interpreters(
    infos: Iterable[BackendInfo], asked: Iterable[str], hosts: Iterable[str] = ()
) -> list[BackendInfo]:
    """Give backends the interpreters and hosts that are asked for.

    Args:
        infos: The backends.
        asked: `jax#old=PATH` each; of a backend with a host, a path there.
        hosts: `jax=ssh:[USER@]HOST[:PORT]` each.

    Raises:
        UsageError: None of the backends has that name, or PATH is no Python, or HOST
            cannot be logged in to.

    """
    found = {info.name: info for info in infos}
    for name, host in _by_name(found, "host", hosts, "jax=ssh:me@gpu-box"):
        found[name] = replace(found[name], host=check_host(host))
    for name, path in _by_name(found, "python", asked, "jax#old=/venvs/old/bin/python"):
        far = found[name].host
        python = _path_there(path) if far else _executable(path)
        found[name] = replace(found[name], interpreter=python)
    for info in found.values():
        if info.host or info.interpreter:
            lacking(info.interpreter, info.host, {})  # it is a Python, and there
    return list(found.values())


def _by_name(
    names: Iterable[str], option: str, asked: Iterable[str], example: str
) -> Iterator[tuple[str, str]]:
    """Give the names of backends and what an option gives each of them."""
    for words in asked:
        fitting = [name for name in names if words.startswith(f"{name}=")]
        if not fitting:
            name, equals, _ = words.rpartition("=")
            if not equals:
                raise UsageError(
                    f"--{option} {words} names no backend; for example: "
                    f"--{option} '{example}'"
                )
            raise unknown_name(f"backend of --{option}", name, names)
        name = max(fitting, key=len)
        yield name, words.removeprefix(f"{name}=")


def _path_there(path: str) -> str:
    """Give the path of a Python on another machine, which is asked later."""
    if path and path.isprintable():
        return path
    raise UsageError(
        f"{path!r} is no path; give --python the interpreter of an environment there, "
        "as in /venvs/old/bin/python"
    )


def _executable(path: str) -> str:
    """Give the absolute path of a Python, links kept: a venv is known by its own."""
    which = shutil.which(Path(path).expanduser()) if path else None
    if not which:
        raise UsageError(
            f"{path!r} is no program; give --python the interpreter of an environment, "
            "as in /venvs/old/bin/python"
        )
    return os.path.abspath(which)  # noqa: PTH100 - `resolve` would follow links


def lacking(python: str, host: str, modules: Mapping[str, str]) -> list[str]:
    """Name the distributions that an interpreter lacks, of import name → distribution.

    Raises:
        UsageError: It is no Python, too old a one, or cannot be reached.

    """
    version, missing = _asked(python, host, tuple(modules))
    if version < LEAST:
        raise UsageError(
            f"{typed_command(python, host)} is Python {'.'.join(map(str, version))}, "
            f"expected {'.'.join(map(str, LEAST))} or later; give --python one of an "
            "environment made with that"
        )
    return [distribution for name, distribution in modules.items() if name in missing]


def _asked(
    python: str, host: str, modules: tuple[str, ...]
) -> tuple[tuple[int, ...], list[str]]:
    """Ask an interpreter for its version and which modules it does not find."""
    try:
        done = subprocess.run(  # noqa: S603 - it is the user who names it
            python_command(python, host),
            input=as_program(f"names = {modules}\n{_PROBE}"),
            capture_output=True,
            env={**os.environ, **SAFE_PATH},
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"{host or python} gave no answer within {_TIMEOUT:g} s; see what this "
            f"does: {typed_command(python, host, '--version')}"
        ) from None
    except OSError as error:
        program = "ssh" if host else python
        raise UsageError(f"cannot start {program}: {error.strerror}") from None
    said = done.stdout.decode(errors="replace")
    if found := _ANSWER.fullmatch(said):
        return (int(found[1]), int(found[2])), found[3].split()
    raise UsageError(_no_answer(python, host, done))


def _no_answer(python: str, host: str, done: subprocess.CompletedProcess[bytes]) -> str:
    """Say why an interpreter did not answer as ours do."""
    if not host:
        return (
            f"{python} does not answer as Python does; give --python the interpreter "
            "of an environment, as in /venvs/old/bin/python"
        )
    said = (done.stderr if done.returncode else done.stdout).decode(errors="replace")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = clean(lines[-1][:_LONGEST]) if lines else "nothing"
    if done.returncode == LOST:
        return (
            f"cannot log in to {host}: ssh says {last!r}; this must work without a "
            f"question: {typed_command(python, host, '--version')}"
        )
    return (
        f"no Python answers on {host}, which says {last!r}; give --python the "
        "interpreter there, and let its shell print nothing at login"
    )
