"""Views of report.json: each writer reads the results model and nothing else.

In Python `read_report` gives a frame to compute with, `view_report` a view to look at.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from rnn_parity_reports.results import read_report_document
from rnn_parity_reports.view import view_report

if TYPE_CHECKING:
    import pandas as pd


def read_report(path: "Path | str") -> "pd.DataFrame":
    """Read a report as a tidy pandas DataFrame: one row for each case and backend.

    Args:
        path: A report.json, or the folder of a run.

    Raises:
        rnn_parity_core.errors.FileError: It is not a whole report.
        rnn_parity_core.errors.UsageError: pandas is not installed.

    """
    from rnn_parity_reports.table import to_frame  # noqa: PLC0415 - pandas is an extra

    return to_frame(read_report_document(Path(path)))


__all__ = ["read_report", "view_report"]
