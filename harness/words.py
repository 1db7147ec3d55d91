"""A result in words: in nine or so, and in as many as it takes."""

import re
from collections.abc import Iterator, Sized
from typing import Protocol

from harness.errors import clean
from harness.results import Figures, Result, Summary
from harness.spec import Case

_TITLES = ("array", "max_abs", "max_rel", "max_ulp", "rms", "mismatched", "worst_at")
# Numbers of any form, addresses among them: two failures alike differ in no more.
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)
_PLACE = re.compile(r" \[[^ ]+, [^ ]+\]$")
_MOST_CHARACTERS = 300  # of a reason, to tell it from others


class Said(Protocol):
    """What is said of one case on one backend, in one report or what moved from it."""

    @property
    def verdict(self) -> str:
        """The verdict, or `missing`."""
        ...

    @property
    def explanations(self) -> list[str]:
        """What would make it pass, the likeliest first."""
        ...

    @property
    def detail(self) -> str:
        """What is wrong, in a sentence or two."""
        ...


def in_brief(result: Result) -> str:
    """Say on one line what came of a case, and what would explain it."""
    said = [f"{result.verdict}: {_reason(result)}", *result.explanations[:1]]
    return clean("; ".join(said))


def in_full(result: Result) -> list[str]:
    """Say all that is known of a case, a line for each kind of thing."""
    lines = [*_sentences(result), *_facts(result)]
    return [clean(line) for line in lines]


def table(result: Result) -> list[str]:
    """Lay out the deviations of every array from the float64 reference."""
    rows = [_TITLES, *(_row(name, f) for name, f in result.figures.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return [clean(line.rstrip()) for line in lines] if result.figures else []


def alike(results: list[Result]) -> list[list[Result]]:
    """Put together what differs for one reason on one backend; most common first."""
    found: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        if why := why_alike(result):
            key = (result.verdict, result.backend, why)
            found.setdefault(key, []).append(result)
    return sorted(found.values(), key=len, reverse=True)


def why_alike(said: Said) -> str:
    """Say what failures of a kind share: the explanation, or all but the numbers."""
    kind = kind_of(said)
    return reason(said) if kind and said.explanations else kind


def and_others(group: Sized) -> str:
    """Say how many more are like the first of a group; nothing if none is."""
    others = len(group) - 1
    return (
        f"the same in {others} more case{'s' if others > 1 else ''}" if others else ""
    )


def without_place(detail: str) -> str:
    """Take off the backend and the case that end what is said of a result."""
    return _PLACE.sub("", detail)


def reason(said: Said) -> str:
    """Say why a result is what it is: what would explain it, or how it shows."""
    if said.explanations:
        return f"would match with: {said.explanations[0]}"
    return without_place(said.detail).partition("; ")[0] or said.verdict


def kind_of(said: Said) -> str:
    """Say in what way a case fails, without the numbers; nothing if it does not."""
    if said.verdict not in {"fail", "error"}:
        return ""
    return _NUMBER.sub("#", reason(said))[:_MOST_CHARACTERS]


def sizes(case: Case) -> str:
    """Say how many rows and steps a case has."""
    parts = ((case.batch, "row"), (case.steps, "step"))
    return " of ".join(f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in parts)


def counts(summary: Summary) -> str:
    """Say how many verdicts of each kind a report has."""
    numbers = {
        "pass": summary.passed,
        "fail": summary.failed,
        "gap": summary.gap,
        "error": summary.error,
        "absent": summary.absent,
    }
    said = ", ".join(f"{number} {name}" for name, number in numbers.items() if number)
    empty = "" if summary.compared else "; nothing was compared"
    return f"{said or 'nothing'} of {summary.expected}{empty}"


def _reason(result: Result) -> str:
    bad, figures = result.first_bad, result.figures.get("outputs")
    if bad and bad.times_bound and figures and figures.mismatched:
        layer = f" of layer {bad.layer}" if bad.layer else ""
        return f"outputs {bad.times_bound:.3g}x its bound at step {bad.step}{layer}"
    if not bad and (result.systematic or 0) > 1:
        return f"errors of all steps add up to {result.systematic:.3g}x their bound"
    return without_place(result.detail).partition("; ")[0]


def _sentences(result: Result) -> Iterator[str]:
    if result.detail:
        yield result.detail
    if len(result.explanations) > 1:
        yield f"explanations: {'; '.join(result.explanations)}"
    if bad := result.first_bad:
        where = f"step {bad.step}, row {bad.row}, unit {bad.unit}, layer {bad.layer}"
        where += f", {bad.direction}" if bad.direction else ""
        where += f", gate {bad.gate}" if bad.gate else ""
        times = "not a number" if bad.times_bound is None else f"{bad.times_bound:.3g}x"
        yield f"first bad: {where}: {times}"


def _facts(result: Result) -> Iterator[str]:
    if result.headroom is not None:
        summed = result.systematic
        words = f"; of all steps summed up: {summed:.3g}" if summed is not None else ""
        yield f"headroom: {result.headroom:.3g}, above 1 fails{words}"
    if result.published and result.published.max_abs is not None:
        apart, allowed = result.published.max_abs, result.published.allowed
        yield f"published: {apart:.3g} from the printed tables, allowed {allowed:.0e}"
    if result.peers:
        broken = [name for name, passes in result.peers.items() if not passes]
        yield f"fixed tolerances that fail too: {', '.join(broken) or 'none'}"
    for note in result.weak:
        yield f"weak data: {note}"
    if result.reproduce:
        yield f"again: {result.reproduce}"


def _row(name: str, figures: Figures) -> tuple[str, ...]:
    numbers = (figures.max_abs, figures.max_rel, figures.max_ulp, figures.rms)
    return (
        name,
        *("none" if number is None else f"{number:.3g}" for number in numbers),
        f"{figures.mismatched} of {figures.total}",
        "none" if figures.worst_at is None else str(figures.worst_at),
    )
