"""What moved between two runs: regressions first, what is equal last."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from rnn_parity.terminal.common import show_facts
from rnn_parity_core import clean
from rnn_parity_reports.describe import and_others
from rnn_parity_reports.moved import Change, ChangeKind, Difference, Moved, OneSided
from rnn_parity_reports.moved_views import (
    ByBackend,
    by_backend,
    group_by_cause,
    headline,
    state,
    worst,
)

_MOST_WORDS = 10
_MARKS: dict[ChangeKind, tuple[str, str]] = {
    "regression": ("✗ regressed", "bold red"),
    "changed": ("~ changed", "magenta"),
    "bound_ratio": ("↑ error / bound", "yellow"),
    "explanation": ("~ explained", "yellow"),
    "improvement": ("✓ improved", "green"),
}


def show_moved(console: Console, moved: Moved) -> None:
    """Print changes, the most serious first, then what may explain them."""
    for kind in _MARKS:
        _show_kind(console, [c for c in moved.changes if c.kind == kind])
    style = "bold red" if moved.exit_status else "bold green"
    verdict = "verdict", Text(headline(moved), style)
    show_facts(console, [*_facts(moved), verdict])


def _show_kind(console: Console, changes: list[Change]) -> None:
    reasons = group_by_cause(changes)
    for same in reasons[:_MOST_WORDS]:
        change = same[0]
        mark, style = _MARKS[change.kind]
        words = f"{change.backend} {change.case}: {_words(change)}"
        line = Text.assemble((f"{mark} ", style), clean(words))
        console.print(line, soft_wrap=True)
        if others := and_others(same):
            console.print(f"  {others}")
        if change.kind == "regression" and change.new.reproduce:
            again = clean(f"  reproduce: {change.new.reproduce}")
            console.print(Text(again, "dim"), soft_wrap=True)
    if left := sum(map(len, reasons[_MOST_WORDS:])):
        mark, _ = _MARKS[changes[0].kind]
        console.print(f"… and {left} more {mark[2:]}")
    if changes:
        console.print()


def _words(change: Change) -> str:
    said = f"{state(change.old)} → {state(change.new)}"
    if change.kind in {"bound_ratio", "improvement"}:
        return said
    return f"{said}: {change.new.detail}" if change.new.detail else said


def _facts(moved: Moved) -> Iterator[tuple[str, str]]:
    for label, side in (("removed", moved.removed), ("new", moved.added)):
        for one in side[:_MOST_WORDS]:
            yield label, _one_sided(one)
        if len(side) > _MOST_WORDS:
            yield label, f"… and {len(side) - _MOST_WORDS} more"
    for difference in moved.differences:
        yield difference.what, _difference(difference)
    if not moved.differences:
        yield "environment", "no version, setting or machine differs"
    for of in by_backend(moved):
        yield from _numbers(of)
    if not moved.numbers:
        yield "numbers", "not compared: outcomes are not at hand on both sides"
    yield "from", f"{moved.old} ({moved.started[0]})"
    yield "to", f"{moved.new} ({moved.started[1]})"


def _one_sided(one: OneSided) -> str:
    return f"{one.what} {one.name}: {one.results} results, {one.passed} passed"


def _difference(one: Difference) -> str:
    old = "none" if one.old is None else one.old
    new = "none" if one.new is None else one.new
    return f"{one.of} {one.name}: {old} → {new}".strip()


def _numbers(of: ByBackend) -> Iterator[tuple[str, str]]:
    said = f"{of.backend}: {of.equal} equal to the last bit, {len(of.moved)} moved"
    if of.other:
        said += f", {of.other} of another problem (weights or inputs differ)"
    yield "numbers", said
    for one in of.moved[:3]:
        yield "", f"{one.case}: {worst(one)}"
    for one in of.broken[:3]:
        yield "", f"{one.case}: not comparable: {one.note}"
