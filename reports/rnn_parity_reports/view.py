"""The report as an object that notebooks show: verdict, matrix, what differs."""

from pathlib import Path

from rnn_parity_reports.describe import headline, verdict_of
from rnn_parity_reports.matrix import MOST_CASES, backends, by_case, by_cell
from rnn_parity_reports.results import BAD, Report, read_report_document
from rnn_parity_reports.templating import cleaned, environment

_MOST_ITEMS = 10


class ReportView:
    """A report to look at; `report` is what it shows.

    Args:
        report: The results model's document.

    """

    def __init__(self, report: Report) -> None:
        self.report = report

    def __repr__(self) -> str:
        """Say the verdict, and each failure in a line, where no HTML is shown."""
        return "\n".join([self._headline(), *self._troubles()])

    def _repr_html_(self) -> str:
        """Show the verdict and the matrix; inherits the notebook's colours."""
        rows = by_case(self.report)
        many = len(rows) > MOST_CASES
        return (
            environment(html=True)
            .get_template("view.html.jinja")
            .render(
                headline=self._headline(),
                status=self.report.exit_status,
                backends=backends(self.report),
                rows=by_cell(self.report) if many else rows,
                of="cell" if many else "case",
                troubles=self._troubles(),
            )
        )

    def _headline(self) -> str:
        return f"rnn-parity: {headline(self.report)}"

    def _troubles(self) -> list[str]:
        bad = [r for r in self.report.results if r.verdict in {*BAD, "inconclusive"}]
        bad.sort(key=lambda result: result.verdict not in BAD)
        said = [cleaned(f"{verdict_of(r)}: {r.detail}") for r in bad[:_MOST_ITEMS]]
        more = len(bad) - _MOST_ITEMS
        return [*said, f"… and {more} more"] if more > 0 else said


def view_report(path: Path | str) -> ReportView:
    """Read a report to look at: Jupyter shows its matrix, a terminal its verdict.

    Args:
        path: A report.json, or the folder of a run.

    Raises:
        rnn_parity_core.errors.FileError: It is not a whole report.

    """
    return ReportView(read_report_document(Path(path)))
