"""Makes failing cases small: with fewer steps, rows, units and options they still fail.

A case is changed in one way at a time, and what fails in the same way is gone on with,
the smallest first. All kinds go at the same time, so that no worker waits for one.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from rnn_parity.sweep.flow import Ask, Flow
from rnn_parity.sweep.messages import KILLS, FailureKind, SweepRow
from rnn_parity.sweep.summary import FailureGroup, size
from rnn_parity_core import Case, UsageError
from rnn_parity_core.cases import check_case
from rnn_parity_core.probing import probing
from rnn_parity_reports.describe import failure_signature
from rnn_parity_reports.results import Result

MOST_SHRUNK = 20
"""Kinds that are shrunk, the most frequent ones."""
MOST_TRIED = 200
"""Cases that are computed for one kind."""
MOST_SECONDS = 600.0
"""For all kinds together; what is found until then is given."""

_SIZES = ("steps", "layers", "units", "batch", "features", "projection", "vocabulary")
_FEWEST = {"projection": 0, "vocabulary": 3}


@dataclass
class Shrunk:
    """The smallest case that was found to fail in one way."""

    kind: FailureKind
    count: int
    """Cases of the suite that do."""
    found: Case
    """The smallest of these."""
    smallest: Case
    result: Result | None = None
    """What came of `smallest`; None where none smaller than `found` fails so."""
    tried: int = 0
    done: bool = False


def shrink(flow: Flow, kinds: Mapping[FailureKind, FailureGroup]) -> list[Shrunk]:
    """Shrink the smallest failing case of each kind, the most frequent kinds first.

    Raises:
        ParityError: Workers are gone, or not what they were.

    """
    frequent = sorted(kinds.items(), key=lambda item: -item[1].count)[:MOST_SHRUNK]
    shrunk = [Shrunk(k, f.count, f.smallest, f.smallest) for k, f in frequent]
    for each in shrunk:
        each.done = KILLS in each.kind.what  # no smaller one is worth so many workers
    deadline = time.monotonic() + MOST_SECONDS
    while active := [each for each in shrunk if not each.done]:
        _round(flow, active, deadline)
    return shrunk


def _round(flow: Flow, active: list[Shrunk], deadline: float) -> None:
    """Try all that is a little smaller than what each kind has, and go on with it."""
    owners: dict[int, Shrunk] = {}
    asks: dict[str, list[Ask]] = {}
    for each in active:
        candidates = list(smaller(each.smallest))[: MOST_TRIED - each.tried]
        each.tried += len(candidates)
        each.done = True  # unless one of them fails, too
        for case in candidates:
            number = len(owners)
            owners[number] = each
            ask = Ask(each.kind.backend, ((number, case),))
            asks.setdefault(each.kind.backend, []).append(ask)
    for ask, rows in flow.rows(asks):
        ((number, case),) = ask.cases
        _consider(owners[number], case, rows[0])
        if time.monotonic() > deadline:  # of cases that hang each takes long
            for each in active:
                each.done = True
            return


def _consider(each: Shrunk, case: Case, row: SweepRow) -> None:
    alike = (row.result.verdict, failure_signature(row.result)) == each.kind[-2:]
    if alike and size(case) < size(each.smallest):
        each.smallest, each.result, each.done = case, row.result, False


def smaller(case: Case) -> Iterator[Case]:
    """Give cases that are smaller than one in a single way, the smallest first.

    Cell, task, dtype and variant stay: they are what fails. What was recorded or
    trained has one size.
    """
    if case.seed is None:
        return
    found = [*_shorter(case), *_plainer(case)]
    if case.probe:  # its rows follow from its other sizes
        found = [probing(each) or each for each in found]
    valid = [each for each in found if _is_case(each) and size(each) < size(case)]
    yield from sorted(dict.fromkeys(valid), key=size)


def _shorter(case: Case) -> Iterator[Case]:
    for name in _SIZES:
        now, least = getattr(case, name), _FEWEST.get(name, 1)
        for other in (least, now // 2, now - 1):
            if least <= other < now:
                yield replace(case, **{name: other})


def _plainer(case: Case) -> Iterator[Case]:
    if case.direction == "bidirectional":
        yield replace(case, direction="reverse")
    yield replace(case, direction="forward")
    yield replace(case, gain=1.0)
    yield replace(case, time_major=False)
    yield replace(case, zero_length=False)
    yield replace(case, bias=False)


def _is_case(case: Case) -> bool:
    try:
        check_case(case)
    except UsageError:
        return False
    return True
