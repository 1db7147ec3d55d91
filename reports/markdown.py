"""The report as Markdown, short enough for a pull request."""

from harness.results import Report, Result
from reports.templating import environment

_MARKS = {"pass": "✓", "fail": "✗", "gap": "gap", "error": "error", "absent": "absent"}
_MOST_FAILURES = 20


def to_markdown(report: Report) -> str:
    """Render headline, matrix of headrooms, failures and environment."""
    by_case: dict[str, dict[str, Result]] = {}
    for result in report.results:
        by_case.setdefault(result.case, {})[result.backend] = result
    backends = list(dict.fromkeys(result.backend for result in report.results))
    troubled = [r for r in report.results if r.verdict in {"fail", "error"}]
    return (
        environment(html=False)
        .get_template("report.md.jinja")
        .render(
            report=report,
            backends=backends,
            by_case=by_case,
            cell=_cell,
            troubled=troubled[:_MOST_FAILURES],
            left_out=max(len(troubled) - _MOST_FAILURES, 0),
            weak=list(dict.fromkeys(note for r in report.results for note in r.weak)),
        )
    )


def _cell(result: Result) -> str:
    if result.verdict in {"pass", "fail"} and result.headroom is not None:
        return f"{_MARKS[result.verdict]} {result.headroom:.3g}"
    return _MARKS[result.verdict]
