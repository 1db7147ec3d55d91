"""A worker process as seen from the main process: start it, ask it, bury it."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import execnet
import msgspec
from execnet.gateway_base import Popen2IO, get_execmodel
from execnet.gateway_bootstrap import bootstrap_exec
from execnet.gateway_io import Popen2IOMaster, popen_bootstrapline
from msgspec.structs import replace

import harness
from harness.backend import Absent, BackendInfo, Unsupported
from harness.errors import clean
from harness.graph import Graph
from harness.results import BackendRecord
from harness.run.answers import LONGEST, WorkerError, checked, decoded, no_answer
from harness.run.guard import MARK, Guard, bury, ended_within, new_mark
from harness.run.host import LOST, keeper_program, python_command
from harness.run.kept import CACHE, cache_folder
from harness.run.worker import BOOTSTRAP
from harness.spec import Problem
from harness.store.arrays import pack

START_TIMEOUT = 300.0
"""Seconds that importing a framework may take; the first import after an installation
was seen to take 20."""

_GRACE = 2.0  # seconds a worker has to end by itself
_LOG_LINES = 3
_SIGNALLED = 128  # and the signal's number: what the keeper says of its worker
_TAIL = 2**16  # bytes of a log that are read for its last lines

_GARBLED = "what comes from the worker process is no message; killed"


class _Process(Popen2IOMaster):  # type: ignore[misc] # execnet's, of which no types are read
    """A process that execnet talks to, and that prints into a file."""

    def __init__(self, command: list[str], log: Path, mark: str) -> None:
        with log.open("ab") as printed:
            self.popen = subprocess.Popen(  # noqa: S603 - it is the user who names it
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                # Whom Ctrl-C is not for, and who is killed with all that it started.
                start_new_session=True,
                env={**os.environ, MARK: mark, CACHE: cache_folder()},
            )
        model = get_execmodel("thread")
        Popen2IO.__init__(self, self.popen.stdin, self.popen.stdout, execmodel=model)


class Worker:
    """One worker process; to be closed. It starts with the first backend's `load`.

    Args:
        log: File that takes everything the process prints.
        interpreter: Path of another Python; nothing stands for this one.
        host: Another machine that it runs on: `ssh:[USER@]HOST[:PORT]`.
        memory: Bytes that it and what it starts may hold; 0: any number.

    """

    def __init__(
        self, log: Path, interpreter: str = "", host: str = "", memory: int = 0
    ) -> None:
        self._log = log
        self._interpreter = interpreter
        self._host = host
        self._memory = memory
        self._mark = new_mark()
        self._numbers = count()
        self._group = execnet.Group()
        self._printed_before = 0  # by another worker
        self._process: _Process | None = None
        self._channel: Any = None

    def kill(self) -> None:
        """End the process at once; whoever waits for its answer hears of its death.

        On another machine it ends because its connection does.
        """
        if self._process:
            bury(self._process.popen, self._mark)

    def close(self) -> None:
        """End the process, by force if it does not end by itself, and its children."""
        for gateway in list(self._group):
            gateway.exit()
        if self._process:
            ended_within(self._process.popen, _GRACE if self._channel else 0)
            self.kill()
            self._process.wait()
        self._group.terminate(timeout=_GRACE)
        # Otherwise execnet closes what it talked through.
        if self._process and not self._channel:
            with contextlib.suppress(BrokenPipeError):
                self._process.close_write()
            self._process.close_read()

    def _connect(self) -> Any:
        """Start the process, and give the channel to what answers in it."""
        root = str(Path(harness.__file__).parents[1])
        here = [self._interpreter or sys.executable, "-u", "-c"]
        command = [*here, popen_bootstrapline, root]
        if self._host:
            command = python_command(self._interpreter, self._host)
        try:
            if self._log.exists():
                self._printed_before = self._log.stat().st_size
            process = _Process(command, self._log, self._mark)
        except OSError as error:
            raise WorkerError(f"cannot start {command[0]}: {error.strerror}") from None
        self._process = process
        try:
            with self._within(START_TIMEOUT):
                if self._host:
                    process.write(keeper_program(popen_bootstrapline, _GRACE))
                return self._gateway(process).remote_exec(BOOTSTRAP)
        except AssertionError:  # execnet's
            raise WorkerError("what was started answers, but as no worker") from None

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[Guard]:
        """Talk to the process for so many seconds at most, and say its death.

        To write can take forever, too, where nobody reads.
        """
        assert self._process  # noqa: S101 - who asks has started it
        guard = Guard(self._process.popen, self._mark, seconds, self._memory)
        try:
            with guard:
                yield guard
        except (EOFError, OSError):
            death = guard.reason or self._death()
            raise WorkerError(f"{death}{self._last_words()}") from None
        if guard.reason:
            raise WorkerError(f"{guard.reason}{self._last_words()}")

    def _gateway(self, process: _Process) -> Any:
        """Let execnet talk to a process; one of its own would print anywhere."""
        spec = execnet.XSpec("popen//execmodel=thread")
        self._group.allocate_id(spec)
        bootstrap_exec(process, spec)
        gateway = execnet.Gateway(process, spec)
        self._group._register(gateway)  # noqa: SLF001 - execnet has no other way
        return gateway

    def load(self, info: BackendInfo) -> BackendRecord:
        """Import a backend's framework and construct its adapter.

        Raises:
            Absent: What it runs on is not here.
            WorkerError: It could not be, or the process died of it.

        """
        self._channel = self._channel or self._connect()
        answer = self._ask(START_TIMEOUT, "load", msgspec.json.encode(info))
        if answer[0] == "absent":
            raise Absent(str(answer[1]))
        if answer[0] != "loaded":
            raise WorkerError(str(answer[1]))
        said = decoded(answer[1], BackendRecord, "what it says of itself is broken")
        return replace(said, host=self._host)

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
        return decoded(found, Graph, "what it gives is no graph")

    def _ask(self, timeout: float, *message: str | bytes) -> tuple[Any, ...]:
        number = next(self._numbers)
        try:
            with self._within(timeout) as guard:
                self._channel.send((number, *message))
                answer = self._receive(guard)
        except self._channel.RemoteError as error:
            *_, last = ["it does not say why", *str(error).strip().splitlines()]
            last = clean(last)[:LONGEST]
            raise WorkerError(f"the worker failed: {last}") from None
        except struct.error:  # execnet's messages have 32 bits for their length
            raise WorkerError("more than the 2 GiB that a worker can be sent") from None
        match answer:
            case (int(said), found) if said == number:
                return checked(str(message[0]), found)
        raise no_answer(str(message[0]), answer)

    def _receive(self, guard: Guard) -> Any:
        """Wait for an answer, but for none of the dead.

        What hides from its burial may hold the pipe open.
        """
        while True:
            ended = guard.ended.is_set()
            try:
                return self._channel.receive(_GRACE)
            except self._channel.TimeoutError:
                if ended:
                    raise EOFError from None

    def _death(self) -> str:
        assert self._process  # noqa: S101 - who asks has started it
        ended = ended_within(self._process.popen, _GRACE)
        self.kill()
        if not ended:
            went_on = "the worker process closed its connection and went on; killed"
            return _GARBLED if self._is_garbled() else went_on
        status = self._process.popen.wait()
        if status == 0 and self._is_garbled():
            return _GARBLED
        there = f" on {self._host}" if self._host else ""
        if there and (status < 0 or status == LOST):
            killed = f"the ssh program was killed by {_signal_name(-status)}"
            return killed if status < 0 else f"the connection to {self._host} was lost"
        if there and status > _SIGNALLED:
            status = _SIGNALLED - status
        if status < 0:
            return f"the worker process{there} was killed by {_signal_name(-status)}"
        return f"the worker process{there} ended with status {status}"

    def _is_garbled(self) -> bool:
        """Whether execnet closed the connection, and not the process.

        It keeps the end of a pipe as an error, and nothing of other reasons.
        """
        return any(not getattr(gateway, "_error", None) for gateway in self._group)

    def _last_words(self) -> str:
        try:
            with self._log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._printed_before, size - _TAIL))
                printed = log.read(_TAIL)
        except OSError:
            return ""
        last = printed.decode(errors="replace").splitlines()[-_LOG_LINES:]
        said = " | ".join(line.strip() for line in last if line.strip())
        return f"; it last printed: {clean(said[:LONGEST])}" if said else ""


def _signal_name(number: int) -> str:
    known = {each.value: each.name for each in signal.Signals}
    return known.get(number, f"signal {number}")


def _parts(problem: Problem) -> tuple[bytes, bytes]:
    """Give a problem as messages carry it: its case and its arrays."""
    data = pack(problem.arrays, {"case": problem.case.id})
    return msgspec.json.encode(problem.case), data
