"""Feeds problems to backends, a worker for each, and survives what they do."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from msgspec.structs import replace

from rnn_parity.runs.layer_by_layer import can_be_taken_apart, with_layers
from rnn_parity.runs.observer import RunObserver
from rnn_parity.runs.registry import absence
from rnn_parity.runs.resume_check import another_environment, differences
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import (
    NOT_STARTED,
    Entry,
    JournalLine,
    RunRecord,
    most_bytes,
)
from rnn_parity.workers.pool import side_by_side
from rnn_parity.workers.process import Worker
from rnn_parity.workers.protocol import WorkerError
from rnn_parity_core import (
    Absent,
    BackendInfo,
    BackendRecord,
    Case,
    FileError,
    Outcome,
    Problem,
    UsageError,
)
from rnn_parity_core.arrays import pack, unpack
from rnn_parity_core.limits import MAX_TIMEOUT
from rnn_parity_core.validate import contract_violations


class Runner:
    """One backend's problems, one after the other; use as a context manager.

    The worker starts with the first problem, and anew with the next one after it died.

    Args:
        info: The backend.
        folder: Where outcomes and logs go; prepared already.
        timeout: Seconds that one problem may take.
        memory: Bytes that the worker may hold; 0: any number.

    """

    def __init__(
        self, info: BackendInfo, folder: RunFolder, timeout: float, memory: int = 0
    ) -> None:
        self._info = info
        self._folder = folder
        self._timeout = timeout
        self._memory = memory
        self._worker: Worker | None = None
        self._absent: str | None = None
        self._loaded: set[str] = set()
        self._never_started = ""
        try:
            self._absent = absence(info)
        except UsageError as error:  # its host cannot be reached
            self._never_started = str(error)
        self.record: BackendRecord | None = None

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, kind: object, *exc_info: object) -> None:
        if kind:
            self.interrupt()  # it would be waited for
        self.close()

    def close(self) -> None:
        """End the worker, if there is one."""
        if self._worker:
            self._worker.close()
            self._worker = None
            self._loaded.clear()

    def switch(self, info: BackendInfo) -> None:
        """Go on with another adapter of the same framework, in the same process."""
        self._info = info

    def interrupt(self) -> None:
        """End the worker from another thread, whatever it is at."""
        if worker := self._worker:
            worker.kill()

    def trouble(self) -> tuple[Literal["absent", "error"], str] | None:
        """Start the worker, if none is at work, and say what came in the way."""
        worker = None if self._absent else self._started()
        if self._absent:
            return "absent", self._absent
        return None if worker else ("error", f"{NOT_STARTED}: {self._never_started}")

    def entry(self, problem: Problem) -> Entry:
        """Compute one problem, keep its outcome, and say what came of it."""
        case, name = problem.case.id, self._info.name
        trouble, worker = self.trouble(), self._worker
        if trouble or not worker:
            return Entry(case, name, *(trouble or ("error", NOT_STARTED)))
        begun = time.perf_counter()
        try:
            kind, *rest = worker.run(name, problem, self._timeout)
        except WorkerError as death:
            self.close()
            seconds = time.perf_counter() - begun
            return Entry(case, name, "error", str(death), seconds)
        if kind != "outcome":
            return Entry(case, name, kind, str(rest[0]))
        data, seconds = rest
        if len(data) > (most := most_bytes(problem.case)):
            said = f"its outcome has {len(data)} bytes, expected at most {most}"
            return Entry(case, name, "error", said, seconds)
        entry = Entry(case, name, "done", seconds=seconds)
        if can_be_taken_apart(problem.case):
            data, entry = self._taken_apart(worker, problem, data, entry)
        self._folder.write_outcome(name, case, data)
        return entry

    def _taken_apart(
        self, worker: Worker, problem: Problem, data: bytes, entry: Entry
    ) -> tuple[bytes, Entry]:
        """Add what each layer gives by itself, where the whole gives the same."""
        case, name = problem.case, self._info.name

        def run(of_layer: Problem) -> Outcome | str:
            kind, *rest = worker.run(name, of_layer, self._timeout)
            if kind != "outcome":
                return str(rest[0])
            made = unpack(rest[0], name)[0]
            asked = of_layer.case.output_shapes()
            return "; ".join(contract_violations(made, asked, case.dtype)) or made

        try:
            outcome, _ = unpack(data, name)
            if contract_violations(outcome, case.output_shapes(), case.dtype):
                return data, entry  # which is for the verdict to say
            found, words = with_layers(run, problem, outcome)
        except WorkerError as death:
            self.close()
            return data, replace(entry, detail=f"its layers one by one: {death}")
        except FileError:
            return data, entry
        there = [n for n in (*case.output_shapes(), *case.layer_shapes()) if n in found]
        arrays = there if len(found) > len(outcome) else []
        packed = pack({n: found[n] for n in there}, {"case": case.id})
        return packed, replace(entry, detail=words, arrays=arrays)

    def _started(self) -> Worker | None:
        """Give a worker with the backend loaded; None once it failed to load."""
        name = self._info.name
        if name in self._loaded or self._never_started:
            return self._worker
        self._worker = self._worker or Worker(
            self._folder.log(name),
            self._info.interpreter,
            self._info.host,
            self._memory,
        )
        try:
            self.record = self._worker.load(self._info)
            self._loaded.add(name)
        except Absent as reason:
            self._absent = str(reason)
            self.close()
        except WorkerError as error:
            self._never_started = str(error)
            self.close()
        return self._worker


class Engine:
    """Computes problems on several backends side by side, and keeps a journal of it.

    Args:
        folder: The run's; outcomes, logs and the journal go there.
        begun: What is known of it as this begins.
        jobs: Workers at work at the same time.
        observer: Told of each case as it begins and ends.
        problem: Gives a case's problem, to any thread.

    """

    def __init__(
        self,
        folder: RunFolder,
        begun: RunRecord,
        *,
        jobs: int,
        observer: RunObserver,
        problem: Callable[[Case], Problem],
    ) -> None:
        self._folder = folder
        self._begun = begun
        absent = [e.backend for e in self._begun.entries if e.status == "absent"]
        self._were_absent = frozenset(absent)
        self._jobs = jobs
        self._observer = observer
        self._problem = problem
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._runners: list[Runner] = []

    def run(self, infos: list[BackendInfo], pending: Mapping[str, list[Case]]) -> None:
        """Compute on every backend the cases that are pending by its name.

        Raises:
            UsageError: A backend is another one than that which began.
            FileError: The folder cannot be written.

        """
        # Of the known backends those that take longest to import come first, and those
        # that compile each case, two of a kind, end side by side.
        work = [partial(self._backend, info, pending[info.name]) for info in infos]
        side_by_side(work, self._jobs, self._interrupt)

    def _interrupt(self) -> None:
        self._stopping.set()
        for runner in self._runners:
            runner.interrupt()

    def _backend(self, info: BackendInfo, cases: list[Case]) -> None:
        noted = info.name in self._begun.backends
        memory = self._begun.memory
        with Runner(info, self._folder, self._begun.timeout, memory) as runner:
            self._runners.append(runner)
            for case in cases:
                if self._stopping.is_set():
                    break
                with self._lock:
                    self._observer.on_case_start(info.name, case.id)
                entry = runner.entry(self._problem(case))
                if self._stopping.is_set():  # it was ended by us, perhaps
                    break
                self._check_same(entry, runner.record)
                with self._lock:
                    self._folder.check_begun()
                    if runner.record and not noted:
                        said = (info.name, runner.record)
                        self._folder.journal.append(JournalLine(said=said))
                        noted = True
                    self._folder.journal.append(JournalLine(entry=entry))
                    self._observer.on_case_end(entry)

    def _check_same(self, entry: Entry, now: BackendRecord | None) -> None:
        """See that a backend which goes on with a run is the one that began."""
        begun, found = self._begun.backends.get(entry.backend), list[str]()
        if begun and entry.status == "absent":
            found = [f"it is absent now: {entry.detail}"]
        elif now and entry.backend in self._were_absent:
            found = ["it was absent"]
        elif begun and now:
            found = differences(begun, now)
        if found:
            raise another_environment(entry.backend, found)


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
