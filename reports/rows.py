"""The report as flat rows: what CSV and pandas both show."""

from harness.results import Report, Result

Cell = str | int | float | None

ARRAYS = ("outputs", "final_h")
_FIGURES = (
    "max_abs",
    "max_rel",
    "max_ulp",
    "rms",
    "mismatched",
    "nonfinite",
    "total",
)


def rows(report: Report) -> list[dict[str, Cell]]:
    """Give one row for each case and backend, the same columns in each."""
    return [_row(result, report) for result in report.results]


def _row(result: Result, report: Report) -> dict[str, Cell]:
    row: dict[str, Cell] = {
        "case": result.case,
        "backend": result.backend,
        "verdict": result.verdict,
        "headroom": result.headroom,
    }
    for array in ARRAYS:
        figures = result.figures.get(array)
        for name in _FIGURES:
            row[f"{array}.{name}"] = getattr(figures, name) if figures else None
    published, bad = result.published, result.first_bad
    return row | {
        "published.max_abs": published.max_abs if published else None,
        "first_bad.step": bad.step if bad else None,
        "first_bad.row": bad.row if bad else None,
        "first_bad.unit": bad.unit if bad else None,
        "odd_one_out": report.odd_one_out.get(result.case),
        "explanations": "; ".join(result.explanations),
        "weak": "; ".join(result.weak),
        "detail": result.detail,
        "reproduce": result.reproduce,
        "seconds": result.seconds,
    }
