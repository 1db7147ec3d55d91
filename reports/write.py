"""Every file that a run leaves for readers."""

import csv
import io

from harness.folder import RunFolder
from harness.results import Report, encode
from reports.html import to_html
from reports.markdown import to_markdown
from reports.rows import COLUMNS, rows

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_views(report: Report, folder: RunFolder) -> None:
    """Write report.json and its views into the run's folder."""
    folder.write("report.json", encode(report))
    folder.write("report.html", to_html(report).encode())
    folder.write("report.md", to_markdown(report).encode())
    folder.write("results.csv", to_csv(report).encode())


def to_csv(report: Report) -> str:
    """Write the rows as CSV; text that a spreadsheet would compute is quoted."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows([_inert(value) for value in row] for row in rows(report))
    return file.getvalue()


def _inert(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_SIGNS):
        return f"'{value}"
    return value
