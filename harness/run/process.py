"""A worker process as seen from the main process: start it, ask it, bury it."""

import re
import signal
from pathlib import Path
from shlex import quote
from typing import Any

import execnet
import msgspec

import harness
from harness.arrays import pack
from harness.backend import Absent, BackendInfo, Unsupported
from harness.graph import Graph
from harness.results import BackendRecord
from harness.run.worker import BOOTSTRAP, PACKAGES
from harness.spec import Problem

START_TIMEOUT = 300.0
"""Seconds that importing a framework may take; the first import after an installation
was seen to take 20."""

_GRACE = 2.0  # seconds a worker has to end by itself
_LOG_LINES = 3


class WorkerError(Exception):
    """A worker died or hung; the text says how."""


def _spec(interpreter: str) -> str:
    """Say to execnet what to start; two slashes would end the path."""
    if not interpreter:
        return "popen"
    return f"popen//python={quote(re.sub('/+', '/', interpreter))}"


class Worker:
    """One worker process; to be closed.

    Args:
        log: File that takes everything the process prints.
        interpreter: Absolute path of another Python; nothing stands for this one.

    """

    def __init__(self, log: Path, interpreter: str = "") -> None:
        self._log = log
        self._group = execnet.Group()
        self._gateway: Any = self._group.makegateway(_spec(interpreter))
        self._channel: Any = self._gateway.remote_exec(BOOTSTRAP)
        root = str(Path(harness.__file__).parents[1])
        self._channel.send((root, PACKAGES, str(log.absolute())))

    def kill(self) -> None:
        """End the process at once; whoever waits for its answer hears of its death."""
        self._gateway._io.kill()  # noqa: SLF001 - execnet has no other way

    def close(self) -> None:
        """End the process, by force if it does not end by itself."""
        self._group.terminate(timeout=_GRACE)

    def load(self, info: BackendInfo) -> BackendRecord:
        """Import a backend's framework and construct its adapter.

        Raises:
            Absent: What it runs on is not here.
            WorkerError: It could not be, or the process died of it.

        """
        answer = self._ask(START_TIMEOUT, "load", msgspec.json.encode(info))
        if answer[0] == "absent":
            raise Absent(str(answer[1]))
        if answer[0] != "loaded":
            raise WorkerError(str(answer[1]))
        try:
            return msgspec.json.decode(answer[1], type=BackendRecord)
        except msgspec.DecodeError as error:
            raise WorkerError(f"what it says of itself is broken: {error}") from None

    def run(self, backend: str, problem: Problem, timeout: float) -> tuple[Any, ...]:
        """Compute a problem: `("outcome", bytes, seconds)`, or why there is none.

        Raises:
            WorkerError: The process died or took longer than `timeout` seconds.

        """
        return self._ask(timeout, "run", backend, *_parts(problem))

    def graph(self, backend: str, problem: Problem, timeout: float) -> Graph:
        """Give the graph of what a backend runs for a problem.

        Raises:
            Unsupported: It has none; the text is the reason.
            WorkerError: The adapter raised, what it gave is no graph, or the process
                died or took longer than `timeout` seconds.

        """
        kind, found = self._ask(timeout, "graph", backend, *_parts(problem))
        if kind == "unsupported":
            raise Unsupported(str(found))
        if kind != "graph":
            raise WorkerError(str(found))
        try:
            return msgspec.json.decode(found, type=Graph)
        except msgspec.DecodeError as error:
            raise WorkerError(f"what it gives is no graph: {error}") from None

    def _ask(self, timeout: float, *message: str | bytes) -> tuple[Any, ...]:
        try:
            self._channel.send(message)
            return tuple(self._channel.receive(timeout))
        except self._channel.TimeoutError:
            self.kill()
            raise WorkerError(f"hung: no answer within {timeout:g} s; killed") from None
        except (EOFError, OSError):
            raise WorkerError(f"{self._death()}{self._last_words()}") from None
        except self._channel.RemoteError as error:
            last = str(error).strip().splitlines()[-1]
            raise WorkerError(f"the worker failed: {last}") from None

    def _death(self) -> str:
        status = self._gateway._io.wait()  # noqa: SLF001 - execnet has no other way
        if status is None:
            return "the worker process died"
        if status < 0:
            known = {number.value: number.name for number in signal.Signals}
            name = known.get(-status, f"signal {-status}")
            return f"the worker process was killed by {name}"
        return f"the worker process ended with status {status}"

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        said = " | ".join(line.strip() for line in lines[-_LOG_LINES:] if line.strip())
        return f"; it last printed: {said[:500]}" if said else ""


def _parts(problem: Problem) -> tuple[bytes, bytes]:
    """Give a problem as messages carry it: its case and its arrays."""
    data = pack(problem.arrays, {"case": problem.case.id})
    return msgspec.json.encode(problem.case), data
