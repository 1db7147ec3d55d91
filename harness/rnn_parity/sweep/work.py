"""What is done in a Dask worker: cases are computed and judged, one after the other.

A backend runs in a worker process of ours, which is kept between tasks and closed when
nobody has asked for it for a while. Dask sends this module's functions by their names.
"""

import atexit
import hashlib
import tempfile
import threading
from pathlib import Path

import msgspec
import numpy as np
from distributed import get_worker
from msgspec.structs import replace
from threadpoolctl import threadpool_limits

import rnn_parity
from rnn_parity.judge.certify import reference
from rnn_parity.judge.not_shown import not_shown_by
from rnn_parity.judge.verdict import judge_entry
from rnn_parity.runs.engine import Runner
from rnn_parity.runs.registry import named_backends
from rnn_parity.store.folder import RunFolder
from rnn_parity.sweep.messages import Answer, Identity, Limits, Question, SweepRow
from rnn_parity_core import BackendInfo, BackendRecord, Case, ParityError
from rnn_parity_fixtures import catalogue

_PATIENCE = 60.0  # seconds that a worker process is kept for nobody


def answer(asked: bytes) -> bytes:
    """Compute and judge what is asked for; of no cases, say by what it would be.

    Args:
        asked: An `Question` as JSON.

    Returns:
        An `Answer` as JSON.

    """
    question = msgspec.json.decode(asked, type=Question)
    address = str(get_worker().address)
    try:
        kept = _take(question.backend, question.limits)
    except ParityError as error:  # a name that is unknown here
        return msgspec.json.encode(Answer(address, trouble=str(error)))
    try:
        with threadpool_limits(limits=1):
            rows = [_row(kept, number, case) for number, case in question.cases]
        trouble = kept.trouble()
        found = Answer(address, kept.identity, trouble, rows)
    except BaseException:
        kept.close()
        raise
    if trouble:  # it may start another time
        kept.close()
    else:
        _keep(kept)
    return msgspec.json.encode(found)


class _Kept:
    """A worker process of ours with its backend, and a folder for its outcomes."""

    def __init__(self, backend: str, limits: Limits) -> None:
        (self.info,) = named_backends([backend])
        self.key = backend, limits
        self.timer: threading.Timer | None = None
        self.identity: Identity | None = None
        place = get_worker().local_directory  # which Dask clears for the killed
        self._directory = tempfile.TemporaryDirectory(dir=place, prefix="rnn-parity-")
        self.folder = RunFolder(Path(self._directory.name) / "run")
        self.folder.prepare()
        self.runner = Runner(self.info, self.folder, limits.timeout, limits.memory)

    def trouble(self) -> str:
        """Start the worker process, if there is none, and say what came in the way."""
        trouble = self.runner.trouble()
        if self.runner.record:
            self.identity = _identity(self.info, self.runner.record)
        return trouble[1] if trouble else ""

    def close(self) -> None:
        """End the process and remove the files."""
        self.runner.close()
        self._directory.cleanup()


def _identity(info: BackendInfo, record: BackendRecord) -> Identity:
    return Identity(
        rnn_parity=rnn_parity.__version__,
        judge=np.__version__,
        info=hashlib.sha256(msgspec.json.encode(info, order="sorted")).hexdigest()[:16],
        python=record.python,
        versions=record.versions,
        settings=record.settings,
    )


def _row(kept: _Kept, number: int, case: Case) -> SweepRow:
    """Compute a case and judge it, as a run would; arrays are not kept."""
    problem = catalogue.build(case)
    entry = kept.runner.entry(problem)
    truth = reference(problem) if entry.status == "done" else {}
    judged = judge_entry(kept.folder, problem, truth, kept.info, entry)
    kept.folder.forget_outcome(kept.info.name, case.id)
    weak = not_shown_by(problem, truth) if truth else []
    weak += judged.result.not_shown
    return SweepRow(number, replace(judged.result, not_shown=weak, steps=None))


_idle: list[_Kept] = []
_lock = threading.Lock()


def _take(backend: str, limits: Limits) -> _Kept:
    """Give a process that nobody uses, or a new one: a Dask worker may have threads."""
    with _lock:
        for kept in _idle:
            if kept.key == (backend, limits):
                _idle.remove(kept)
                if kept.timer:
                    kept.timer.cancel()
                return kept
    return _Kept(backend, limits)


def _keep(kept: _Kept) -> None:
    kept.timer = threading.Timer(_PATIENCE, _drop, [kept])
    kept.timer.daemon = True
    with _lock:
        _idle.append(kept)
    kept.timer.start()


def _drop(kept: _Kept) -> None:
    with _lock:
        if kept not in _idle:  # somebody was quicker
            return
        _idle.remove(kept)
    kept.close()


@atexit.register
def _close_all() -> None:
    while _idle:
        _drop(_idle[0])
