"""Standard streams that may be closed, full, broken off, or of another encoding."""

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

from rnn_parity_core import FileError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OUT, _ERR = 1, 2


class _Stream(io.FileIO):
    """A stream that fails once, in our words, and takes everything afterwards.

    Standard error does not even fail: nobody is left to be told.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self._lost = False

    def write(self, data: "ReadableBuffer") -> int:
        """Write what there is room for.

        Raises:
            FileError: It cannot be written to standard output.

        """
        size = memoryview(data).nbytes
        if self._lost:
            return size
        try:
            while (written := super().write(data)) is None:
                select.select([], [self], [])  # of those that do not wait
        except OSError as error:
            self._lost = True
            if self.fileno() == _OUT:
                said = f"cannot write to standard output: {error.strerror}"
                raise FileError(said) from None
            return size
        return written


def take_streams() -> None:
    """Put streams of ours in place of Python's, unless somebody else has done so.

    Of one that is closed the number is taken: else the next file that is opened has it,
    and what a library prints goes there.
    """
    for number, mode in ((0, os.O_RDONLY), (_OUT, os.O_RDONLY), (_ERR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)  # what cannot be written to, for 1
            os.dup2(opened, number)
            if opened == number:
                os.set_inheritable(number, True)
            else:
                os.close(opened)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(_OUT, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_ERR, sys.stderr)


def _text(number: int, before: TextIO | None) -> io.TextIOWrapper:
    """Give a stream in the encoding that it had; what that lacks is spelled out."""
    binary = io.BufferedWriter(_Stream(number))
    return io.TextIOWrapper(
        binary,
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=number == _ERR or binary.isatty(),
    )
