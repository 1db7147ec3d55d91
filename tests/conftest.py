"""What tests share: problems, honest outcomes, saved runs, real workers."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnn_parity.runs.registry import known_backends
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_core import BackendInfo, Case, Problem
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Report
from support import SEEDED

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    """Hear signals that whoever started pytest ignores: tests send some, to children.

    Shells do so for what they start in the background, and children take it over.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def problem() -> Problem:
    """Give a seeded problem with nothing weak about it."""
    return catalogue.build(catalogue.case_from_id(SEEDED))


@pytest.fixture(scope="session")
def workers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Worker]]:
    """Give one worker process for each backend, kept for the whole session."""
    logs = tmp_path_factory.mktemp("logs")
    started: dict[str, Worker] = {}

    def worker(name: str) -> Worker:
        if name not in started:
            started[name] = Worker(logs / f"{len(started)}.log")
        return started[name]

    yield worker
    for process in started.values():
        process.close()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[Report, RunFolder]]:
    """Give a function that computes cases on backends, judges and writes."""

    def made(
        cases: list[Case], infos: list[BackendInfo], timeout: float = 120.0
    ) -> tuple[Report, RunFolder]:
        folder = compute(cases, infos, tmp_path / "run", jobs=2, timeout=timeout)
        return judge_and_write(folder), folder

    return made


@pytest.fixture(scope="session")
def saved_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Give the notebook's run on NumPy alone; tests must not change it."""
    path = tmp_path_factory.mktemp("saved") / "run"
    cases = catalogue.select(["notebook"], [], [])
    folder = compute(cases, [known_backends()["numpy"]], path, jobs=1, timeout=120)
    judge_and_write(folder)
    return folder
