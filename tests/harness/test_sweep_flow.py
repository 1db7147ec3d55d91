"""Who is asked for what: nothing is lost, given twice, or taken from whoever it is."""

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from distributed import KilledWorker
from msgspec.structs import replace

from rnn_parity.sweep import flow as flows
from rnn_parity.sweep import shrink as shrinking
from rnn_parity.sweep.flow import Ask, Flow, FlowObserver
from rnn_parity.sweep.messages import (
    Answer,
    FailureKind,
    Identity,
    Limits,
    Question,
    SweepRow,
)
from rnn_parity.sweep.shrink import shrink
from rnn_parity.sweep.summary import FailureGroup
from rnn_parity_core import ParityError, UsageError
from rnn_parity_fixtures.random_cases import RandomCases
from rnn_parity_reports.describe import failure_signature
from rnn_parity_reports.results import Result

CASES = RandomCases(40, 4)
LIMITS = Limits(60.0, 0)
IDENTITY = Identity("0.1.0", "2.4", "0" * 16, "3.11", {"numpy": "2.4"}, {})
Respond = Callable[[Question], Answer]


def right(asked: Question) -> Answer:
    rows = [
        SweepRow(n, Result(case.id, asked.backend, "pass")) for n, case in asked.cases
    ]
    return Answer("tcp://a", IDENTITY, rows=rows)


class Future:
    """One of Dask's, which is done when it is asked for."""

    def __init__(self, respond: Respond, asked: Question) -> None:
        self._respond, self.asked = respond, asked
        self.status = "finished"

    def add_done_callback(self, callback: Callable[["Future"], None]) -> None:
        callback(self)

    def cancelled(self) -> bool:
        return self.status == "cancelled"

    def result(self, _: float) -> bytes:
        return msgspec.json.encode(self._respond(self.asked))


class Crew:
    """Two workers of one backend that answer as they are told."""

    address = "tcp://s"

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.asked: list[Question] = []
        self.beside: list[tuple[int, Question]] = []
        self.answered = 0
        self.cancelled: list[Future] = []

    def offers(self) -> dict[str, list[str]]:
        return {"numpy": ["tcp://a", "tcp://b"]}

    def submit(self, asked: Question) -> Future:
        self.beside.append((len(self.asked) - self.answered, asked))
        self.asked.append(asked)
        return Future(self._answer, asked)

    def _answer(self, asked: Question) -> Answer:
        self.answered += 1
        return self._respond(asked)

    def cancel(self, futures: list[Future]) -> None:
        self.cancelled += futures

    def lost(self) -> ParityError:
        return ParityError("it was lost")


def flow(crew: Any) -> Flow:
    return Flow(crew, LIMITS, {"numpy": IDENTITY}, FlowObserver())


def asks(length: int = 5) -> dict[str, list[Ask]]:
    numbered = list(enumerate(CASES))
    parts = [numbered[n : n + length] for n in range(0, len(numbered), length)]
    return {"numpy": [Ask("numpy", tuple(part)) for part in parts]}


def taken(respond: Respond) -> tuple[Crew, list[tuple[Ask, list[SweepRow]]]]:
    crew = Crew(respond)
    return crew, list(flow(crew).rows(asks()))


def test_every_case_is_given_once_and_few_are_asked_for_at_a_time() -> None:
    crew = Crew(right)
    taken = 0
    for number, (ask, rows) in enumerate(flow(crew).rows(asks())):
        assert [row.number for row in rows] == [number for number, _ in ask.cases]
        taken += len(rows)
        assert len(crew.asked) - number <= 2 * flows._AT_ONCE
    assert taken == len(CASES)


@pytest.mark.parametrize("killed", [True, False])
def test_only_the_case_that_fails_alone_is_an_error(killed: bool) -> None:
    tries: Counter[int] = Counter()

    def respond(asked: Question) -> Answer:
        tries.update(number for number, _ in asked.cases)
        if 7 in dict(asked.cases):
            worker: Any = SimpleNamespace(address="tcp://a:1")
            raise KilledWorker("x", worker, 3) if killed else ValueError("bad\nluck")
        return right(asked)

    crew, found = taken(respond)
    rows = [row for _, of in found for row in of]
    assert sorted(row.number for row in rows) == list(range(len(CASES)))
    (bad,) = [row for row in rows if row.result.verdict != "pass"]
    assert bad.number == 7
    assert bad.result.verdict == "error"
    words = (
        "4 Dask workers died at it"
        if killed
        else "judging it raised ValueError: bad luck"
    )
    assert bad.result.detail.startswith(words)
    assert (
        bad.result.reproduce == f"rnn-parity run --cases {CASES[7].id} --backends numpy"
    )
    # By itself, with nothing beside it, before it is called an error.
    assert tries[7] == 2
    assert max(tries.values()) == 2
    alone = [beside for beside, asked in crew.beside if len(asked.cases) == 1]
    assert alone == [0] * 5


def test_a_case_that_is_a_slice_is_tried_alone_too() -> None:
    crew, tries = Crew(right), Counter[int]()

    def respond(asked: Question) -> Answer:
        ((number, _),) = asked.cases
        tries[number] += 1
        if number == 7 and tries[number] == 1:
            raise ValueError("once")
        return right(asked)

    crew = Crew(respond)
    found = list(flow(crew).rows(asks(1)))
    assert len(found) == len(CASES)
    assert {row.result.verdict for _, rows in found for row in rows} == {"pass"}
    assert tries[7] == 2


def others(asked: Question) -> Answer:
    return right(replace(asked, cases=asked.cases[::-1]))


def fewer(asked: Question) -> Answer:
    return right(replace(asked, cases=asked.cases[1:]))


def elsewhere(asked: Question) -> Answer:
    return right(replace(asked, backend="torch"))


@pytest.mark.parametrize("respond", [others, fewer, elsewhere])
def test_rows_that_nobody_asked_for_are_not_taken(respond: Respond) -> None:
    with pytest.raises(ParityError, match="answers what it was not asked"):
        taken(respond)


def test_a_worker_that_comes_later_with_another_version_ends_the_sweep() -> None:
    def respond(asked: Question) -> Answer:
        other = replace(IDENTITY, versions={"numpy": "2.5"})
        return replace(right(asked), identity=other)

    with pytest.raises(UsageError, match=r"numpy was '2\.4', is '2\.5'; end"):
        taken(respond)


def test_a_backend_that_does_not_start_any_more_ends_the_sweep() -> None:
    def respond(asked: Question) -> Answer:
        return replace(right(asked), trouble="did not start: no GPU")

    with pytest.raises(ParityError, match="any more on the Dask worker tcp://a: did n"):
        taken(respond)


def test_what_dask_cancels_is_a_lost_scheduler() -> None:
    crew = Crew(right)

    class Cancelled(Future):
        def result(self, _: float) -> bytes:
            self.status = "cancelled"
            raise RuntimeError("cancelled")

    def submit(asked: Question) -> Future:
        return Cancelled(right, asked)

    crew.submit = submit  # type: ignore[method-assign]
    with pytest.raises(ParityError, match="it was lost"):
        list(flow(crew).rows(asks()))
    assert crew.cancelled


def test_an_answer_that_died_with_its_worker_is_waited_for() -> None:
    late = iter([True] * 3)

    def respond(asked: Question) -> Answer:
        if next(late, False):
            raise TimeoutError
        return right(asked)

    _, found = taken(respond)
    assert sum(len(rows) for _, rows in found) == len(CASES)


def failing(asked: Question) -> Answer:
    """Fail from four steps and three units on, whatever else."""
    rows = []
    for number, case in asked.cases:
        bad = case.steps >= 4 and case.units >= 3
        result = Result(case.id, "numpy", "fail" if bad else "pass", detail="off by 5")
        rows.append(SweepRow(number, result))
    return Answer("tcp://a", IDENTITY, rows=rows)


def kinds() -> dict[FailureKind, FailureGroup]:
    large = max(CASES, key=lambda case: (case.steps >= 4) * case.units)
    result = Result(large.id, "numpy", "fail", detail="off by 7")
    kind = FailureKind(
        "numpy", large.cell, large.task, "fail", failure_signature(result)
    )
    return {kind: FailureGroup(9, large, 3)}


def test_a_failing_case_is_made_as_small_as_it_can_be() -> None:
    (found,) = shrink(flow(Crew(failing)), kinds())
    assert (found.smallest.steps, found.smallest.units) == (4, 3)
    assert (found.smallest.batch, found.smallest.layers) == (1, 1)
    assert found.result
    assert found.result.case == found.smallest.id
    assert found.tried <= shrinking.MOST_TRIED


def test_what_fails_otherwise_is_not_gone_on_with() -> None:
    def respond(asked: Question) -> Answer:
        rows = [
            SweepRow(n, Result(case.id, "numpy", "fail", detail="another thing"))
            for n, case in asked.cases
        ]
        return Answer("tcp://a", IDENTITY, rows=rows)

    ((kind, begun),) = kinds().items()
    (found,) = shrink(flow(Crew(respond)), {kind: begun})
    assert (found.smallest, found.result) == (begun.smallest, None)


def test_shrinking_ends_by_time_by_tries_and_before_workers_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crew = Crew(failing)
    ((kind, begun),) = kinds().items()
    deadly = kind._replace(what="# Dask workers died at it, one after the other")
    (found,) = shrink(flow(crew), {deadly: begun})
    assert (found.smallest, crew.asked) == (begun.smallest, [])
    monkeypatch.setattr(shrinking, "MOST_TRIED", 3)
    (found,) = shrink(flow(crew), {kind: begun})
    assert found.tried == len(crew.asked) == 3
    monkeypatch.setattr(shrinking, "MOST_SECONDS", -1.0)
    (found,) = shrink(flow(crew), {kind: begun})
    assert found.done
    many = {
        kind._replace(cell=str(n)): FailureGroup(n, begun.smallest, n)
        for n in range(30)
    }
    every = shrink(flow(crew), many)
    assert [each.count for each in every] == list(range(29, 9, -1))
