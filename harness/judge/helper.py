"""What a process that judges does before it judges anything."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.judge.memory import keep_memory
from harness.processes.starting import safe_path


@contextmanager
def starting() -> Iterator[None]:
    """Let processes that are started here import nothing of the current folder.

    And leave Ctrl-C to this one, from the first on: a terminal sends it to all. What a
    thread blocks stays blocked in what it starts.
    """
    with safe_path(), _deaf():
        yield


@contextmanager
def _deaf() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve() -> None:
    """Keep memory, and end with the main process.

    One that is killed tells nobody, and whoever waits for more to judge waits for ever.
    """
    keep_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
