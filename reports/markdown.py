"""The report as Markdown, short enough for a pull request."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.results import Report, Result

_MARKS = {"pass": "✓", "fail": "✗", "gap": "gap", "error": "error", "absent": "absent"}
_MOST_FAILURES = 20


def to_markdown(report: Report) -> str:
    """Render headline, matrix of headrooms, failures and environment."""
    environment = Environment(
        loader=PackageLoader("reports"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - Markdown: `text` below escapes for it
    )
    environment.filters["text"] = escape
    environment.filters["code"] = code
    by_case: dict[str, dict[str, Result]] = {}
    for result in report.results:
        by_case.setdefault(result.case, {})[result.backend] = result
    backends = list(dict.fromkeys(result.backend for result in report.results))
    troubled = [r for r in report.results if r.verdict in {"fail", "error"}]
    return environment.get_template("report.md.jinja").render(
        report=report,
        backends=backends,
        by_case=by_case,
        cell=_cell,
        troubled=troubled[:_MOST_FAILURES],
        left_out=max(len(troubled) - _MOST_FAILURES, 0),
        weak=list(dict.fromkeys(note for r in report.results for note in r.weak)),
    )


def _cell(result: Result) -> str:
    if result.verdict in {"pass", "fail"} and result.headroom is not None:
        return f"{_MARKS[result.verdict]} {result.headroom:.3g}"
    return _MARKS[result.verdict]


def code(text: str) -> str:
    """Set text as code, on one line; a code span cannot hold its own delimiter."""
    return f"`{' '.join(text.replace('`', '').split())}`"


def escape(text: str) -> str:
    """Keep text from being read as Markdown or HTML, on one line."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.replace("&", "&amp;").split())
