"""Every file that a run leaves for readers."""

import csv
import io
from collections.abc import Callable

from rnn_parity_core.errors import clean
from rnn_parity_reports.html import to_html
from rnn_parity_reports.junit import to_junit
from rnn_parity_reports.markdown import to_markdown
from rnn_parity_reports.results import Report, encode
from rnn_parity_reports.rows import COLUMNS, rows

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_WHITE = "\t\r\n"


def write_views(report: Report, write: Callable[[str, bytes], object]) -> None:
    """Write report.json and its views by `write(name, data)`, into the run's folder."""
    write("report.json", encode(report))
    write("report.html", to_html(report).encode())
    write("report.md", to_markdown(report).encode())
    write("results.csv", to_csv(report).encode())
    write("junit.xml", to_junit(report))


def to_csv(report: Report) -> str:
    """Write the rows as CSV.

    Text that a spreadsheet would compute is quoted, and control characters are
    replaced: Parquet is what keeps every character.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows([inert(value) for value in row] for row in rows(report))
    return file.getvalue()


def inert(value: object) -> object:
    """Give a cell of a CSV file such that no spreadsheet computes it."""
    if not isinstance(value, str):
        return value
    quoted = f"'{value}" if value.startswith(_FORMULA_SIGNS) else value
    return "".join(c if c in _WHITE else clean(c) for c in quoted)
