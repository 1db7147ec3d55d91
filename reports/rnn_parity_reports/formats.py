"""The formats that a report can be had in; others register theirs.

A distribution names a `ReportFormat` by the entry point group `rnn_parity.reports`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rnn_parity_core import ParityError
from rnn_parity_core.plugins import registered
from rnn_parity_reports.csv_rows import to_csv
from rnn_parity_reports.html import to_html
from rnn_parity_reports.junit import to_junit
from rnn_parity_reports.markdown import to_markdown
from rnn_parity_reports.results import Report, encode

GROUP = "rnn_parity.reports"


@dataclass(frozen=True)
class ReportFormat:
    """A view of a report."""

    name: str
    """What `rnn-parity report --format` calls it."""
    render: Callable[[Report], bytes]
    file: str = ""
    """Its file in the folder of every run; nothing: it is made when asked for."""
    is_binary: bool = False
    """Whether a terminal is no place for it."""


def _parquet(report: Report) -> bytes:
    from rnn_parity_reports.table import to_parquet  # noqa: PLC0415 - pandas is an extra

    return to_parquet(report)


BUILT_IN = (
    ReportFormat("json", encode, "report.json"),
    ReportFormat("html", lambda report: to_html(report).encode(), "report.html"),
    ReportFormat("markdown", lambda report: to_markdown(report).encode(), "report.md"),
    ReportFormat("csv", lambda report: to_csv(report).encode(), "results.csv"),
    ReportFormat("junit", to_junit, "junit.xml"),
    ReportFormat("parquet", _parquet, is_binary=True),
)


def formats() -> dict[str, ReportFormat]:
    """Return every format by name: the built-in ones, then those of others.

    Raises:
        ParityError: One that is registered takes the name of another.

    """
    found = {of.name: of for of in BUILT_IN}
    for origin, of in registered(GROUP, ReportFormat):
        if of.name in found:
            raise ParityError(f"{origin} takes the name {of.name!r}, which is in use")
        found[of.name] = of
    return found


def write_views(report: Report, write: Callable[[str, bytes], object]) -> None:
    """Write report.json and its views by `write(name, data)`, into the run's folder."""
    for of in BUILT_IN:
        if of.file:
            write(of.file, of.render(report))
