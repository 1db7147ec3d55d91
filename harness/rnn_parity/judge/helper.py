"""How processes that judge are started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from rnn_parity.processes.ending import unbroken
from rnn_parity.processes.starting import supervised


@contextmanager
def starting() -> Iterator[None]:
    """Let processes that are started here import nothing of the current folder.

    And leave Ctrl-C to this one, from the first on: a terminal sends it to all. What a
    thread blocks stays blocked in what it starts.
    """
    with supervised(), _deaf(), unbroken():
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
