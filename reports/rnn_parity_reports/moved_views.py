"""What moved, as Markdown for a pull request and as one HTML file."""

from typing import NamedTuple

from rnn_parity_reports.describe import (
    and_others,
    number_of,
    verdict_of,
    why_alike,
    without_place,
)
from rnn_parity_reports.moved import Change, ChangeKind, Moved, Numbers, State
from rnn_parity_reports.results import Figures
from rnn_parity_reports.templating import environment

TITLES: dict[ChangeKind, str] = {
    "regression": "Regressions",
    "changed": "Other verdicts that changed",
    "bound_ratio": "Error / bound that grew",
    "explanation": "Explanations that changed",
    "improvement": "Improvements",
}
_MOST = {"markdown": 20, "html": 1000}
_SAID_ONCE: tuple[ChangeKind, ...] = ("regression", "changed", "explanation")
"""Of the others every number counts."""


class ByBackend(NamedTuple):
    """What one backend's numbers did, over all cases."""

    backend: str
    equal: int
    moved: list[Numbers]
    """Farthest first."""
    other: int
    broken: list[Numbers]


def to_markdown(moved: Moved) -> str:
    """Render it short enough for a pull request: regressions first."""
    return _render(moved, "markdown", "moved.md.jinja")


def to_html(moved: Moved) -> str:
    """Render one HTML file that needs no other, light or dark as the reader's."""
    return _render(moved, "html", "moved.html.jinja")


def _render(moved: Moved, form: str, template: str) -> str:
    most = _MOST[form]
    of = {kind: [c for c in moved.changes if c.kind == kind] for kind in TITLES}
    return (
        environment(html=form == "html")
        .get_template(template)
        .render(
            moved=moved,
            headline=headline(moved),
            sections=[
                (TITLES[k], c[:most], len(c), group_by_cause(c))
                for k, c in of.items()
                if c
            ],
            numbers=by_backend(moved),
            most=most,
            and_others=and_others,
            state=state,
            worst=worst,
        )
    )


def headline(moved: Moved) -> str:
    """Say in a line whether something regressed."""
    bad, lost = len(moved.regressions), moved.lost
    said = [f"{bad} regressed"] if bad else []
    said += [f"{lost} that passed are not there any more"] if lost else []
    counts = f"{moved.unchanged} of {moved.common} unchanged"
    return f"{', '.join(said) or 'nothing regressed'}; {counts}"


def group_by_cause(changes: list[Change]) -> list[list[Change]]:
    """Put together what moved for one reason on one backend, in the order given."""
    found: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        key: tuple[str, ...] = change.backend, change.case
        if change.kind in _SAID_ONCE:
            why = why_alike(change.new) or without_place(change.new.detail)
            key = change.backend, change.old.verdict, change.new.verdict, why
        found.setdefault(key, []).append(change)
    return list(found.values())


def state(state: State) -> str:
    """Say a verdict and its number."""
    number = number_of(state)
    said = verdict_of(state)
    return said if number is None else f"{said} {number:.2g}"


def by_backend(moved: Moved) -> list[ByBackend]:
    """Sum numbers up by backend, in the order of names."""
    found = []
    for backend in sorted({n.backend for n in moved.numbers}):
        of = [n for n in moved.numbers if n.backend == backend]
        status = [n.status for n in of]
        found.append(
            ByBackend(
                backend,
                status.count("equal"),
                [n for n in of if n.status == "moved"],
                status.count("other problem"),
                [n for n in of if n.status == "not comparable"],
            )
        )
    return found


def worst(numbers: Numbers) -> str:
    """Say how far the array that moved most did, and where."""

    def far(named: tuple[str, Figures]) -> tuple[float, float]:
        return named[1].max_ulp or 0.0, named[1].max_abs or 0.0

    name, figures = max(numbers.arrays.items(), key=far)
    said = f"{name}: {figures.mismatched} of {figures.total} elements"
    if figures.max_abs is not None:
        said += f", by up to {figures.max_abs:.2g}"
    if figures.worst_at is not None:
        said += f" at {figures.worst_at}"
    if figures.max_ulp is not None:
        said += f", by up to {figures.max_ulp:.4g} ulp"
    if figures.nonfinite:
        said += f"; {figures.nonfinite} are no numbers"
    return said
