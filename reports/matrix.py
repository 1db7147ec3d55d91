"""Cases down, backends across: what every short view shows first."""

from collections.abc import Callable
from typing import NamedTuple

from harness.results import Report, Result, Verdict

MOST_CASES = 40
"""Cases that have a row each in a short view; with more, cells are summed up."""

MARKS = {"pass": "✓", "fail": "✗", "gap": "gap", "error": "error", "absent": "absent"}
_SERIOUS: tuple[Verdict, ...] = ("fail", "error", "absent", "gap", "pass")


class Cell(NamedTuple):
    """What is said of one row on one backend; both empty where there is nothing."""

    verdict: str
    text: str


class Row(NamedTuple):
    """One case, or all cases of one of the networks' cells."""

    name: str
    cells: list[Cell]
    """One for each backend, in the order of `backends`."""


def backends(report: Report) -> list[str]:
    """Give the backends' names in the order they came."""
    return list(dict.fromkeys(result.backend for result in report.results))


def by_case(report: Report) -> list[Row]:
    """Give a row for each case; what fails on some backend comes first."""
    return _rows(report, lambda result: result.case)


def by_cell(report: Report) -> list[Row]:
    """Give a row for each cell, summed up; what fails somewhere comes first."""
    return _rows(report, lambda result: result.case.partition("-")[0])


def _rows(report: Report, key: Callable[[Result], str]) -> list[Row]:
    found: dict[str, dict[str, list[Result]]] = {}
    for result in report.results:
        of = found.setdefault(key(result), {})
        of.setdefault(result.backend, []).append(result)
    names = backends(report)
    rows = [
        Row(name, [_cell(of.get(backend, [])) for backend in names])
        for name, of in found.items()
    ]
    return sorted(rows, key=_badness)


def _badness(row: Row) -> int:
    return min(_SERIOUS.index(c.verdict) for c in row.cells if c.verdict in _SERIOUS)


def _cell(results: list[Result]) -> Cell:
    """Say what is worst in one cell, and how many there are if there are several."""
    if not results:
        return Cell("", "")
    worst = min((r.verdict for r in results), key=_SERIOUS.index)
    said = MARKS[worst]
    if len(results) > 1:
        count = sum(r.verdict == worst for r in results)
        said += f" {count} of {len(results)}"
    heads = [r.headroom for r in results if r.verdict in {"pass", "fail"}]
    if known := [headroom for headroom in heads if headroom is not None]:
        said += f"{',' * (len(results) > 1)} {max(known):.3g}"
    return Cell(worst, said)
