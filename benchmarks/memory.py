"""Print what the main process holds while it computes and judges many random cases.

    python -m benchmarks.memory 1000,10000

Resident memory after computing and after judging, for runs of so many cases on NumPy;
descriptors, threads and workers that are left are counted too.
"""

import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from rnn_parity.runs.observer import RunObserver
from rnn_parity.runs.registry import select_backends
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.store.record import Entry
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Result

_MIB = 2**20


class Memory(RunObserver):
    """Takes what is resident now and then: at the start, the most, and each tenth."""

    def __init__(self, total: int) -> None:
        self._every = max(1, total // 10)
        self._seen = 0
        self.at_work: list[int] = []
        self.at_judging: list[int] = []

    def on_case_end(self, entry: Entry) -> None:  # noqa: ARG002 - a hook
        """Look after a tenth of the cases."""
        self._seen += 1
        if self._seen % self._every == 0:
            self.at_work.append(resident())

    def on_judged(self, results: list[Result], total: int) -> None:  # noqa: ARG002 - a hook
        """Look after a tenth of the cases."""
        self._seen += 1
        if self._seen % self._every == 0:
            self.at_judging.append(resident())


def resident() -> int:
    """Give this process's resident memory in MiB."""
    return int(psutil.Process().memory_info().rss / _MIB)


def most() -> int:
    """Give the most resident memory that this process has had, in MiB."""
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MIB)


def main(counts: str) -> None:
    """Run each number of cases in turn, in this process."""
    infos = select_backends(["numpy"])
    for count in map(int, counts.split(",")):
        before, begun = resident(), time.monotonic()
        cases = catalogue.select([f"random:{count}:1"], [], [])
        memory = Memory(count)
        with tempfile.TemporaryDirectory(prefix="rnn-parity-") as path:
            out = Path(path) / "run"
            folder = compute(
                cases, infos, out, jobs=1, timeout=300, memory=0, observer=memory
            )
            computed = time.monotonic() - begun
            print(
                f"{count} cases: {before} MiB before; computing {memory.at_work} "
                f"({computed:.0f} s)",
                flush=True,
            )
            report = judge_and_write(folder, 2, memory)
        process = psutil.Process()
        print(
            f"judging {memory.at_judging}, {most()} at most, to write the report, "
            f"after {resident()} MiB ({time.monotonic() - begun - computed:.0f} s); "
            f"{report.summary.passed} pass; left {process.num_fds()} descriptors, "
            f"{threading.active_count()} threads, {len(process.children())} processes",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
