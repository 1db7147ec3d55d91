"""The report as Markdown, short enough for a pull request whatever the run's size.

GitHub takes 65,536 characters in a comment and 1 MiB in a step summary.
"""

from rnn_parity_reports.describe import (
    MARKS,
    and_others,
    by_estimate,
    group_by_cause,
    headline,
    verdict_of,
    what_differs,
)
from rnn_parity_reports.matrix import MOST_CASES, MatrixRow, backends, by_case, by_cell
from rnn_parity_reports.results import Report
from rnn_parity_reports.templating import environment, escape

_MOST_ITEMS = 20
_MOST_CHARACTERS = 30_000
"""Of the folded rows: what does not fit is in report.json."""


def to_markdown(report: Report) -> str:
    """Render headline, failures, matrix and environment."""
    rows = by_case(report)
    many = len(rows) > MOST_CASES
    troubled = group_by_cause(report.results)
    return (
        environment(html=False)
        .get_template("report.md.jinja")
        .render(
            report=report,
            headline=headline(report),
            title=what_differs(report),
            verdict_of=verdict_of,
            marks=MARKS,
            estimated=any(map(by_estimate, report.results)),
            backends=backends(report),
            summed=by_cell(report) if many else [],
            rows=_fitting(rows) if many else rows,
            cases=len(rows),
            many=many,
            troubled=troubled[:_MOST_ITEMS],
            and_others=and_others,
            left_out=sum(map(len, troubled[_MOST_ITEMS:])),
            odd=list(report.outliers.items()),
            not_shown=list(
                dict.fromkeys(note for r in report.results for note in r.not_shown)
            ),
            most=_MOST_ITEMS,
        )
    )


def _fitting(rows: list[MatrixRow]) -> list[MatrixRow]:
    """Give the first rows, as many as there is space for."""
    space, found = _MOST_CHARACTERS, []
    for row in rows:
        space -= len(escape(row.name)) + sum(len(cell.text) + 3 for cell in row.cells)
        if space < 0:
            break
        found.append(row)
    return found
