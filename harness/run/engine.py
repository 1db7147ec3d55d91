"""Feeds problems to backends, a worker for each, and survives what they do."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from harness.backend import Absent, BackendInfo
from harness.errors import UsageError
from harness.folder import Entry, RunFolder
from harness.results import BackendRecord
from harness.run.process import Worker, WorkerError
from harness.run.registry import absence
from harness.spec import Problem
from harness.watch import Watch

MAX_TIMEOUT = 1e6  # seconds: eleven days


class Runner:
    """One backend's problems, one after the other; use as a context manager.

    The worker starts with the first problem, and anew with the next one after it died.

    Args:
        info: The backend.
        folder: Where outcomes and logs go; prepared already.
        timeout: Seconds that one problem may take.

    """

    def __init__(self, info: BackendInfo, folder: RunFolder, timeout: float) -> None:
        self._info = info
        self._folder = folder
        self._timeout = timeout
        self._worker: Worker | None = None
        self._absent: str | None = None
        self._never_started = ""
        try:
            self._absent = absence(info)
        except UsageError as error:  # its host cannot be reached
            self._never_started = str(error)
        self.record: BackendRecord | None = None

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker, if there is one."""
        if self._worker:
            self._worker.close()
            self._worker = None

    def interrupt(self) -> None:
        """End the worker from another thread, whatever it is at."""
        if worker := self._worker:
            worker.kill()

    def entry(self, problem: Problem) -> Entry:
        """Compute one problem, keep its outcome, and say what came of it."""
        case, name = problem.case.id, self._info.name
        worker = None if self._absent else self._started()
        if self._absent:
            return Entry(case, name, "absent", self._absent)
        if not worker:
            return Entry(case, name, "error", f"did not start: {self._never_started}")
        try:
            kind, *rest = worker.run(name, problem, self._timeout)
        except WorkerError as death:
            self.close()
            return Entry(case, name, "error", str(death))
        if kind == "outcome":
            data, seconds = rest
            self._folder.write_outcome(name, case, data)
            return Entry(case, name, "done", seconds=seconds)
        return Entry(case, name, kind, str(rest[0]))

    def _started(self) -> Worker | None:
        """Give a worker with the backend loaded; None once it failed to load."""
        if self._worker or self._never_started:
            return self._worker
        self._worker = Worker(
            self._folder.log(self._info.name), self._info.interpreter, self._info.host
        )
        try:
            self.record = self._worker.load(self._info)
        except Absent as reason:
            self._absent = str(reason)
            self.close()
        except WorkerError as error:
            self._never_started = str(error)
            self.close()
        return self._worker


class Engine:
    """Computes problems on several backends side by side.

    Args:
        folder: Where outcomes and logs go; prepared already.
        jobs: Workers at work at the same time.
        timeout: Seconds that one problem may take on one backend.
        watch: Told of each case as it begins and ends.

    """

    def __init__(
        self, folder: RunFolder, *, jobs: int, timeout: float, watch: Watch
    ) -> None:
        self._folder = folder
        self._jobs = jobs
        self._timeout = timeout
        self._watch = watch
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._runners: list[Runner] = []
        self.records: dict[str, BackendRecord] = {}

    def run(self, infos: list[BackendInfo], problems: list[Problem]) -> list[Entry]:
        """Compute every problem on every backend; one entry for each of them."""
        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            # Known backends go from NumPy to those that compile each case: these start
            # first, so that none is left alone at the end.
            futures = [
                pool.submit(self._backend, info, problems) for info in reversed(infos)
            ]
            try:
                done = [future.result() for future in futures]
                return [entry for entries in reversed(done) for entry in entries]
            except BaseException:
                self._stopping.set()
                for runner in self._runners:
                    runner.interrupt()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _backend(self, info: BackendInfo, problems: list[Problem]) -> list[Entry]:
        done = []
        with Runner(info, self._folder, self._timeout) as runner:
            self._runners.append(runner)
            for problem in problems:
                if self._stopping.is_set():
                    break
                with self._lock:
                    self._watch.starting(info.name, problem.case.id)
                entry = runner.entry(problem)
                with self._lock:
                    self._watch.entry(entry)
                done.append(entry)
            if runner.record:
                self.records[info.name] = runner.record
        return done


def check_timeout(seconds: float) -> None:
    """See that a time limit is one.

    Raises:
        UsageError: It is not positive, or longer than a clock can wait for.

    """
    if not 0 < seconds <= MAX_TIMEOUT:
        raise UsageError(
            f"a timeout of {seconds:g} s is none; give seconds above 0, up to "
            f"{MAX_TIMEOUT:g}"
        )


def default_jobs() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
