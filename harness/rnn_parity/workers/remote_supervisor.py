"""Beside a worker on another machine: starts it, and ends it with the connection.

The source of this module goes there as text: it imports the standard library alone.
"""

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

_SIGNALLED = 128  # and the signal's number: a status as shells give it


def keep(size: int, program: str, grace: float) -> int:
    """Read `size` bytes of zipped packages, and run a worker that finds them.

    Nothing is left at its end: no process that it started, and no file. The status is
    the worker's, or 128 and the number of the signal that killed it.
    """
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(_SIGNALLED + number))
    with tempfile.TemporaryDirectory(
        prefix="rnn-parity-", ignore_cleanup_errors=True
    ) as folder:
        with zipfile.ZipFile(io.BytesIO(_read(size))) as packages:
            packages.extractall(folder)
        command = [sys.executable, "-P", "-u", "-c", program, folder]
        worker = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - ours
        watch = threading.Thread(target=_watch, args=(worker, grace), daemon=True)
        watch.start()
        try:
            status = worker.wait()
        finally:
            _end(worker)
    return status if status >= 0 else _SIGNALLED - status


def _read(size: int) -> bytes:
    """Read from where the worker reads later, and not a byte too many."""
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            sys.exit("the connection ended before all packages were here")
        data += part
    return data


def _watch(worker: subprocess.Popen[bytes], grace: float) -> None:
    """End a worker that outlives the connection, whatever it hangs in."""
    connection = select.poll()
    connection.register(0, getattr(select, "POLLRDHUP", 0))  # never: that data is there
    connection.poll()
    time.sleep(grace)
    _end(worker)


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Kill what there is of a worker and of the processes it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
