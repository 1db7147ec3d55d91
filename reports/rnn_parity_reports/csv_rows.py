"""The rows of a report as CSV."""

import csv
import io

from rnn_parity_core import clean
from rnn_parity_reports.results import Report
from rnn_parity_reports.rows import COLUMNS, rows

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_WHITE = "\t\r\n"


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
