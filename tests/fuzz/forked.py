"""What may end its process is done in a fork."""

import os
import select
import signal
from collections.abc import Callable

SECONDS = 20.0
"""That a fork may take, where it waits; what computes is ended by its own timer."""


def in_fork(work: Callable[[], str]) -> tuple[str, str]:
    """Give what work gives: ("", that), or ("crashed" or "hung", how) if it died."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _work(work, reading, writing)
    os.close(writing)
    hung = not select.select([reading], [], [], SECONDS)[0]
    if hung:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if hung or code == -signal.SIGPROF:
        return "hung", f"no end within {SECONDS:g} s" if hung else "it computes on"
    if code:
        name = signal.Signals(-code).name if code < 0 else f"status {code}"
        return "crashed", name
    return "", said.decode()


def _work(work: Callable[[], str], reading: int, writing: int) -> None:
    """Do it, say what it gives, and end at once; its timer ends C, too."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    os.close(reading)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the heap's checks would print
    code = 1
    try:
        os.write(writing, work().encode(errors="replace"))
        code = 0
    finally:
        os._exit(code)
