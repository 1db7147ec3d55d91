"""The report as a pandas DataFrame, and as Parquet."""

import io
from typing import get_args

from rnn_parity_core import UsageError
from rnn_parity_reports.results import Report, Verdict
from rnn_parity_reports.rows import COLUMNS, REALS, TEXTS, rows

try:
    import pandas as pd
except ModuleNotFoundError:
    raise UsageError(
        "pandas is not installed; install it with: pip install 'rnn-parity[report]'"
    ) from None


def dtypes() -> dict[str, "str | pd.CategoricalDtype[str]"]:
    """Give each column's dtype; all of them know a missing value.

    `pd.read_csv(file, dtype=dtypes(), keep_default_na=False, na_values=[""])` reads
    results.csv as `to_frame` reads report.json.
    """
    found: dict[str, str | pd.CategoricalDtype[str]] = {
        name: "string" if name in TEXTS else "Float64" if name in REALS else "Int64"
        for name in COLUMNS
    }
    found["verdict"] = pd.CategoricalDtype(list(get_args(Verdict)))
    return found


def to_frame(report: Report) -> pd.DataFrame:
    """Give one row for each case and backend; see `rnn_parity.read_report`."""
    table = [[None if value == "" else value for value in row] for row in rows(report)]
    frame = pd.DataFrame(table, columns=pd.Index(COLUMNS), dtype=object)
    return frame.astype(dtypes())


def to_parquet(report: Report) -> bytes:
    """Give the frame as the bytes of a Parquet file.

    Raises:
        rnn_parity_core.errors.UsageError: pyarrow is not installed.

    """
    file = io.BytesIO()
    try:
        to_frame(report).to_parquet(file, engine="pyarrow")
    except ImportError:
        raise UsageError(
            "pyarrow is not installed; install it with: "
            "pip install 'rnn-parity[report]'"
        ) from None
    return file.getvalue()
