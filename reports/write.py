"""Every file that a run leaves for readers."""

import csv
import io

from harness.errors import clean
from harness.results import Report, encode
from harness.store.folder import RunFolder
from reports.html import to_html
from reports.junit import to_junit
from reports.markdown import to_markdown
from reports.rows import COLUMNS, rows

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_WHITE = "\t\r\n"


def write_views(report: Report, folder: RunFolder) -> None:
    """Write report.json and its views into the run's folder."""
    folder.write("report.json", encode(report))
    folder.write("report.html", to_html(report).encode())
    folder.write("report.md", to_markdown(report).encode())
    folder.write("results.csv", to_csv(report).encode())
    folder.write("junit.xml", to_junit(report))


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
