"""An adapter around another one, which says what of a worker's time is the framework's.

After each problem it prints, as a line of JSON into the worker's log, the seconds of
processors (of all threads) that the process has taken: to start, to import the adapter
with its framework, and in the adapter's `run`.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from rnn_parity_core import BackendInfo, Outcome, Problem, Scalar

_SAYS = "TIMED "
_INNER = "timed_adapter"


class Times(NamedTuple):
    """Seconds of processors that one worker took, up to its latest problem."""

    started: float
    imported: float
    ran: float
    total: float


class Timed:
    """Runs what another adapter does.

    Args:
        options: Those of the other one, and its name as `timed_adapter`.

    """

    def __init__(self, **options: Scalar) -> None:
        module, _, name = str(options.pop(_INNER)).partition(":")
        self._started = time.process_time()
        self._inner = getattr(importlib.import_module(module), name)(**options)
        self._imported = time.process_time() - self._started
        self._ran = 0.0

    def versions(self) -> dict[str, str]:
        """Give the other's."""
        return dict(self._inner.versions())

    def settings(self) -> dict[str, Scalar]:
        """Give the other's."""
        return dict(self._inner.settings())

    def run(self, problem: Problem) -> Outcome:
        """Compute a problem, and say how long all took so far."""
        begun = time.process_time()
        try:
            found: Outcome = self._inner.run(problem)
        finally:
            now = time.process_time()
            self._ran += now - begun
            times = Times(self._started, self._imported, self._ran, now)
            print(_SAYS + json.dumps(times), file=sys.stderr, flush=True)
        return found


def timed(info: BackendInfo) -> BackendInfo:
    """Give a backend that says how long it takes."""
    options = {**info.options, _INNER: info.adapter}
    return replace(info, adapter="benchmarks.timed:Timed", options=options)


def said(log: Path) -> Times:
    """Read what a worker said last."""
    lines = log.read_text(errors="replace").splitlines()
    *_, last = (line for line in lines if line.startswith(_SAYS))
    return Times(*json.loads(last.removeprefix(_SAYS)))
