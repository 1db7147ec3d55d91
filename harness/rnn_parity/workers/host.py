"""Another machine that a backend's worker runs on: how ssh is called, what goes there.

There is Python 3.11 or later with the framework and what a worker imports; our packages
go over with each worker. Whom ssh believes, and as whom it logs in, is for the user's
own configuration.
"""

import inspect
import io
import os
import re
import sys
import zipfile
from functools import cache
from shlex import join, quote

from rnn_parity.processes.packages import FOR_WORKERS, PACKAGES, folder_of
from rnn_parity.workers import remote_supervisor
from rnn_parity_core import UsageError

# Runs in the fresh interpreter before anything of ours can be imported. The working
# directory leaves sys.path, where a folder named `torch` would hide the framework. In
# the folders that hold our packages these alone are found: where they are installed it
# is the main interpreter's site-packages, whose frameworks would hide this one's.
_BOOTSTRAP = """
import sys
from importlib.machinery import PathFinder
roots, packages = sys.argv[1:], {packages}
del sys.argv[1:]
sys.path[:] = [p for p in sys.path if p]
class Ours:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, roots) if name in packages else None
sys.meta_path.insert(0, Ours)
from {program} import serve
serve(channel)
"""

CONFIG = "RNN_PARITY_SSH_CONFIG"
"""Environment variable: a file that ssh reads in place of ~/.ssh/config."""

_HOST = re.compile(
    r"ssh:(?P<login>(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?"
    r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]))(?::(?P<port>[0-9]{1,5}))?"
)
_LAST_PORT = 65535
_LONGEST = 200  # characters of what a user wrote that are said again

LOST = 255
"""ssh's own exit status."""

# What is off or on whatever the user's configuration says: nobody is there to be asked
# for a password, a terminal would change bytes, and a shared connection that we started
# would end with our process, or outlive it. No worker needs an agent or a display.
_OPTIONS = (
    *("-T", "-a", "-x"),
    *("-o", "BatchMode=yes"),
    *("-o", "ControlMaster=no"),
    *("-o", "ConnectTimeout=15"),
    *("-o", "ServerAliveInterval=15"),
)

# Reads no byte too many, which the next reader would miss; runs in any Python 3.
_READ_PROGRAM = "exec(eval(open(0,'rb',0,closefd=False).readline()))"
# A file in the home directory must not hide a module of the standard library: of those
# that Python 3.13 imports for `-c` itself; and, where Python knows no such variable, of
# those that the program does. Login shells differ, and every one starts `sh`.
_SAFELY = """sh -c 'export PYTHONSAFEPATH=1; exec "$@"' sh"""
_FIRST = "import sys; sys.path[:] = [p for p in sys.path if p]\n"


def bootstrap(program: str) -> str:
    """Give what lets a module of ours answer through execnet's `channel`."""
    return _BOOTSTRAP.format(packages=PACKAGES, program=program)


def check_host(words: str) -> str:
    """Give `ssh:[USER@]HOST[:PORT]` as it is, fit to be an argument of ssh.

    Raises:
        UsageError: It is none.

    """
    _parts(words)
    return words


def _parts(words: str) -> tuple[list[str], str]:
    """Give ssh's options that the user asked for, and whom it logs in as, where."""
    found = _HOST.fullmatch(words)
    if not found or not 0 < int(found["port"] or 1) <= _LAST_PORT:
        raise UsageError(
            f"{words[:_LONGEST]!r} is no host, expected ssh:[USER@]HOST[:PORT] of "
            "letters, digits, '.', '_' and '-', as in ssh:me@gpu-box:2222"
        )
    port = ["-p", found["port"]] if found["port"] else []
    config = ["-F", os.environ[CONFIG]] if os.environ.get(CONFIG) else []
    return [*config, *port], re.sub(r"[\[\]]", "", found["login"])


def python_command(python: str, host: str) -> list[str]:
    """Give the command line of a Python that reads a program: here if `host` is none.

    No python is this one, or `python3` on a host.
    """
    if not host:
        return [python or sys.executable, "-u", "-c", _READ_PROGRAM]
    options, login = _parts(host)
    far = f'{_SAFELY} {_far_python(python)} -u -c "{_READ_PROGRAM}"'
    return ["ssh", *options, *_OPTIONS, "--", login, far]


def _far_python(python: str) -> str:
    """Quote a path for the shell there, which starts in the home directory."""
    return quote((python or "python3").removeprefix("~/"))


def typed_command(python: str, host: str, words: str = "") -> str:
    """Give what a user types to run a Python, with `words` after it."""
    if not host:
        return f"{quote(python)} {words}".strip()
    options, login = _parts(host)
    return join(["ssh", *options, login, f"{_far_python(python)} {words}".strip()])


def as_program(source: str) -> bytes:
    """Write a program as `python_command` reads it."""
    return repr(_FIRST + source).encode() + b"\n"


def keeper_program(program: str, grace: float) -> bytes:
    """Give what starts a worker's Python on another machine, our packages with it.

    Args:
        program: What the worker's Python runs.
        grace: Seconds it has to end by itself once the connection is gone.

    """
    packed = _packed()
    start = f"\nsys.exit(keep({len(packed)}, {program!r}, {grace}))"
    return as_program(inspect.getsource(remote_supervisor) + start) + packed


@cache
def _packed() -> bytes:
    """Zip the sources of what a worker imports of ours."""
    packed = io.BytesIO()
    with zipfile.ZipFile(
        packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False
    ) as archive:
        for folder in map(folder_of, FOR_WORKERS):
            for path in sorted(folder.rglob("*.py")):
                archive.write(path, path.relative_to(folder.parent))
    return packed.getvalue()
