"""The verdicts of a run: the table, and the words below it."""

import math
from collections.abc import Iterator
from statistics import median

from rich.console import Console
from rich.text import Text

from rnn_parity.terminal.common import (
    COLOURS,
    count,
    show_facts,
    verdicts,
)
from rnn_parity.terminal.rows import show_rows
from rnn_parity_core import clean
from rnn_parity_reports.describe import (
    MARKS,
    and_others,
    by_estimate,
    group_by_cause,
    mark_of,
    verdicts_of,
    without_place,
)
from rnn_parity_reports.matrix import MatrixRow, backends, by_case, by_cell
from rnn_parity_reports.results import BAD, Report, Result

_MOST_WORDS = 10
_MOST_ROWS = 20
_MOST_GAPS = 4


def show_report(
    console: Console,
    report: Report,
    where: str,
    *,
    verbose: bool = False,
    quiet: bool = False,
) -> None:
    """Print the table, what differs, what else there is to know, and where.

    Args:
        console: Where it is shown.
        report: What is shown.
        where: Where the rest is.
        verbose: Whether each case has a row, however many there are; else of many
            those that fail have one, and all are summed up by cell.
        quiet: Whether only what differs and the verdict are shown.

    """
    if not quiet:
        _show_rows(console, report, verbose=verbose)
    troubled = group_by_cause(report.results)
    for results in troubled[: None if verbose else _MOST_WORDS]:
        _show_trouble(console, results)
    if left := 0 if verbose else sum(map(len, troubled[_MOST_WORDS:])):
        console.print(f"… and {left} more: -v, or the report")
    if quiet:
        console.print(verdicts(verdicts_of(report.results)))
        return
    console.print()
    show_facts(console, [*_facts(report), ("report", Text(clean(where), "bold"))])


def _show_rows(console: Console, report: Report, *, verbose: bool) -> None:
    """Print cases down and backends across; of many those that fail, and a summary."""
    rows = by_case(report)
    names = backends(report)
    if verbose or len(rows) <= _MOST_ROWS:
        show_rows(console, "case", names, [(row.name, _cells(row)) for row in rows])
        return
    bad = [row for row in rows if any(cell.verdict in BAD for cell in row.cells)]
    shown = [(row.name, _cells(row)) for row in bad[:_MOST_ROWS]]
    if shown:
        show_rows(console, f"{count(bad, 'case')} of {len(rows)}", names, shown)
        console.print()
    summed = [(row.name, _cells(row)) for row in by_cell(report)]
    show_rows(console, "worst of each cell", names, summed)
    left = f"; {len(bad) - _MOST_ROWS} more that fail" if len(bad) > _MOST_ROWS else ""
    console.print(f"{count(rows, 'case')}, each with a row: -v{left}", style="dim")


def _cells(row: MatrixRow) -> list[Text]:
    return [
        Text(cell.short, COLOURS[cell.verdict] if cell.verdict else "")
        for cell in row.cells
    ]


def _facts(report: Report) -> Iterator[tuple[str, Text]]:
    """Give what stands below the table, as labels and words."""
    yield "verdict", verdicts(verdicts_of(report.results))
    yield (
        "numbers",
        Text("error / bound, the worst of each case; above 1 fails"),
    )
    if report.summary.inconclusive:
        mark = MARKS["inconclusive"]
        words = f"{mark} inconclusive: nothing is shown, neither right nor wrong"
        yield "", Text(words)
    if any(map(by_estimate, report.results)):
        mark = MARKS["consistent"]
        words = f"{mark} estimate, no bound: worst error / what right implementations "
        yield "", Text(f"{words}may differ by; above 1 fails")
    if published := [r for r in report.results if r.published]:
        yield "published", _published(published)
    if judged := [r for r in report.results if r.fixed_tolerances]:
        yield "fixed tolerances", _fixed_tolerances(judged)
    every = (c for r in report.results for c in r.sensitivity.values())
    changes = [change for change in every if change is not None]
    if changes:
        words = (
            f"a weight scaled by 1 + {median(changes):.1g} would fail (median; from "
        )
        words += f"{min(changes):.1g} to {max(changes):.1g})"
        yield "sensitivity", Text(words)
    if report.pairs:
        far = max(report.pairs, key=lambda pair: pair.outputs.max_abs or 0.0)
        words = f"{far.outputs.max_abs or 0:.1e} between {far.first} and {far.second}, "
        words += f"in {far.case}"
        yield "largest difference", Text(clean(words))
    for backend in dict.fromkeys(report.outliers.values()):
        where = [case for case, odd in report.outliers.items() if odd == backend]
        words = f"{backend} differs from all others, which agree, in "
        words += where[0] if len(where) == 1 else count(where, "case")
        yield "outlier", Text(clean(words))
    absent = {r.backend: r.detail for r in report.results if r.verdict == "absent"}
    for backend, detail in absent.items():
        yield "absent", Text(clean(f"{backend}: {without_place(detail)}"))
    yield from _gaps(report)
    for note in dict.fromkeys(note for r in report.results for note in r.not_shown):
        cases = {r.case for r in report.results if note in r.not_shown}
        whole = cases == {r.case for r in report.results}
        some = "" if whole else f" (in {count(cases, 'case')})"
        yield "not shown", Text(clean(f"{note}{some}"))


def _gaps(report: Report) -> Iterator[tuple[str, Text]]:
    """Say what backends do not do and why, if that is quickly said."""
    said = [
        f"{result.backend}: {without_place(result.detail)}"
        for result in report.results
        if result.verdict == "gap"
    ]
    different = list(dict.fromkeys(said))
    for words in different[:_MOST_GAPS]:
        yield "gap", Text(clean(words))
    if left := len(different[_MOST_GAPS:]):
        yield "gap", Text(f"and {left} more: rnn-parity backends -v")


def _fixed_tolerances(results: list[Result]) -> Text:
    """Say what fixed tolerances would have called broken."""
    said = []
    for name in results[0].fixed_tolerances:
        broken = sum(not result.fixed_tolerances[name] for result in results)
        said.append(f"{name} {broken}")
    words = f"would fail, of {len(results)}: {', '.join(said)}"
    return Text(clean(words))


def _published(results: list[Result]) -> Text:
    """Count the printed tables that were reproduced, and name the farthest."""
    tables = within = 0
    worst = (0.0, "")
    for result in results:
        if published := result.published:
            deviation = math.inf if published.max_abs is None else published.max_abs
            tables += published.tables
            within += published.tables * (deviation <= published.allowed)
            worst = max(worst, (deviation, f"{result.backend}, {result.case}"))
    words = f"{within} of {tables} printed tables within 1e-06; farthest {worst[0]:.1e}"
    return Text(clean(f"{words} ({worst[1]})"))


def _show_trouble(console: Console, results: list[Result]) -> None:
    """Say what one result is, and how many others are like it."""
    result = results[0]
    mark, style = mark_of(result), COLOURS[result.verdict]
    words = Text.assemble((f"{mark} ", style), clean(result.detail))
    console.print(words, soft_wrap=True)
    if others := and_others(results):
        console.print(f"  {others}")
    for step in result.next_steps:
        console.print(Text(clean(f"  next: {step}")), soft_wrap=True)
    if result.reproduce:
        words = Text(clean(f"  reproduce: {result.reproduce}"), "dim")
        console.print(words, soft_wrap=True)
