"""Starts a worker for each backend, feeds it problems, and survives what it does."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import execnet
import msgspec

import harness
from harness.arrays import pack
from harness.backend import BackendInfo
from harness.errors import ParityError
from harness.folder import Entry, RunFolder
from harness.results import BackendRecord
from harness.run.registry import absence
from harness.run.worker import BOOTSTRAP
from harness.spec import Problem

Notify = Callable[[Entry], None]

START_TIMEOUT = 300.0
"""Seconds that importing a framework may take; the first import after an installation
was seen to take 20."""

_GRACE = 2.0  # seconds a worker has to end by itself
_LOG_LINES = 3


class WorkerError(Exception):
    """A worker died or hung; the text says how."""


class Worker:
    """One worker process; use as a context manager.

    Args:
        log: File that takes everything the process prints.

    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._group = execnet.Group()
        self._gateway: Any = self._group.makegateway("popen")
        self._channel: Any = self._gateway.remote_exec(BOOTSTRAP)
        root = str(Path(harness.__file__).parents[1])
        self._channel.send((root, str(log.absolute())))

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._group.terminate(timeout=_GRACE)

    def load(self, info: BackendInfo) -> BackendRecord:
        """Import a backend's framework and construct its adapter.

        Raises:
            WorkerError: It could not be, or the process died of it.

        """
        answer = self._ask(("load", msgspec.json.encode(info)), START_TIMEOUT)
        if answer[0] != "loaded":
            raise WorkerError(str(answer[1]))
        return msgspec.json.decode(answer[1], type=BackendRecord)

    def run(self, backend: str, problem: Problem, timeout: float) -> tuple[Any, ...]:
        """Compute a problem: `("outcome", bytes, seconds)`, or why there is none.

        Raises:
            WorkerError: The process died or took longer than `timeout` seconds.

        """
        case = msgspec.json.encode(problem.case)
        data = pack(problem.arrays, {"case": problem.case.id})
        return self._ask(("run", (backend, case, data)), timeout)

    def _ask(self, message: tuple[Any, ...], timeout: float) -> tuple[Any, ...]:
        kind, arguments = message
        payload = arguments if isinstance(arguments, tuple) else (arguments,)
        try:
            self._channel.send((kind, *payload))
            return tuple(self._channel.receive(timeout))
        except self._channel.TimeoutError:
            self._gateway._io.kill()  # noqa: SLF001 - execnet has no other way
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
            return f"the worker process was killed by {signal.Signals(-status).name}"
        return f"the worker process ended with status {status}"

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        said = " | ".join(line.strip() for line in lines[-_LOG_LINES:] if line.strip())
        return f"; it last printed: {said[:500]}" if said else ""


class Engine:
    """Computes problems on backends and keeps the outcomes in a run's folder.

    Args:
        folder: Where outcomes and logs go; prepared already.
        jobs: Workers at work at the same time.
        timeout: Seconds that one problem may take on one backend.
        notify: Called with each entry as it comes, from the worker's thread.

    """

    def __init__(
        self, folder: RunFolder, *, jobs: int, timeout: float, notify: Notify
    ) -> None:
        self._folder = folder
        self._jobs = jobs
        self._timeout = timeout
        self._notify = notify
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.records: dict[str, BackendRecord] = {}

    def run(self, infos: list[BackendInfo], problems: list[Problem]) -> list[Entry]:
        """Compute every problem on every backend; one entry for each, whatever happens."""
        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            futures = [pool.submit(self._backend, info, problems) for info in infos]
            try:
                return [entry for future in futures for entry in future.result()]
            except BaseException:
                self._stopping.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _backend(self, info: BackendInfo, problems: list[Problem]) -> list[Entry]:
        done = []
        for entry in self._entries(info, problems):
            with self._lock:
                self._notify(entry)
            done.append(entry)
        return done

    def _entries(self, info: BackendInfo, problems: list[Problem]) -> Iterator[Entry]:
        """Go through the problems, with a fresh worker after each death of one."""
        if reason := absence(info):
            for problem in problems:
                yield Entry(problem.case.id, info.name, "absent", reason)
            return
        waiting = list(problems)
        while waiting and not self._stopping.is_set():
            try:
                with self._worker(info) as worker:
                    while waiting and not self._stopping.is_set():
                        problem = waiting.pop(0)
                        try:
                            yield self._entry(worker, info, problem)
                        except WorkerError as death:
                            yield _error(problem, info, str(death))
                            break
            except _NeverStartedError as failure:
                for problem in waiting:
                    yield _error(problem, info, f"did not start: {failure}")
                return

    @contextmanager
    def _worker(self, info: BackendInfo) -> Iterator[Worker]:
        with Worker(self._folder.log(info.name)) as worker:
            try:
                record = worker.load(info)
            except WorkerError as error:
                raise _NeverStartedError(str(error)) from None
            with self._lock:
                self.records[info.name] = record
            yield worker

    def _entry(self, worker: Worker, info: BackendInfo, problem: Problem) -> Entry:
        kind, *rest = worker.run(info.name, problem, self._timeout)
        case = problem.case.id
        if kind == "outcome":
            data, seconds = rest
            self._folder.write_outcome(info.name, case, data)
            return Entry(case, info.name, "done", seconds=seconds)
        status = "unsupported" if kind == "unsupported" else "error"
        return Entry(case, info.name, status, str(rest[0]))


class _NeverStartedError(Exception):
    """A worker could not load its backend: it will not be tried again."""


def _error(problem: Problem, info: BackendInfo, detail: str) -> Entry:
    return Entry(problem.case.id, info.name, "error", detail)


def default_jobs() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2


__all__ = ["Engine", "ParityError", "Worker", "WorkerError", "default_jobs"]
