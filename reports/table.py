"""The report as a pandas DataFrame."""

from pathlib import Path

from harness.errors import UsageError
from harness.results import read_report_document
from reports.rows import COLUMNS, rows

try:
    import pandas as pd
except ModuleNotFoundError:
    raise UsageError(
        "pandas is not installed; install it with: pip install 'rnn-parity[report]'"
    ) from None


def to_frame(path: Path | str) -> pd.DataFrame:
    """Give one row for each case and backend; see `reports.read_report`."""
    frame = pd.DataFrame(
        rows(read_report_document(Path(path))), columns=pd.Index(COLUMNS)
    )
    return frame.astype({"case": "string", "backend": "string", "verdict": "string"})
