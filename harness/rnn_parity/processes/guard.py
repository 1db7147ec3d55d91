"""What a process may take, in time and memory, and how all that it started is ended."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path

import psutil

from rnn_parity.processes.logs import shorten
from rnn_parity_core import UsageError

MARK = "RNN_PARITY_WORKER"
"""Environment variable that a child and whatever it starts are known by."""

HUNG = "hung"
"""What the reason begins with of what took too long."""

_INTERVAL = 0.1  # seconds between two looks at a process
_MOMENT = 0.01  # seconds between two looks at one that is about to end
_TIMES = 5  # that what is left is looked for: it may start more meanwhile

_UNITS = {unit: int(1024**power) for power, unit in enumerate("KMGT", 1)}
_MEMORY = re.compile(r"([1-9]\d{0,5})([KMGT])")


def read_memory(words: str) -> int:
    """Give the bytes of `512M` or `4G`, counted by 1024; 0 where nothing is said.

    Raises:
        UsageError: It is no such number.

    """
    if not words:
        return 0
    found = _MEMORY.fullmatch(words)
    if not found:
        raise UsageError(
            f"memory of {words[:20]!r} is none; give a whole number and K, M, G or T, "
            "as in 4G"
        )
    return int(found[1]) * _UNITS[found[2]]


def _in_words(size: int) -> str:
    unit, factor = max((u for u in _UNITS.items() if u[1] <= size), key=lambda u: u[1])
    return f"{size / factor:g} {unit}iB"


def new_marks() -> None:
    """Begin the marks of this process with what no other's begin with."""
    global _ours  # noqa: PLW0603 - a fork is another process
    _ours = uuid.uuid4().hex


def ours() -> str:
    """Give what the marks of all children of this process begin with."""
    return _ours


def new_mark() -> str:
    """Give what one child is known by, and no other."""
    return f"{_ours}.{uuid.uuid4().hex}"


_ours = uuid.uuid4().hex


def supervise(marks: str) -> None:
    """Wait for the end of who started this process, and kill what it leaves behind.

    Args:
        marks: What the marks of its children begin with.

    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    _kill_all(marks)


def kill_process_tree(process: subprocess.Popen[bytes], mark: str) -> None:
    """Kill a leader of its own session, and all that it started: its group first.

    What has left the group still has the environment that it was started with. A leader
    that was waited for has no group: its number may be another's by now.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    _kill_all(mark)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has ended; it is not waited for: its number stays its own."""
    if process.returncode is not None:
        return True
    try:
        return bool(psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Give a process so many seconds to end, as `has_ended` sees it."""
    deadline = time.monotonic() + seconds
    while not (ended := has_ended(process)) and time.monotonic() < deadline:
        time.sleep(_MOMENT)
    return ended


def _kill_all(mark: str) -> None:
    for _ in range(_TIMES):
        if not _kill_marked(mark):
            return


def _kill_marked(mark: str) -> int:
    """Kill processes whose mark begins so, and count them."""
    killed = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK, "").startswith(mark):
                process.kill()
                killed += 1
    return killed


def resident(pid: int) -> int:
    """Bytes of memory that a process and what it started hold, shared ones twice."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += each.memory_info().rss
    return total


class Guard:
    """Ends a process that takes too long or too much; use as a context manager.

    What it prints, into a file, is kept within bounds.

    A process that died is buried too: what it started may hold its pipes open, and
    whoever reads them would wait for ever.

    Args:
        process: The leader of its own session.
        mark: What it is known by.
        seconds: Time that it may take, from here on.
        memory: Bytes that it may hold; 0: any number.
        log: What it prints to, opened to append.

    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        mark: str,
        seconds: float,
        memory: int,
        log: Path = Path(os.devnull),
    ) -> None:
        self._process = process
        self._log = log
        self._mark = mark
        self._seconds = seconds
        self._memory = memory
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.reason = ""
        """Why it was killed."""
        self.ended = threading.Event()
        """Set once the process is dead and buried."""

    def __enter__(self) -> "Guard":
        self._deadline = time.monotonic() + self._seconds
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()
        shorten(self._log)
        if not self.ended.is_set():  # what is quick to take and to answer is seen here
            self._look_at_memory()

    def _watch(self) -> None:
        while not self._over.wait(
            max(0.0, min(_INTERVAL, self._deadline - time.monotonic()))
        ):
            self._look()
            if self.ended.is_set():
                return

    def _look(self) -> None:
        shorten(self._log)
        if time.monotonic() >= self._deadline:
            self._end(f"{HUNG}: no answer within {self._seconds:g} s; killed")
        elif has_ended(self._process):
            self._end("")
        else:
            self._look_at_memory()

    def _look_at_memory(self) -> None:
        if self._memory and resident(self._process.pid) > self._memory:
            self._end(f"used more than {_in_words(self._memory)}; killed")

    def _end(self, reason: str) -> None:
        self.reason = reason
        kill_process_tree(self._process, self._mark)
        self.ended.set()
