"""The verdicts of a run: the table, and the words below it."""

import math
from collections.abc import Iterator
from statistics import median

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnn_parity.terminal.common import (
    CELL_WIDTH,
    COLOURS,
    LABEL_STYLES,
    count,
    header,
    verdicts,
)
from rnn_parity_core.errors import clean
from rnn_parity_reports.describe import (
    MARKS,
    and_others,
    by_estimate,
    group_by_cause,
    mark_of,
    number_of,
    verdicts_of,
    without_place,
)
from rnn_parity_reports.results import Report, Result

_MOST_WORDS = 10
_MOST_GAPS = 4


def show_report(console: Console, report: Report, where: str) -> None:
    """Print the table, what differs, what else there is to know, and where."""
    console.print(_matrix(report))
    troubled = group_by_cause(report.results)
    for results in troubled[:_MOST_WORDS]:
        _show_trouble(console, results)
    if left := sum(map(len, troubled[_MOST_WORDS:])):
        console.print(f"… and {left} more in the report")
    console.print()
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for label, text in _facts(report):
        style = LABEL_STYLES.get(label, "dim")
        facts.add_row(Text(label, style), text)
    console.print(facts)
    path = Text.assemble(("report  ", "dim"), (clean(where), "bold"))
    console.print(path, soft_wrap=True)


def _matrix(report: Report) -> Table:
    """Cases down, backends across, in each cell the verdict and the bound_ratio."""
    by_case: dict[str, dict[str, Result]] = {}
    for result in report.results:
        by_case.setdefault(result.case, {})[result.backend] = result
    backends = list(dict.fromkeys(result.backend for result in report.results))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("case", overflow="fold", vertical="bottom")
    for backend in backends:
        table.add_column(header(backend), overflow="fold", min_width=CELL_WIDTH)
    for case, results in by_case.items():
        cells = [_cell(results[b]) if b in results else Text() for b in backends]
        table.add_row(Text(clean(case)), *cells)
    return table


def _cell(result: Result) -> Text:
    mark, style = mark_of(result), COLOURS[result.verdict]
    number = number_of(result)
    if number is None:
        return Text(mark, style)
    said = f"{number:.2f}"
    if len(said) > len("9.99"):
        said = f"{number:.0e}"
    return Text(f"{mark} {said}", style)


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
        yield "gap", Text(f"and {left} more: rnn-parity backends")


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
