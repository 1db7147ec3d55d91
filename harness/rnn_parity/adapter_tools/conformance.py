"""What proves an adapter: every case of a suite, relations, accuracies; all counted."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rnn_parity.adapter_tools.measure import Measurement, measure_backends
from rnn_parity.adapter_tools.measure import exit_status as accuracy_status
from rnn_parity.checks.metamorphic import RelationTrial, relate
from rnn_parity.checks.metamorphic import exit_status as relations_status
from rnn_parity.runs.observer import RunObserver
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity_core import BackendInfo, Case
from rnn_parity_core.exit_status import Exit
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_reports.describe import without_place
from rnn_parity_reports.results import BAD, GOOD, Report, Result

SAMPLES = 20_000
"""Arguments of each elementwise function; in half precisions all there are."""

EACH = 2
"""Cases that each relation is tried in."""


class Proof(NamedTuple):
    """What a backend did with everything that it was asked."""

    report: Report
    relations: list[RelationTrial]
    accuracy: list[Measurement]

    @property
    def gaps(self) -> dict[str, int]:
        """Reason of each declared gap → how many cases it kept from being computed."""
        declared = [r.detail for r in self.report.results if r.verdict == "gap"]
        return dict(Counter(without_place(detail) for detail in declared))

    @property
    def troubles(self) -> list[str]:
        """What is wrong, a line each."""
        wrong = [r.detail for r in self.report.results if _is_wrong(r)]
        return [*wrong, *violations(self.relations), *not_kept(self.accuracy)]

    @property
    def exit_status(self) -> Exit:
        """0 proven, 1 a difference, 2 nothing compared, 3 a crash or a hang."""
        said = {self.report.exit_status, accuracy_status(self.accuracy)}
        said |= {relations_status(self.relations)} if self.relations else set()
        # Generated cases of which nothing is shown are counted, and no more.
        said.discard(Exit.INCONCLUSIVE)
        return next(status for status in Exit if status in said or not status)


def violations(trials: list[RelationTrial]) -> list[str]:
    """Say which relations are violated, or could not be tried."""
    return [t.words for t in trials if t.status in {"violated", "error", "absent"}]


def not_kept(rows: list[Measurement]) -> list[str]:
    """Say which accuracies are not as stated, or could not be measured."""
    fine = {"kept", "gap", "unmeasured"}
    return [
        f"accuracy of {row.function} in {row.dtype}: {row.status}; {row.detail}"
        for row in rows
        if row.status not in fine
    ]


def _is_wrong(result: Result) -> bool:
    return result.verdict in {*BAD, "absent"}


def prove(
    info: BackendInfo, cases: list[Case], out: Path, observer: RunObserver | None = None
) -> Proof:
    """Ask a backend for everything; its report is written to the folder `out`.

    Raises:
        FileError: The folder cannot be used.

    """
    folder = compute(cases, [info], out, jobs=1, timeout=TIMEOUT, observer=observer)
    report = judge_and_write(folder)
    relations = []
    if any(result.verdict in GOOD for result in report.results):
        relations = relate([info], cases, each=EACH, jobs=1)
    dtypes = list(dict.fromkeys(case.dtype for case in cases if not info.gap(case)))
    return Proof(report, relations, measure_backends([info], dtypes, SAMPLES))
