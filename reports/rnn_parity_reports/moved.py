"""What moved from one report to another, most serious first.

Both views and exit status read the record alone. What the numbers themselves did needs
outcomes on disk; `rnn_parity.runs.upgrade` looks at them and hands them over.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

import msgspec

from rnn_parity_core import BackendRecord
from rnn_parity_core.exit_status import Exit, exit_of
from rnn_parity_reports.describe import SEVERITY
from rnn_parity_reports.results import (
    BAD,
    GOOD,
    Count,
    Environment,
    Estimate,
    Figures,
    Measure,
    Report,
    Result,
    Verdict,
)

GROWTH = 2.0
"""A ratio that grew by more than this is reported: a factor of 2 is one bit of accuracy
lost. It is a maximum over all steps and elements: another order of summation moves it
by less."""

NEAR = 0.1
"""A ratio below this is not reported however it grew."""

ChangeKind = Literal[
    "regression", "changed", "bound_ratio", "explanation", "improvement"
]
"""In this order, the most serious first."""

_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
_BADNESS = ("fail", "error", "missing", *SEVERITY[2:])
_MACHINE = ("rnn_parity", "python", "platform", "cpu", "threads", "commit")


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class State(_Record, frozen=True):
    """What one report says of one case on one backend."""

    verdict: Verdict | Literal["missing"]
    bound_ratio: Measure | None = None
    explanations: list[str] = []
    detail: str = ""
    reproduce: str = ""
    estimate: Estimate | None = None


class Change(_Record, frozen=True):
    """One case on one backend of which the reports do not say the same."""

    kind: ChangeKind
    case: str
    backend: str
    old: State
    new: State


class Difference(_Record, frozen=True):
    """A version, a setting or a machine that is not the same."""

    what: str
    """`version`, `setting`, `machine`, …."""
    of: str
    """The backend; nothing for the machine."""
    name: str
    old: str | None
    """Null where there was none."""
    new: str | None


class OneSided(_Record, frozen=True):
    """A case or a backend that is in one of the reports alone."""

    what: Literal["case", "backend"]
    name: str
    results: Count
    passed: Count


class Numbers(_Record, frozen=True):
    """What the numbers that a backend returned for a case did."""

    case: str
    backend: str
    status: Literal["equal", "moved", "other problem", "not comparable"]
    """`equal`: to the last bit; `other problem`: other weights or inputs."""
    arrays: dict[str, Figures] = {}
    """Arrays that moved → deviations of new from old."""
    note: str = ""


class Moved(_Record, frozen=True):
    """What moved between two reports, or two backends of one."""

    schema: Literal["rnn-parity.moved/2"]
    old: str
    """The older side, as it was named."""
    new: str
    started: tuple[str, str]
    common: Count
    """Results of one case on one backend that both have."""
    unchanged: Count
    changes: list[Change]
    removed: list[OneSided]
    added: list[OneSided]
    differences: list[Difference]
    numbers: list[Numbers]
    """Empty where outcomes are not at hand on both sides."""

    @property
    def regressions(self) -> list[Change]:
        """Changes for the worse."""
        return [change for change in self.changes if change.kind == "regression"]

    @property
    def lost(self) -> int:
        """Results that passed, of cases or backends that are no longer there."""
        return sum(gone.passed for gone in self.removed)

    @property
    def exit_status(self) -> Exit:
        """0 nothing regressed, 1 something did, 2 nothing in common."""
        wrong = self.common and (self.regressions or self.lost)
        return exit_of(wrong=wrong, crashed=False, done=self.common)


_States = dict[tuple[str, str], State]
"""By case and backend."""


def moved(
    old: Report,
    new: Report,
    *,
    names: tuple[str, str] = ("old", "new"),
    numbers: list[Numbers] | None = None,
) -> Moved:
    """Say what moved from one report to another.

    What passed and is not there any more counts as a regression; what fails in a case
    that is new does not, as nothing is known of it from before: its own run fails.

    Args:
        old: The report from before.
        new: The report of now.
        names: What to call them.
        numbers: What the outcomes did, if they are at hand.

    """
    before, after = _states(old), _states(new)
    changes = sorted(_changes(before, after), key=_seriousness)
    common = len(before.keys() & after.keys())
    return Moved(
        schema="rnn-parity.moved/2",
        old=names[0],
        new=names[1],
        started=(old.environment.started, new.environment.started),
        common=common,
        unchanged=common - sum(c.new.verdict != "missing" for c in changes),
        changes=changes,
        removed=list(_one_sided(old.results, _names(after))),
        added=list(_one_sided(new.results, _names(before))),
        differences=list(_differences(old, new)),
        numbers=sorted(numbers or [], key=_distance),
    )


def _changes(before: _States, after: _States) -> Iterator[Change]:
    cases, backends = _names(after)
    for key, was in before.items():
        if key[0] not in cases or key[1] not in backends:
            continue  # said once for the whole case or backend
        now = after.get(key, State("missing"))
        if kind := _kind(was, now):
            yield Change(kind, *key, was, now)


def _states(report: Report) -> _States:
    return {
        (r.case, r.backend): State(
            r.verdict, r.bound_ratio, r.explanations, r.detail, r.reproduce, r.estimate
        )
        for r in report.results
    }


def _names(states: _States) -> tuple[set[str], set[str]]:
    return {case for case, _ in states}, {backend for _, backend in states}


def _one_sided(
    results: list[Result], other: tuple[set[str], set[str]]
) -> Iterator[OneSided]:
    """Give cases and backends that the other side lacks; each result counts once."""
    cases, backends = other
    of: dict[tuple[Literal["backend", "case"], str], list[bool]] = {}
    for result in results:
        passed = result.verdict in GOOD
        if result.backend not in backends:
            of.setdefault(("backend", result.backend), []).append(passed)
        elif result.case not in cases:
            of.setdefault(("case", result.case), []).append(passed)
    for (what, name), passes in sorted(of.items()):
        yield OneSided(what, name, len(passes), sum(passes))


def _kind(was: State, now: State) -> ChangeKind | None:
    if was.verdict != now.verdict:
        return _change_of_verdicts(was.verdict, now.verdict)
    if now.verdict == "pass":
        before, after = was.bound_ratio or 0.0, now.bound_ratio or 0.0
        return "bound_ratio" if after > max(GROWTH * before, NEAR) else None
    return "explanation" if was.explanations != now.explanations else None


def _change_of_verdicts(was: str, now: str) -> ChangeKind:
    """Say what another verdict is; one that shows less is no regression by itself.

    Bounds grow with what a backend's roundings happen to be, so that a network near the
    limit may be shown by one version and not by the next, both right.
    """
    if now == "pass" or (now == "consistent" and was not in GOOD):
        return "improvement"
    if now in {"consistent", "inconclusive"}:
        return "changed"
    computed = was in {*GOOD, "gap", "inconclusive"}
    return "regression" if was in GOOD or (computed and now in BAD) else "changed"


def _seriousness(change: Change) -> tuple[Any, ...]:
    """Sort by kind, then by what it is now, then by how far it is off."""
    bound_ratio = change.new.bound_ratio
    far = float("inf") if bound_ratio is None else bound_ratio
    badness = _BADNESS.index(change.new.verdict)
    return _KINDS.index(change.kind), badness, -far, change.case, change.backend


def _distance(numbers: Numbers) -> tuple[Any, ...]:
    """Sort what moved farthest, in ulp, to the front."""
    far = max((f.max_ulp or 0.0 for f in numbers.arrays.values()), default=-1.0)
    return -far, numbers.status, numbers.case, numbers.backend


def _differences(old: Report, new: Report) -> Iterator[Difference]:
    """Give what may explain what moved: versions first, then settings, machines."""
    both = [name for name in new.backends if name in old.backends]
    for name in both:
        first, second = old.backends[name], new.backends[name]
        yield from _unequal("version", name, first.versions, second.versions)
    for name in both:
        first, second = old.backends[name], new.backends[name]
        yield from _unequal("setting", name, first.settings, second.settings)
        yield from _unequal("interpreter", name, _python(first), _python(second))
    yield from _unequal(
        "machine", "", _machine(old.environment), _machine(new.environment)
    )


def _python(record: BackendRecord) -> dict[str, str | None]:
    return {
        "python": record.python,
        "path": record.interpreter,
        "host": record.host or None,
    }


def _machine(environment: Environment) -> dict[str, str | int | None]:
    return {name: getattr(environment, name) for name in _MACHINE}


def _unequal(
    what: str, of: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in dict.fromkeys([*old, *new]):
        first, second = _words(old.get(name)), _words(new.get(name))
        if first != second:
            yield Difference(what, of, name, first, second)


def _words(value: object) -> str | None:
    if isinstance(value, bool):
        return "on" if value else "off"
    return None if value is None else str(value)
