"""A whole sweep: choose, ask, keep, sum up, shrink."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from rnn_parity.runs.engine import default_jobs
from rnn_parity.runs.environment import describe_environment
from rnn_parity.runs.registry import (
    absence,
    known_backends,
    named_backends,
    select_backends,
)
from rnn_parity.runs.resume_check import another_environment, differences
from rnn_parity.store.journal import folder_lock
from rnn_parity.sweep.cluster import Crew, tag, workers_at, workers_here
from rnn_parity.sweep.flow import Ask, Flow, FlowObserver
from rnn_parity.sweep.messages import Limits, Slice, Sweep, slice_length
from rnn_parity.sweep.pages import smallest_csv, to_markdown
from rnn_parity.sweep.parquet import Store
from rnn_parity.sweep.shrink import Shrunk, shrink
from rnn_parity.sweep.summary import Summary, summed_up
from rnn_parity_core import Case, ParityError, UsageError
from rnn_parity_fixtures import catalogue


class SweepObserver(FlowObserver):
    """Who is told how a sweep goes; tells nobody by itself."""

    def begins(self, totals: dict[str, int], done: dict[str, int]) -> None:
        """Hear how many cases each backend computes, and how many it has already."""

    def shrinks(self, kinds: int) -> None:
        """Hear that the smallest failing cases of so many kinds are looked for."""


class Whole(NamedTuple):
    """What came of a sweep."""

    sweep: Sweep
    summary: Summary
    shrunk: list[Shrunk]


class Where(NamedTuple):
    """Where cases are computed."""

    scheduler: str = ""
    """Address of Dask's; nothing: on this machine."""
    workers: int = 0
    """Dask workers here for each backend; 0: one a processor, all backends together."""

    def crew(self, backends: list[str]) -> AbstractContextManager[Crew]:
        """Give the workers, while they are needed.

        Raises:
            UsageError: No scheduler answers.

        """
        if self.scheduler:
            return workers_at(self.scheduler)
        each = self.workers or max(1, default_jobs() // len(backends))
        return workers_here(backends, each)


def begin(
    suite: list[str],
    backends: list[str],
    out: Path,
    *,
    where: Where,
    limits: Limits,
    observer: SweepObserver,
) -> Whole:
    """Sweep a suite into a new folder.

    Args:
        suite: Names of suites or IDs.
        backends: What computes; nothing: all that is here, or that workers offer.
        out: The folder.
        where: Where cases are computed.
        limits: What one case may take.
        observer: Told how it goes.

    Raises:
        UsageError: A name is unknown, or no worker offers a backend.
        FileError: The folder cannot be used.
        ParityError: Workers are gone; what is done is kept.

    """
    cases, store = catalogue.sequence(suite), Store(out)
    named = _named(backends, where)
    store.check_new()
    with folder_lock(out), where.crew(named) as crew:
        named = named or _offered(crew)
        sweep = Sweep(
            "rnn-parity.sweep/2",
            describe_environment(),
            suite,
            len(cases),
            slice_length(len(cases)),
            crew.identities(named, limits),
            limits,
        )
        store.begin(sweep)
        return _Running(store, sweep, cases, crew, observer).whole({})


def resume(out: Path, *, where: Where, observer: SweepObserver) -> Whole:
    """Go on with a sweep that was cut short.

    Raises:
        UsageError: It would not go on in the environment in which it began.
        FileError: The folder holds no sweep, or cannot be used.
        ParityError: Workers are gone; what is done is kept.

    """
    store = Store(out)
    sweep = store.sweep()
    cases, names = catalogue.sequence(sweep.suite), list(sweep.backends)
    if len(cases) != sweep.cases:
        found = [f"cases was {sweep.cases}, is {len(cases)}"]
        raise another_environment("the suite", found)
    infos = named_backends(names) if where.scheduler else select_backends(names)
    with ExitStack() as stack:
        stack.enter_context(folder_lock(out))
        store.clean()
        done = _done(store, sweep, cases)
        crew = stack.enter_context(where.crew([info.name for info in infos]))
        now = crew.identities(names, sweep.limits)
        for name, begun in sweep.backends.items():
            if unlike := differences(begun, now[name]):
                raise another_environment(name, unlike)
        return _Running(store, sweep, cases, crew, observer).whole(done)


def _named(backends: list[str], where: Where) -> list[str]:
    """Give the backends that are asked for; nothing where the workers say which."""
    if where.scheduler:
        return [info.name for info in named_backends(backends)]
    infos = select_backends(backends)
    return [info.name for info in infos if backends or not absence(info)]


def _offered(crew: Crew) -> list[str]:
    offered = crew.offers()
    if found := [name for name in known_backends() if tag(name) in offered]:
        return found
    raise UsageError(
        f"no Dask worker at {crew.address} offers a backend; {crew.command('torch')}"
    )


def _done(store: Store, sweep: Sweep, cases: Sequence[Case]) -> dict[str, set[int]]:
    """Backend → numbers of the slices whose rows are there, and whole."""
    return {
        name: {
            number
            for number, first, end in sweep.slices()
            if store.is_done(Slice(name, number), first, cases[first:end])
        }
        for name in sweep.backends
    }


class _Running(NamedTuple):
    """A sweep at work."""

    store: Store
    sweep: Sweep
    cases: Sequence[Case]
    crew: Crew
    observer: SweepObserver

    def whole(self, done: dict[str, set[int]]) -> Whole:
        """Compute the slices that are not done, sum all up, and shrink what fails.

        Raises:
            ParityError: Workers are gone, or no room is left; what is left is said.

        """
        flow = Flow(self.crew, self.sweep.limits, self.sweep.backends, self.observer)
        try:
            return self._whole(flow, done)
        except ParityError as error:
            raise type(error)(f"{error}; {self._left()}") from None

    def _left(self) -> str:
        """Say what there is to go on with."""
        try:
            self.store.sweep()
        except ParityError:
            return "nothing is there to go on with"
        again = f"rnn-parity sweep --resume {quote(str(self.store.path))}"
        again += f" --scheduler {self.crew.address}" if self.crew.is_given else ""
        return f"what is there is kept, go on with: {again}"

    def _whole(self, flow: Flow, done: dict[str, set[int]]) -> Whole:
        store, sweep = self.store, self.sweep
        self.observer.begins(
            dict.fromkeys(sweep.backends, sweep.cases),
            {name: self._count(numbers) for name, numbers in done.items()},
        )
        asks = {
            name: self._asks(name, done.get(name, set())) for name in sweep.backends
        }
        for ask, rows in flow.rows(asks):
            of = Slice(ask.backend, ask.cases[0][0] // sweep.slice)
            store.sweep()  # or it was taken away, and must not be begun again by half
            store.write_part(of, [case for _, case in ask.cases], rows)
        failures = store.file("failures.csv")
        summary = summed_up(sweep.backends, self._rows(), failures)
        self.observer.shrinks(len(summary.kinds))
        whole = Whole(sweep, summary, shrink(flow, summary.kinds))
        store.write("smallest.csv", smallest_csv(whole.shrunk).encode())
        store.write("summary.md", to_markdown(*whole).encode())
        return whole

    def _count(self, numbers: set[int]) -> int:
        return sum(end - first for n, first, end in self.sweep.slices() if n in numbers)

    def _asks(self, backend: str, done: set[int]) -> Iterator[Ask]:
        for number, first, end in self.sweep.slices():
            if number not in done:
                numbered = enumerate(self.cases[first:end], start=first)
                yield Ask(backend, tuple(numbered))

    def _rows(self) -> Iterator[tuple[int, Case, dict[str, Any]]]:
        """Give all that is kept, slice by slice, backends side by side."""
        for number, first, end in self.sweep.slices():
            cases = self.cases[first:end]
            for name in self.sweep.backends:
                rows = self.store.rows(Slice(name, number), first, cases)
                for case, row in zip(cases, rows, strict=True):
                    yield row["number"], case, row
