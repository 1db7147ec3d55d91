"""Signals that end this process in good order: Ctrl-C, SIGTERM, SIGHUP."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

NOTHING_KEPT = "nothing is kept of what was done; begin again"

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SIGNALLED = 128  # and the signal's number: a status as shells give it


class Ended(BaseException):
    """A signal asks this process to end; its text says which."""

    def __init__(self, number: int) -> None:
        interrupted = number == signal.SIGINT
        name = signal.Signals(number).name
        super().__init__("interrupted" if interrupted else f"ended by {name}")
        self.status = _SIGNALLED + number
        """What shells expect as exit status."""


class _Held(threading.local):
    """What `unbroken` keeps, of the main thread alone as signals are."""

    depth = 0
    waiting: "Callable[[], object] | None" = None


_held = _Held()


@contextmanager
def unbroken() -> Iterator[None]:
    """Let no signal come in the middle of this, but right after it."""
    _held.depth += 1
    try:
        yield
    finally:
        _held.depth -= 1
        if not _held.depth and (waiting := _held.waiting):
            _held.waiting = None
            waiting()


def heed(
    end: Callable[[int], object] | None = None, *, but: str = ""
) -> Callable[[], None]:
    """Raise `Ended` in the main thread at the first signal, or call `end` there.

    The second one ends this process at once, whatever it is at: its children end with
    it. What whoever started us has set to be ignored, as `nohup` does, stays so.

    Args:
        end: Called with the signal's number.
        but: Name of a signal that is left as it is.

    Returns:
        What lets signals do what they did before.

    """
    numbers = [getattr(signal, n) for n in _NAMES if hasattr(signal, n) and n != but]
    before = {n: signal.getsignal(n) for n in numbers}
    before = {n: did for n, did in before.items() if did is not signal.SIG_IGN}

    def ended(number: int, _: FrameType | None) -> object:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        if _held.depth:
            _held.waiting = lambda: (end or _raise)(number)
            return None
        return (end or _raise)(number)

    def restore() -> None:
        for number, did in before.items():
            signal.signal(number, did)

    for number in before:
        signal.signal(number, ended)
    return restore


def _raise(number: int) -> NoReturn:
    raise Ended(number)
