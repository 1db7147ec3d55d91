"""A result in words: in nine or so, and in as many as it takes."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, get_args

from rnn_parity_core import Case, clean
from rnn_parity_reports.results import BAD, Estimate, Figures, Report, Result, Verdict

_TITLES = ("array", "max_abs", "max_rel", "max_ulp", "rms", "mismatched", "worst_at")
# Numbers of any form, addresses among them: two failures alike differ in no more.
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)
_PLACE = re.compile(r" \[[^ ]+, [^ ]+\]$")
_MOST_CHARACTERS = 300  # of a reason, to tell it from others

MARKS: dict[Verdict, str] = {
    "pass": "✓",
    "consistent": "≈",
    "fail": "✗",
    "inconclusive": "?",
    "gap": "gap",
    "error": "error",
    "absent": "absent",
}
"""What stands for a verdict where there is no room for a word; `mark` says it of a
result."""

SEVERITY: tuple[Verdict, ...] = (
    *("fail", "error", "inconclusive", "absent", "gap", "consistent", "pass"),
)
"""Verdicts, the most serious first."""


class Said(Protocol):
    """What is said of one case on one backend, in one report or what moved from it."""

    @property
    def verdict(self) -> str:
        """The verdict, or `missing`."""
        ...

    @property
    def bound_ratio(self) -> float | None:
        """Worst |error| / bound, if there is one."""
        ...

    @property
    def estimate(self) -> Estimate | None:
        """What rounding at random says, where no bound shows anything."""
        ...

    @property
    def explanations(self) -> list[str]:
        """What would make it pass, the likeliest first."""
        ...

    @property
    def detail(self) -> str:
        """What is wrong, in a sentence or two."""
        ...


class Placed(Protocol):
    """What is of one backend."""

    @property
    def backend(self) -> str:
        """Its name."""
        ...


def by_estimate(said: Said) -> bool:
    """Whether a verdict rests on an estimate, not on a derived bound."""
    if said.verdict == "fail" and said.estimate and (said.bound_ratio or 0.0) <= 1:
        return said.estimate.ratio is None or said.estimate.ratio > 1
    return said.verdict == "consistent"


def verdict_of(said: Said) -> str:
    """Say a verdict, and with it that it is an estimate, if it is one."""
    return f"{said.verdict} (estimate)" if by_estimate(said) else said.verdict


def mark_of(said: Said) -> str:
    """Give the mark of a verdict; one that is an estimate has its mark in it."""
    mark = MARKS.get(said.verdict, said.verdict)  # type: ignore[call-overload]
    fails = said.verdict == "fail" and by_estimate(said)
    return f"{mark}{MARKS['consistent']}" if fails else str(mark)


def number_of(said: Said) -> float | None:
    """Give the number that a verdict rests on: above 1 fails; None if it has none."""
    if said.verdict == "inconclusive":
        return None
    if by_estimate(said):
        return said.estimate.ratio if said.estimate else None
    return said.bound_ratio


def in_words(estimate: Estimate) -> str:
    """Say what an estimate is, with its number."""
    ratio = "no number" if estimate.ratio is None else f"{estimate.ratio:.3g}x"
    return (
        f"its worst error is {ratio} what right implementations may differ by "
        f"(estimate: {estimate.factor:g} times the spread of {estimate.simulations} "
        "runs with random rounding)"
    )


def one_line(result: Result) -> str:
    """Say on one line what came of a case, and what would explain it."""
    said = [f"{verdict_of(result)}: {_reason(result)}", *result.explanations[:1]]
    return clean("; ".join(said))


def in_full(result: Result) -> list[str]:
    """Say all that is known of a case, a line for each kind of thing."""
    lines = [*_sentences(result), *_facts(result)]
    return [clean(line) for line in lines]


def next_lines(result: Result) -> list[str]:
    """Say what would show more, where nothing is shown, a line each."""
    return [f"next: {step}" for step in result.next_steps]


def table(result: Result) -> list[str]:
    """Lay out the deviations of every array from the float64 reference."""
    rows = [_TITLES, *(_row(name, f) for name, f in result.figures.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return [clean(line.rstrip()) for line in lines] if result.figures else []


def group_by_cause(results: list[Result]) -> list[list[Result]]:
    """Put together what differs for one reason on one backend, or is not shown.

    What is wrong comes first, then what is most common.
    """
    found: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        if why := why_alike(result):
            # What shows nothing does so on every backend, and what to do is the same.
            unshown = result.verdict == "inconclusive"
            of = "; ".join(result.next_steps) if unshown else result.backend
            found.setdefault((result.verdict, of, why), []).append(result)
    return sorted(found.values(), key=lambda of: (of[0].verdict not in BAD, -len(of)))


def why_alike(said: Said) -> str:
    """Say what failures of a kind share: the explanation, or all but the numbers."""
    if said.verdict == "inconclusive":
        return _without_numbers(reason(said))
    kind = failure_signature(said)
    return reason(said) if kind and said.explanations else kind


def and_others(group: Sequence[Placed]) -> str:
    """Say how many more are like the first of a group; nothing if none is."""
    others, backends = len(group) - 1, {one.backend: one for one in group}
    if not others:
        return ""
    if len(backends) == 1:
        return f"the same in {others} more case{'s' if others > 1 else ''}"
    results = f"{others} more result{'s' if others > 1 else ''}"
    return f"the same in {results}; in all on {', '.join(backends)}"


def without_place(detail: str) -> str:
    """Take off the backend and the case that end what is said of a result."""
    return _PLACE.sub("", detail)


def reason(said: Said) -> str:
    """Say why a result is what it is: what would explain it, or how it shows."""
    if said.explanations:
        return f"matches if: {said.explanations[0]}"
    return without_place(said.detail).partition("; ")[0] or said.verdict


def failure_signature(said: Said) -> str:
    """Say in what way a case fails, without the numbers; nothing if it does not."""
    return _without_numbers(reason(said)) if said.verdict in BAD else ""


def _without_numbers(words: str) -> str:
    return _NUMBER.sub("#", words)[:_MOST_CHARACTERS]


def sizes(case: Case) -> str:
    """Say how many rows and steps a case has."""
    parts = ((case.batch, "row"), (case.steps, "step"))
    return " of ".join(f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in parts)


def counted(verdicts: Mapping[str, int]) -> list[tuple[str, int, Verdict]]:
    """Give each verdict that there is: in words, how often, and itself.

    Args:
        verdicts: What `verdict_of` says → how often.

    """
    order: tuple[Verdict, ...] = get_args(Verdict)
    known = [(words, verdict) for verdict in order for words in _in_words(verdict)]
    return [(words, verdicts[words], v) for words, v in known if verdicts.get(words)]


def _in_words(verdict: Verdict) -> tuple[str, str]:
    return verdict, f"{verdict} (estimate)"


def verdicts_of(results: Iterable[Said]) -> Counter[str]:
    """Count what `verdict_of` says of results."""
    return Counter(map(verdict_of, results))


def what_differs(report: Report) -> str:
    """Give the title of what `group_by_cause` puts together."""
    said = ["differs"] if any(r.verdict in BAD for r in report.results) else []
    said += ["is not shown"] if report.summary.inconclusive else []
    return f"What {' and what '.join(said)}"


def headline(report: Report) -> str:
    """Say how many results pass, and what came of the others."""
    numbers, plural = verdicts_of(report.results), {"gap": "declared gaps"}
    passed = numbers.pop("pass", 0)
    rest = [f"{n} {plural.get(name, name)}" for name, n, _ in counted(numbers)]
    return ", ".join([f"{passed} of {report.summary.expected} pass", *rest])


def counts(report: Report) -> str:
    """Say how many verdicts of each kind a report has."""
    numbers, summary = verdicts_of(report.results), report.summary
    said = ", ".join(f"{n} {name}" for name, n, _ in counted(numbers))
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
    yield from next_lines(result)
    if len(result.explanations) > 1:
        yield f"explanations: {'; '.join(result.explanations)}"
    if bad := result.first_bad:
        where = f"step {bad.step}, row {bad.row}, unit {bad.unit}, layer {bad.layer}"
        where += f", {bad.direction}" if bad.direction else ""
        where += f", gate {bad.gate}" if bad.gate else ""
        times = "not a number" if bad.times_bound is None else f"{bad.times_bound:.3g}x"
        yield f"first bad: {where}: {times}"


def _facts(result: Result) -> Iterator[str]:
    if result.estimate:
        yield f"{result.estimate.where}: {in_words(result.estimate)}"
    if result.bound_ratio is not None:
        summed = result.systematic
        words = f"; of all steps summed up: {summed:.3g}" if summed is not None else ""
        yield f"error / bound: {result.bound_ratio:.3g}, above 1 fails{words}"
    if result.published and result.published.max_abs is not None:
        apart, allowed = result.published.max_abs, result.published.allowed
        yield f"published: {apart:.3g} from the printed tables, allowed {allowed:.0e}"
    if result.fixed_tolerances:
        broken = [
            name for name, passes in result.fixed_tolerances.items() if not passes
        ]
        yield f"fixed tolerances that fail too: {', '.join(broken) or 'none'}"
    for note in result.not_shown:
        yield f"not shown: {note}"
    if result.reproduce:
        yield f"reproduce: {result.reproduce}"


def _row(name: str, figures: Figures) -> tuple[str, ...]:
    numbers = (figures.max_abs, figures.max_rel, figures.max_ulp, figures.rms)
    return (
        name,
        *("none" if number is None else f"{number:.3g}" for number in numbers),
        f"{figures.mismatched} of {figures.total}",
        "none" if figures.worst_at is None else str(figures.worst_at),
    )
