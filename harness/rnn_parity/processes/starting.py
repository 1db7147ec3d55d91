"""How child processes are started: safe from files around, and never left behind.

None imports what lies in the current folder, which anyone may have sent. All end with
this process, however it ends: on Linux the kernel kills each child at once, even one
that hangs in C; what they started in turn, and everything on other systems, is ended by
a supervisor, a process that waits for nothing but our end.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import IO

from rnn_parity.processes.ending import unbroken
from rnn_parity.processes.guard import MARK, new_mark, new_marks, ours
from rnn_parity.processes.packages import roots

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""Environment in which no Python puts the current folder on its path."""

# PR_SET_PDEATHSIG, SIGKILL. Not by `preexec_fn`, which threads make unsafe.
DIES_WITH_PARENT = """import sys
if sys.platform == "linux":
    try:
        import ctypes
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    except (ImportError, AttributeError, OSError):
        pass
"""
"""What a child's program begins with."""

_SUPERVISOR = """import sys
sys.path.extend(sys.argv[2:])
from rnn_parity.processes.guard import supervise
supervise(sys.argv[1])
"""

Process = subprocess.Popen[bytes]

# The kernel goes by the thread that started a child: this one lives as long as we do.
_starter = ThreadPoolExecutor(1, "starts processes")
_supervisor: Process | None = None


def die_with_parent() -> None:
    """Let this process, which somebody else of ours started, end with that one."""
    exec(DIES_WITH_PARENT, {})  # noqa: S102 - ours


@contextmanager
def supervised() -> Iterator[None]:
    """Start children safely, whoever starts them here: a pool of processes, or Dask."""
    _starter.submit(_supervise).result()
    if os.name == "posix":
        # Python's own; it ends by itself, and need not warn of what it cleans up.
        with _environment({**SAFE_PATH, "PYTHONWARNINGS": "ignore"}):
            resource_tracker.ensure_running()
    with _environment({**SAFE_PATH, MARK: new_mark()}):
        yield


@contextmanager
def starting_pool() -> Iterator[None]:
    """Let processes that are started here import nothing of the current folder.

    And leave Ctrl-C to this one, from the first on: a terminal sends it to all. What a
    thread blocks stays blocked in what it starts.
    """
    with supervised(), _sigint_blocked(), unbroken():
        yield


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def python(interpreter: str, program: str, *arguments: str) -> list[str]:
    """Give the command line of a program in a Python of 3.11 or later."""
    command = [interpreter or sys.executable, "-P", "-u", "-c"]
    return [*command, DIES_WITH_PARENT + program, *arguments]


def start(
    command: Sequence[str],
    mark: str,
    environment: Mapping[str, str],
    printed: IO[bytes] | int,
) -> Process:
    """Start a child that is talked to through its stdin and stdout.

    It leads a session of its own: Ctrl-C is not for it, and it is killed with all that
    it started, by its group and by its mark.

    Args:
        command: The command line.
        mark: What it and all that it starts is known by.
        environment: Variables that it has beside ours.
        printed: Takes its stderr.

    Raises:
        OSError: It cannot be started.

    """
    environment = {**os.environ, **SAFE_PATH, **environment, MARK: mark}
    made = _starter.submit(_popen, command, environment, printed)
    try:
        return made.result()
    except BaseException:  # Ctrl-C, say: nobody knows of it then
        made.add_done_callback(_kill)
        raise


def _supervise() -> None:
    global _supervisor  # noqa: PLW0603 - there is one, once it is needed
    if not _supervisor:
        _supervisor = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-P", "-c", _SUPERVISOR, ours(), *roots()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Not known by the mark of who started us: whose supervisor would end it.
            env={name: of for name, of in os.environ.items() if name != MARK},
            start_new_session=True,
        )


def _popen(
    command: Sequence[str], environment: Mapping[str, str], printed: IO[bytes] | int
) -> Process:
    _supervise()
    return subprocess.Popen(  # noqa: S603 - ours, or the user names it
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=printed,
        env=environment,
        start_new_session=True,
    )


def _kill(made: Future[Process]) -> None:
    if not made.cancelled() and not made.exception():
        made.result().kill()


@atexit.register
def _dismiss() -> None:
    """End the supervisor: whoever comes here has ended what was started."""
    if _supervisor and _supervisor.stdin:
        _supervisor.kill()
        _supervisor.wait()
        _supervisor.stdin.close()


def _begin_anew() -> None:
    """Be known by another mark, and have no thread and no supervisor, in a fork."""
    global _starter, _supervisor  # noqa: PLW0603 - what a fork has of them is dead
    new_marks()
    _starter = ThreadPoolExecutor(1, "starts processes")
    if _supervisor and _supervisor.stdin:
        _supervisor.returncode = 0  # it is not ours to wait for
        _supervisor.stdin.close()
        _supervisor = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
