"""The report as flat rows: what CSV and pandas both show."""

from collections.abc import Iterator

from rnn_parity_reports.results import Report, Result

Cell = str | int | float | None

ARRAYS = ("outputs", "final_h", "final_c", "tokens")
_FIGURES = (
    "max_abs",
    "max_rel",
    "max_ulp",
    "rms",
    "mismatched",
    "nonfinite",
    "total",
)


COLUMNS = (
    "case",
    "backend",
    "verdict",
    "bound_ratio",
    *(f"{array}.{figure}" for array in ARRAYS for figure in _FIGURES),
    "published.max_abs",
    "fixed_tolerances_failing",
    "first_bad.step",
    "first_bad.row",
    "first_bad.unit",
    "first_bad.layer",
    "first_bad.direction",
    "first_bad.gate",
    "outliers",
    "explanations",
    "not_shown",
    "sensitivity",
    "detail",
    "reproduce",
    "seconds",
    "estimate.ratio",
    "estimate.factor",
    "estimate.simulations",
    "estimate.where",
    "next_steps",
)

TEXTS = (
    "case",
    "backend",
    "verdict",
    "fixed_tolerances_failing",
    "first_bad.direction",
    "first_bad.gate",
    "outliers",
    "explanations",
    "not_shown",
    "sensitivity",
    "detail",
    "reproduce",
    "estimate.where",
    "next_steps",
)
"""Columns of words; the others but `REALS` are counts."""

_MEASURES = ("max_abs", "max_rel", "max_ulp", "rms")
REALS = (
    "bound_ratio",
    "seconds",
    "published.max_abs",
    "estimate.ratio",
    "estimate.factor",
    *(f"{array}.{measure}" for array in ARRAYS for measure in _MEASURES),
)


def rows(report: Report) -> list[tuple[Cell, ...]]:
    """Give one row for each case and backend, in the order of `COLUMNS`."""
    odd = report.outliers
    return [row(result, odd.get(result.case)) for result in report.results]


def row(result: Result, outliers: str | None = None) -> tuple[Cell, ...]:
    """Give one result in the order of `COLUMNS`."""
    return tuple(_cells(result, outliers))


def _cells(result: Result, outliers: str | None) -> Iterator[Cell]:
    yield from (result.case, result.backend, result.verdict, result.bound_ratio)
    for array in ARRAYS:
        figures = result.figures.get(array)
        for name in _FIGURES:
            yield getattr(figures, name) if figures else None
    published, bad = result.published, result.first_bad
    yield published.max_abs if published else None
    yield "; ".join(
        name for name, passes in result.fixed_tolerances.items() if not passes
    )
    for name in ("step", "row", "unit", "layer", "direction", "gate"):
        yield getattr(bad, name) if bad else None
    yield outliers
    yield "; ".join(result.explanations)
    yield "; ".join(result.not_shown)
    yield "; ".join(map(_change, result.sensitivity.items()))
    yield from (result.detail, result.reproduce, result.seconds)
    for name in ("ratio", "factor", "simulations", "where"):
        yield getattr(result.estimate, name) if result.estimate else None
    yield "; ".join(result.next_steps)


def _change(item: tuple[str, float | None]) -> str:
    kind, least = item
    return f"{kind} {least:.2g}" if least is not None else f"{kind} none"
