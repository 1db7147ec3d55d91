"""What a sweep leaves for readers: a page of Markdown, the smallest cases as CSV."""

import csv
import io
import re
from collections.abc import Iterator

from rnn_parity.sweep.messages import Sweep, again
from rnn_parity.sweep.shrink import Shrunk
from rnn_parity.sweep.summary import MOST_KINDS, Summary, medians, table
from rnn_parity_reports.csv_rows import inert
from rnn_parity_reports.templating import code, escape

_NUMBER = re.compile(r"[-\d.,]*")
_SMALLEST = (
    *("backend", "cell", "task", "verdict", "kind", "cases", "found", "smallest"),
    *("detail", "reproduce"),
)


def smallest_csv(shrunk: list[Shrunk]) -> str:
    """Give the smallest case of each kind of failure, a line each."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_SMALLEST)
    for each in shrunk:
        detail = each.result.detail if each.result else ""
        cells = [*each.kind, each.count, each.found.id, each.smallest.id, detail]
        command = again(each.smallest, each.kind.backend)
        writer.writerow([inert(cell) for cell in (*cells, command)])
    return file.getvalue()


def to_markdown(sweep: Sweep, summary: Summary, shrunk: list[Shrunk]) -> str:
    """Sum up what came of each backend, what fails, by what it was computed."""
    lines = [f"# Sweep of {escape(', '.join(sweep.suite))}", ""]
    lines += [f"{sweep.cases:,} cases on each of {len(sweep.backends)} backends.", ""]
    lines += [*_table(table(summary)), ""]
    lines += [
        "## Median error / bound where it passes",
        "",
        *_table(medians(summary)),
        "",
    ]
    if summary.kinds:
        lines += ["## What fails, and the smallest case that does", ""]
        lines += _failures(summary, shrunk)
    lines += ["## By what it was computed", ""]
    for name, identity in sweep.backends.items():
        said = {**identity.versions, "python": identity.python, **identity.settings}
        words = ", ".join(f"{key} {value}" for key, value in said.items())
        lines.append(f"- {code(name)}: {escape(words)}")
    lines += ["", f"Begun {escape(sweep.environment.started)}.", ""]
    return "\n".join(lines)


def _table(rows: list[list[str]]) -> Iterator[str]:
    titles, *rest = rows
    for cells in (titles, ["---"] * len(titles), *rest):
        words = [c if _NUMBER.fullmatch(c) else escape(c) for c in cells]
        yield f"| {' | '.join(words)} |"


def _failures(summary: Summary, shrunk: list[Shrunk]) -> Iterator[str]:
    for each in shrunk:
        kind = each.kind
        yield (
            f"- {escape(kind.backend)}, {escape(kind.cell)}, {kind.task}: "
            f"{kind.verdict}: {escape(kind.what)}, in {each.count:,} cases; "
            f"the smallest: {code(again(each.smallest, kind.backend))}"
        )
    yield ""
    yield from (f"{words}." for words in left_out(summary, shrunk))
    yield "All are in failures.csv."
    yield ""


def left_out(summary: Summary, shrunk: list[Shrunk]) -> Iterator[str]:
    """Say what was not shrunk, or not told apart."""
    if rest := len(summary.kinds) - len(shrunk):
        yield f"{rest:,} rarer kinds of failure were not shrunk"
    if summary.left_out:
        yield (
            f"{summary.left_out:,} failures are of yet other kinds than the first "
            f"{MOST_KINDS:,}"
        )
