"""Logs of workers, which may print without end: their begin and end are kept."""

import os
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 2**26
"""Of a log; once it has more, what is in the middle is dropped."""
TAIL = 2**16
"""Bytes at a log's end that hold a worker's last words."""

_TRIES = 100  # of somebody who prints all the while, some of that is dropped
_DROPPED = b"\n[rnn-parity: the log grew too long, and what stood here was dropped]\n"


def shorten(log: Path, most: int = MAX_BYTES) -> None:
    """Drop the middle of a log that is too long, be it while somebody adds to it.

    Who does has opened it to append, so that what comes next follows what is left.

    Args:
        log: The file.
        most: Bytes that it may have; the first half of so many stays as it is.

    """
    with suppress(OSError):
        file = os.open(log, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if os.lseek(file, 0, os.SEEK_END) > most:
                _cut(file, most // 2)
        finally:
            os.close(file)


def _cut(file: int, at: int) -> None:
    """Put the end where the middle begins; again, if more has come to it meanwhile."""
    for _ in range(_TRIES):
        end = os.lseek(file, 0, os.SEEK_END)
        last = _DROPPED + os.pread(file, TAIL, end - TAIL)
        os.pwrite(file, last, at)
        if os.lseek(file, 0, os.SEEK_END) == end:
            break
    os.ftruncate(file, at + len(last))
