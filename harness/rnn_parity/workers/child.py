"""A process that answers questions, as seen from here: start it, ask it, end it."""

import atexit
import contextlib
import os
import signal
import struct
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import execnet
from execnet.gateway_base import Popen2IO, get_execmodel
from execnet.gateway_bootstrap import bootstrap_exec
from execnet.gateway_io import Popen2IOMaster, popen_bootstrapline

from rnn_parity.processes.guard import Guard, ended_within, kill_process_tree, new_mark
from rnn_parity.processes.logs import MAX_BYTES, TAIL, shorten
from rnn_parity.processes.packages import roots
from rnn_parity.processes.starting import DIES_WITH_PARENT, python, start
from rnn_parity.workers.host import LOST, bootstrap, keeper_program, python_command
from rnn_parity.workers.protocol import LONGEST, WorkerError, checked, no_answer
from rnn_parity_core import clean
from rnn_parity_core.cache_dir import CACHE, cache_folder
from rnn_parity_core.files import appending

START_TIMEOUT = 300.0
"""Seconds that importing a framework may take; the first import after an installation
was seen to take 20."""

_GRACE = 2.0  # seconds a worker has to end by itself
_LOG_LINES = 3
_SIGNALLED = 128  # and the signal's number: what the keeper says of its worker


class _Process(Popen2IOMaster):  # type: ignore[misc] # execnet's, of which no types are read
    """A process that execnet talks to."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self.popen = popen
        model = get_execmodel("thread")
        Popen2IO.__init__(self, popen.stdin, popen.stdout, execmodel=model)


class Child:
    """One process; to be closed. It starts with the first question.

    Args:
        program: What answers: a module of ours, whose `serve` is given the channel.
        called: What it is for the user.
        log: File that takes everything the process prints; none: it is lost.
        interpreter: Path of another Python; nothing stands for this one.
        host: Another machine that it runs on: `ssh:[USER@]HOST[:PORT]`.
        memory: Bytes that it and what it starts may hold; 0: any number.

    """

    def __init__(
        self,
        program: str,
        log: Path | None = None,
        *,
        called: str = "the worker process",
        interpreter: str = "",
        host: str = "",
        memory: int = 0,
    ) -> None:
        self._program = program
        self._called = called
        self._log = log
        self._interpreter = interpreter
        self._host = host
        self._memory = memory
        self._mark = new_mark()
        self._numbers = count()
        self._group = execnet.Group()
        # From Python 3.12 on no thread starts at exit, by which execnet would end it.
        atexit.unregister(self._group._cleanup_atexit)  # noqa: SLF001 - not said otherwise
        self._printed_before = 0  # by another worker
        self._process: _Process | None = None
        self._channel: Any = None

    def kill(self) -> None:
        """End the process at once; whoever waits for its answer hears of its death.

        On another machine it ends because its connection does.
        """
        if self._process:
            kill_process_tree(self._process.popen, self._mark)

    def close(self) -> None:
        """End the process, by force if it does not end by itself, and its children."""
        atexit.unregister(self.close)
        for gateway in list(self._group):
            gateway.exit()
        if self._process:
            ended_within(self._process.popen, _GRACE if self._channel else 0)
            self.kill()
            self._process.wait()
            if self._log:
                shorten(self._log)
        self._group.terminate(timeout=_GRACE)
        # Otherwise execnet closes what it talked through.
        if self._process and not self._channel:
            with contextlib.suppress(BrokenPipeError):
                self._process.close_write()
            self._process.close_read()

    def _connect(self) -> Any:
        """Start the process, and give the channel to what answers in it."""
        command = python(self._interpreter, popen_bootstrapline, *roots())
        if self._host:
            command = python_command(self._interpreter, self._host)
        try:
            process = _Process(self._start(command))
        except OSError as error:
            raise WorkerError(f"cannot start {command[0]}: {error.strerror}") from None
        self._process = process
        atexit.register(self.close)
        try:
            with self._within(START_TIMEOUT):
                if self._host:
                    program = DIES_WITH_PARENT + popen_bootstrapline
                    process.write(keeper_program(program, _GRACE))
                return self._gateway(process).remote_exec(bootstrap(self._program))
        except AssertionError:  # execnet's
            raise WorkerError("what was started answers, but as no worker") from None

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        cache = {CACHE: cache_folder()}
        if not self._log:
            return start(command, self._mark, cache, subprocess.DEVNULL)
        shorten(self._log, MAX_BYTES // 2)  # which stays as it is from now on
        if self._log.exists():
            self._printed_before = self._log.stat().st_size
        with appending(self._log) as printed:
            return start(command, self._mark, cache, printed)

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[Guard]:
        """Talk to the process for so many seconds at most, and say its death.

        To write can take forever, too, where nobody reads.
        """
        assert self._process  # noqa: S101 - who asks has started it
        log = self._log or Path(os.devnull)
        guard = Guard(self._process.popen, self._mark, seconds, self._memory, log)
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

    def ask(self, timeout: float, *message: str | bytes) -> tuple[Any, ...]:
        """Give the answer to a question, checked: its kind, and what it carries.

        Raises:
            WorkerError: The process died, answered nonsense, or took longer than
                `timeout` seconds.

        """
        self._channel = self._channel or self._connect()
        number = next(self._numbers)
        try:
            with self._within(timeout) as guard:
                self._channel.send((number, *message))
                answer = self._receive(guard)
        except self._channel.RemoteError as error:
            *_, last = ["it does not say why", *str(error).strip().splitlines()]
            last = clean(last)[:LONGEST]
            raise WorkerError(f"{self._called} failed: {last}") from None
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
        garbled = f"what comes from {self._called} is no message; killed"
        if not ended:
            went_on = f"{self._called} closed its connection and went on; killed"
            return garbled if self._is_garbled() else went_on
        status = self._process.popen.wait()
        if status == 0 and self._is_garbled():
            return garbled
        there = f" on {self._host}" if self._host else ""
        if there and (status < 0 or status == LOST):
            killed = f"the ssh program was killed by {_signal_name(-status)}"
            return killed if status < 0 else f"the connection to {self._host} was lost"
        if there and status > _SIGNALLED:
            status = _SIGNALLED - status
        if status < 0:
            return f"{self._called}{there} was killed by {_signal_name(-status)}"
        return f"{self._called}{there} ended with status {status}"

    def _is_garbled(self) -> bool:
        """Whether execnet closed the connection, and not the process.

        It keeps the end of a pipe as an error, and nothing of other reasons.
        """
        return any(not getattr(gateway, "_error", None) for gateway in self._group)

    def _last_words(self) -> str:
        if not self._log:
            return ""
        try:
            with self._log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._printed_before, size - TAIL))
                printed = log.read(TAIL)
        except OSError:
            return ""
        last = printed.decode(errors="replace").splitlines()[-_LOG_LINES:]
        said = " | ".join(line.strip() for line in last if line.strip())
        return f"; it last printed: {clean(said[:LONGEST])}" if said else ""


def _signal_name(number: int) -> str:
    known = {each.value: each.name for each in signal.Signals}
    return known.get(number, f"signal {number}")
