"""A notebook shows the verdict and the matrix, a terminal the verdict in lines."""

import pytest

from rnn_parity.store.folder import RunFolder
from rnn_parity_core import FileError
from rnn_parity_reports import view_report
from rnn_parity_reports.results import Result
from rnn_parity_reports.view import ReportView
from support import report_of

BROKEN = report_of(
    Result("lstm-a", "torch", "pass", 0.25),
    Result("gru-a", "torch", "fail", 3.5, detail="bias dropped"),
)


def test_a_saved_run_is_viewed_by_its_folder(saved_run: RunFolder) -> None:
    view = view_report(str(saved_run.path))
    assert repr(view) == "rnn-parity: 4 of 4 pass"
    assert "notebook-basic-f32" in view._repr_html_()
    assert view.report.summary.passed == 4
    with pytest.raises(FileError, match="cannot read"):
        view_report(saved_run.path / "nowhere")


def test_what_fails_is_said_and_comes_first() -> None:
    view = ReportView(BROKEN)
    assert repr(view).splitlines() == [
        "rnn-parity: 1 of 2 pass, 1 fail",
        "fail: bias dropped",
    ]
    html = view._repr_html_()
    assert '<strong class="fail">rnn-parity: 1 of 2 pass, 1 fail</strong>' in html
    assert html.index('<td class="fail">✗ 3.5</td>') < html.index("✓ 0.25")


def test_many_cases_are_summed_up_by_cell() -> None:
    results = [
        Result(f"{cell}-{n}", "torch", "fail" if n == 7 else "pass", n / 100)
        for cell in ("gru", "lstm")
        for n in range(30)
    ]
    html = ReportView(report_of(*results))._repr_html_()
    assert html.count("<tr>") == 3
    assert html.count("✗ 1 of 30, 0.29") == 2
