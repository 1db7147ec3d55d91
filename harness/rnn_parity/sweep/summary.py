"""What a sweep found, summed up slice by slice: no more is held than is shown."""

import csv
import io
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from rnn_parity.judge.fixed_tolerances import FIXED_TOLERANCES
from rnn_parity.sweep.messages import FailureKind
from rnn_parity_core import Case
from rnn_parity_core.exit_status import Exit, exit_of
from rnn_parity_core.files import replacing
from rnn_parity_reports.csv_rows import inert
from rnn_parity_reports.results import COMPUTED, GOOD

MOST_KINDS = 10_000
"""That are told apart; of a broken backend whose words differ each time there is no
end."""

FAILURES = ("case", "backend", "verdict", "kind", "detail", "reproduce")
"""Columns of failures.csv."""


@dataclass
class Tally:
    """What one backend made of a suite."""

    verdicts: Counter[str] = field(default_factory=Counter)
    fixed_tolerances: Counter[str] = field(default_factory=Counter)
    """Fixed tolerance → networks that pass here, and that it calls broken."""
    bound_ratios: dict[tuple[str, str], "array[float]"] = field(
        default_factory=lambda: defaultdict(lambda: array("d"))
    )
    """Cell and dtype → error / bound of each network that passes."""

    @property
    def computed(self) -> int:
        """Networks that were computed and judged."""
        return sum(self.verdicts[verdict] for verdict in COMPUTED)

    def add(self, row: dict[str, Any]) -> None:
        """Count one row."""
        self.verdicts[row["verdict"]] += 1
        if row["verdict"] in GOOD:
            failing = (
                row["fixed_tolerances_failing"].split("; ")
                if row["fixed_tolerances_failing"]
                else ()
            )
            self.fixed_tolerances.update(
                name for name in failing if name in FIXED_TOLERANCES
            )
            if row["verdict"] == "pass" and row["bound_ratio"] is not None:
                self.bound_ratios[row["cell"], row["dtype"]].append(row["bound_ratio"])


@dataclass
class FailureGroup:
    """Failures of one kind."""

    count: int
    smallest: Case
    number: int
    """Of the smallest, in the suite."""


@dataclass
class Summary:
    """What all backends made of a suite."""

    tallies: dict[str, Tally]
    kinds: dict[FailureKind, FailureGroup] = field(default_factory=dict)
    left_out: int = 0
    """Failures of kinds beyond the most that are told apart."""

    @property
    def verdicts(self) -> Counter[str]:
        """Verdict → how often it was given, on all backends."""
        tallies = (tally.verdicts for tally in self.tallies.values())
        return sum(tallies, Counter[str]())

    def exit_status(self, *, strict: bool = False) -> Exit:
        """0 nothing is wrong, 1 a difference, 2 nothing compared, 3 a crash or a hang.

        Args:
            strict: Whether what is inconclusive counts: then 4.

        """
        verdicts = self.verdicts
        return exit_of(
            wrong=verdicts["fail"],
            crashed=verdicts["error"],
            done=any(verdicts[verdict] for verdict in COMPUTED),
            unshown=strict and verdicts["inconclusive"],
        )

    def add(self, number: int, case: Case, row: dict[str, Any]) -> None:
        """Count one row."""
        self.tallies[row["backend"]].add(row)
        if not row["kind"]:
            return
        kind = FailureKind(
            row["backend"], case.cell, case.task, row["verdict"], row["kind"]
        )
        found = self.kinds.get(kind)
        if found:
            found.count += 1
            if size(case) < size(found.smallest):
                found.smallest, found.number = case, number
        elif len(self.kinds) < MOST_KINDS:
            self.kinds[kind] = FailureGroup(1, case, number)
        else:
            self.left_out += 1


def size(case: Case) -> tuple[float, ...]:
    """Say how much there is to look at in a case; less is smaller."""
    numbers = case.steps * case.layers * len(case.directions) * case.units * case.batch
    options = (
        case.time_major + case.zero_length + (case.direction != "forward") + case.bias
    )
    rest = case.features + case.projection + case.vocabulary
    return float(numbers), float(rest), float(options), abs(np.log2(case.gain))


def summed_up(
    backends: Iterable[str],
    rows: Iterable[tuple[int, Case, dict[str, Any]]],
    failures: Path,
) -> Summary:
    """Go once through all rows, and write those that fail to a file.

    Raises:
        FileError: The file cannot be written.

    """
    summary = Summary({name: Tally() for name in backends})
    with replacing(failures) as file:
        _write_line(file, FAILURES)
        for number, case, row in rows:
            summary.add(number, case, row)
            if row["kind"]:
                _write_line(file, [row[name] for name in FAILURES])
    return summary


def _write_line(file: IO[bytes], cells: Iterable[object]) -> None:
    line = io.StringIO()
    csv.writer(line).writerow([inert(cell) for cell in cells])
    file.write(line.getvalue().encode())


def table(summary: Summary) -> list[list[str]]:
    """Give what came of each backend, titles first: a table of docs/measurements.md."""
    titles = ["backend", "right networks", "called broken", "not shown", "largest"]
    lines = [[*titles, *FIXED_TOLERANCES, "gap", "error", "absent"]]
    for name, tally in summary.tallies.items():
        largest = max((max(of) for of in tally.bound_ratios.values()), default=0.0)
        numbers = [
            tally.computed,
            tally.verdicts["fail"],
            tally.verdicts["inconclusive"],
        ]
        rest = [tally.fixed_tolerances[peer] for peer in FIXED_TOLERANCES]
        rest += [tally.verdicts[verdict] for verdict in ("gap", "error", "absent")]
        lines.append([name, *_in_words(numbers), f"{largest:.2f}", *_in_words(rest)])
    return lines


def medians(summary: Summary) -> list[list[str]]:
    """Give the median error / bound by backend and cell, a column for each dtype."""
    dtypes = sorted({d for t in summary.tallies.values() for _, d in t.bound_ratios})
    lines = [["backend", "cell", *dtypes]]
    for name, tally in summary.tallies.items():
        for cell in sorted({cell for cell, _ in tally.bound_ratios}):
            every = [
                tally.bound_ratios.get((cell, dtype), array("d")) for dtype in dtypes
            ]
            lines.append([name, cell, *map(_median, every)])
        together = [
            [h for (_, d), of in tally.bound_ratios.items() if d == dtype for h in of]
            for dtype in dtypes
        ]
        lines.append([name, "all cells", *map(_median, together)])
    return lines


def _median(of: Sequence[float]) -> str:
    return f"{np.median(of):.3f}" if len(of) else ""


def _in_words(numbers: Iterable[int]) -> Iterator[str]:
    return (f"{number:,}" for number in numbers)
