"""Asks Dask workers for slices of cases, a few at a time, and loses none of them."""

import contextlib
import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import msgspec
from distributed import Future, KilledWorker

from rnn_parity.runs.resume_check import differences
from rnn_parity.sweep.cluster import Crew, another_worker, in_words, tag
from rnn_parity.sweep.messages import (
    KILLS,
    Answer,
    Identity,
    Limits,
    Question,
    SweepRow,
    again,
)
from rnn_parity_core import Case, ParityError
from rnn_parity_reports.results import Result

_AT_ONCE = 3  # slices that a Dask worker is asked for: one that it is at, two to come
_TICK = 1.0  # seconds between two looks at who is there
_GATHER = 10.0  # seconds that an answer may take to come from the worker that has it

Numbered = tuple[int, Case]


class Ask(NamedTuple):
    """What to ask for: numbered cases on one backend."""

    backend: str
    cases: tuple[Numbered, ...]


class FlowObserver:
    """Who is told how it goes; tells nobody by itself."""

    def answered(self, backend: str, rows: list[SweepRow]) -> None:
        """Hear what came of some cases on a backend."""

    def deserted(self, backend: str, command: str) -> None:
        """Hear that no worker offers a backend any more, and what starts one."""

    def staffed(self, backend: str) -> None:
        """Hear that one does again."""


class Flow:
    """Asks for cases and gives what came of them, each exactly once.

    Dask asks another worker if one dies. A slice at which several have died, or whose
    computing raised, is asked for case by case, nothing else beside it: Dask blames a
    death on all that the dead had been asked for. What fails alone is an `error`.

    Args:
        crew: Those who are asked.
        limits: What one case may take.
        identities: By what each backend must be computed.
        observer: Told of what comes and who goes.

    """

    def __init__(
        self,
        crew: Crew,
        limits: Limits,
        identities: Mapping[str, Identity],
        observer: FlowObserver,
    ) -> None:
        self._crew = crew
        self._limits = limits
        self._identities = identities
        self._observer = observer
        self._open: dict[Future, tuple[Ask, Ask]] = {}
        self._answers: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._suspects: deque[tuple[Ask, Ask]] = deque()
        self._singly: dict[Ask, list[SweepRow]] = {}
        self._deserted: set[str] = set()

    def rows(
        self, asks: Mapping[str, Iterable[Ask]]
    ) -> Iterator[tuple[Ask, list[SweepRow]]]:
        """Give what came of each ask, as it comes.

        Args:
            asks: Backend → what to ask it for, taken when there is somebody to ask.

        Raises:
            ParityError: The scheduler is gone, or a worker is not like the others.

        """
        waiting = {name: iter(of) for name, of in asks.items()}
        most, looked = self._most(waiting), time.monotonic()
        try:
            while True:
                self._fill(waiting, most)
                if not self._open:
                    return
                with contextlib.suppress(queue.Empty):
                    yield from self._took(self._answers.get(timeout=_TICK))
                if time.monotonic() - looked > _TICK:
                    most, looked = self._most(waiting), time.monotonic()
        finally:
            self._crew.cancel(list(self._open))
            self._open.clear()

    def _most(self, waiting: Mapping[str, object]) -> dict[str, int]:
        """Say how many slices may be out for each backend; say who is deserted."""
        offers = self._crew.offers()
        there = {name: len(offers.get(tag(name), ())) for name in waiting}
        at_work = {ask.backend for ask, _ in self._open.values()}
        for name, workers in there.items():
            if workers and name in self._deserted:
                self._deserted.remove(name)
                self._observer.staffed(name)
            elif not workers and name in at_work - self._deserted:
                self._deserted.add(name)
                self._observer.deserted(name, self._crew.command(name))
        return {name: max(1, workers * _AT_ONCE) for name, workers in there.items()}

    def _fill(
        self, waiting: Mapping[str, Iterator[Ask]], most: Mapping[str, int]
    ) -> None:
        if self._suspects:
            if not self._open:
                self._submit(*self._suspects.popleft())
            return
        out = [ask.backend for ask, _ in self._open.values()]
        for name, asks in waiting.items():
            for ask in islice(asks, max(0, most[name] - out.count(name))):
                self._submit(ask, ask)

    def _submit(self, ask: Ask, of: Ask) -> None:
        asked = Question(ask.backend, self._limits, list(ask.cases))
        future = self._crew.submit(asked)
        self._open[future] = ask, of
        future.add_done_callback(self._answers.put)

    def _took(self, future: Future) -> Iterator[tuple[Ask, list[SweepRow]]]:
        """Take an answer, and give what is whole by it."""
        ask, of = self._open[future]
        try:
            answer = msgspec.json.decode(future.result(_GATHER), type=Answer)
        except TimeoutError:  # who had it is dead, so that it is computed again
            future.add_done_callback(self._answers.put)
            return
        except Exception as error:  # noqa: BLE001 - whatever came of it elsewhere
            del self._open[future]
            if future.cancelled() or future.status == "lost":
                raise self._crew.lost() from None
            rows = self._failed(ask, of, error)
        else:
            del self._open[future]
            self._check(ask, answer)
            rows = answer.rows
        if not rows:
            return
        self._observer.answered(ask.backend, rows)
        if ask is not of:
            together = self._singly[of]
            together += rows
            if len(together) < len(of.cases):
                return
            rows = self._singly.pop(of)
        yield of, rows

    def _failed(self, ask: Ask, of: Ask, error: Exception) -> list[SweepRow]:
        """Ask for a slice case by case; give the row of a case that fails alone."""
        if len(ask.cases) > 1:
            self._singly[of] = []
            self._suspects += [(Ask(ask.backend, (one,)), of) for one in ask.cases]
            return []
        if ask is of:  # not alone yet
            self._singly[of] = []
            self._suspects.append((Ask(ask.backend, ask.cases), of))
            return []
        ((number, case),) = ask.cases
        why = f"judging it raised {in_words(error)}"
        if isinstance(error, KilledWorker):
            why = f"{error.allowed_failures + 1} {KILLS}, one after the other"
        detail = f"{why} [{ask.backend}, {case.id}]"
        command = again(case, ask.backend)
        result = Result(case.id, ask.backend, "error", detail=detail, reproduce=command)
        return [SweepRow(number, result)]

    def _check(self, ask: Ask, answer: Answer) -> None:
        """See that an answer is to what was asked, and by what the others compute."""
        known, identity = self._identities[ask.backend], answer.identity
        if answer.trouble:  # what it is asked next would all be lost
            raise ParityError(
                f"{ask.backend} does not start any more on the Dask worker "
                f"{answer.worker}: {answer.trouble}"
            )
        if identity and (unlike := differences(known, identity)):
            raise another_worker(
                ask.backend, answer.worker, unlike, "what began the sweep"
            )
        expected = [(number, case.id) for number, case in ask.cases]
        got = [(row.number, row.result.case) for row in answer.rows]
        if got != expected or {r.result.backend for r in answer.rows} != {ask.backend}:
            raise ParityError(
                f"the Dask worker {answer.worker} answers what it was not asked: "
                "rows of other cases"
            )
