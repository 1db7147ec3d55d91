"""Readers with one thing wrong each, to see that it is caught."""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fuzz.reader import Reader
from rnn_parity_core import FileError

_VALID = b"valid 1"


def _planted(harm: Callable[[Path], object]) -> Reader:
    """Do harm at every mutated file, and at no valid one."""

    def read(data: bytes, folder: Path) -> object:
        return data == _VALID or harm(folder)

    return Reader(lambda: [_VALID], read)


def _key_error(_: Path) -> None:
    raise KeyError("name")


def _recursion(_: Path) -> None:
    _recursion(_)


def _computes(_: Path) -> None:
    while True:
        pass


def _waits(_: Path) -> None:
    time.sleep(1000)


def _allocates(_: Path) -> int:
    return len(bytearray(2**32))


def _fills(_: Path) -> int:
    return sum(bytearray(b"\1" * (2**28 + 2**26))[:1])


def _writes(folder: Path) -> None:
    (folder / "../escaped").write_bytes(b"")


def _writes_unheard(folder: Path) -> None:
    """Write as a library in C does, of which Python hears nothing."""
    libc = ctypes.CDLL(None)
    handle = libc.open(str(folder.parent / "escaped").encode(), 0o101, 0o600)
    libc.close(handle)


def _reads(_: Path) -> bytes:
    return Path("/etc/passwd").read_bytes()


def _starts(_: Path) -> None:
    subprocess.run([sys.executable, "-c", ""], check=False)


def _dies(_: Path) -> None:
    os.abort()


def _refuses(_: Path) -> None:
    raise FileError("it is no such file")


KEY_ERROR = _planted(_key_error)
RECURSION = _planted(_recursion)
COMPUTES = _planted(_computes)
WAITS = _planted(_waits)
ALLOCATES = _planted(_allocates)
FILLS = _planted(_fills)
WRITES = _planted(_writes)
WRITES_UNHEARD = _planted(_writes_unheard)
READS = _planted(_reads)
STARTS = _planted(_starts)
DIES = _planted(_dies)
HEALTHY = _planted(_refuses)
