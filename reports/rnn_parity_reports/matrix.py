"""Cases down, backends across: what every short view shows first."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from rnn_parity_reports.describe import SEVERITY, mark_of, number_of
from rnn_parity_reports.results import BAD, COMPUTED, Report, Result, Verdict

MOST_CASES = 40
"""Cases that have a row each in a short view; with more, cells are summed up."""


class MatrixCell(NamedTuple):
    """What is said of one row on one backend; both empty where there is nothing."""

    verdict: Verdict | Literal[""]
    text: str
    short: str = ""
    """As short as can be: the mark, and one number."""


class MatrixRow(NamedTuple):
    """One case, or all cases of one of the networks' cells."""

    name: str
    cells: list[MatrixCell]
    """One for each backend, in the order of `backends`."""


def backends(report: Report) -> list[str]:
    """Give the backends' names in the order they came."""
    return list(dict.fromkeys(result.backend for result in report.results))


def by_case(report: Report) -> list[MatrixRow]:
    """Give a row for each case; what fails on some backend comes first."""
    return _rows(report, lambda result: result.case)


def by_cell(report: Report) -> list[MatrixRow]:
    """Give a row for each cell, summed up; what fails somewhere comes first."""
    return _rows(report, lambda result: result.case.partition("-")[0])


def _rows(report: Report, key: Callable[[Result], str]) -> list[MatrixRow]:
    found: dict[str, dict[str, list[Result]]] = {}
    for result in report.results:
        of = found.setdefault(key(result), {})
        of.setdefault(result.backend, []).append(result)
    names = backends(report)
    rows = [
        MatrixRow(name, [_cell(of.get(backend, [])) for backend in names])
        for name, of in found.items()
    ]
    return sorted(rows, key=_badness)


def _badness(row: MatrixRow) -> int:
    return min(SEVERITY.index(c.verdict) for c in row.cells if c.verdict)


def _cell(results: list[Result]) -> MatrixCell:
    """Say what is worst in one cell, and how many there are if there are several."""
    if not results:
        return MatrixCell("", "")
    worst = min((r.verdict for r in results), key=SEVERITY.index)
    alike = [result for result in results if result.verdict == worst]
    said = mark_of(alike[0])
    if len(results) > 1:
        said += f" {len(alike)} of {len(results)}"
    numbers = [number_of(r) for r in results if r.verdict in COMPUTED]
    if known := [number for number in numbers if number is not None]:
        said += f"{',' * (len(results) > 1)} {max(known):.3g}"
    return MatrixCell(worst, said, _short(results, alike))


def _short(results: list[Result], worst: list[Result]) -> str:
    """Give the mark and how many are bad; else the worst number of those that pass."""
    if len(results) > 1 and worst[0].verdict in BAD | {"inconclusive"}:
        return f"{mark_of(worst[0])} {len(worst)}/{len(results)}"
    shown = [result for result in results if number_of(result) is not None]
    result = max(shown, key=lambda of: number_of(of) or 0.0, default=worst[0])
    number = number_of(result)
    if number is None:
        return mark_of(result)
    text = f"{number:.2f}"
    return f"{mark_of(result)} {text if len(text) <= len('9.99') else f'{number:.0e}'}"
