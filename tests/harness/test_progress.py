"""What a terminal shows while a run goes on."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from by_hand_reports import failing, passing
from rnn_parity.runs.observer import RunObserver
from rnn_parity.runs.run import compute
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry, RunRecord
from rnn_parity.terminal.progress import RunProgress
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_fixtures import catalogue
from support import SEEDED

Shown = Callable[[Callable[[RunProgress], None]], str]


def on(console: Console, tell: Callable[[RunProgress], None]) -> str:
    file = console.file
    assert isinstance(file, StringIO)
    with RunProgress(console, {"numpy": 3, "torch": 3}) as progress:
        tell(progress)
        # What is on the screen now, not what is left when it is cleared.
        console.print(progress.shown())
    return file.getvalue()


@pytest.fixture
def shown() -> Shown:
    """Give a function that tells a progress of a run, and returns what it shows."""

    def on_terminal(tell: Callable[[RunProgress], None]) -> str:
        return on(Console(file=StringIO(), force_terminal=True, width=160), tell)

    return on_terminal


def row(text: str, name: str) -> str:
    return [line for line in text.splitlines() if name in line][-1]


def test_each_backend_says_what_it_is_at_and_how_far(shown: Shown) -> None:
    def tell(progress: RunProgress) -> None:
        progress.on_case_start("numpy", "first")
        progress.on_case_end(Entry("first", "numpy", "done"))
        progress.on_case_start("numpy", "second")

    text = shown(tell)
    assert "1/3" in row(text, "numpy")
    assert "second" in row(text, "numpy")
    assert "0/3" in row(text, "torch")
    assert "waits" in row(text, "torch")


def test_errors_and_differences_are_counted_as_they_come(shown: Shown) -> None:
    def tell(progress: RunProgress) -> None:
        progress.on_case_end(Entry("first", "torch", "error", "killed"))
        progress.on_case_start("torch", "second")
        progress.on_judged([passing("first", "numpy")], 3)
        progress.on_judged([passing("second", "numpy"), failing("second", "torch")], 3)
        progress.on_judged([passing("third", "numpy")], 3)

    text = shown(tell)
    assert "1 error" in row(text, "1mtorch")
    assert "second" in row(text, "1mtorch")
    judging = row(text, "judging")
    assert "3/3" in judging
    assert "1 differ" in judging
    assert "torch second; gate order z, r, n" in judging


def test_it_says_whose_outcome_is_judged_before_a_case_is_done(shown: Shown) -> None:
    judging = row(
        shown(lambda progress: progress.on_judging_start("torch", "large")), "judging"
    )
    assert "torch large" in judging
    assert "0/?" in judging


def test_off_a_terminal_nothing_is_shown() -> None:
    console = Console(file=StringIO(), force_terminal=False)
    with RunProgress(console, {"numpy": 1}) as progress:
        progress.on_case_start("numpy", "first")
        progress.on_case_end(Entry("first", "numpy", "error", "killed"))
        progress.on_judged([failing("first", "numpy")], 1)
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == ""


@pytest.mark.parametrize(
    ("cases", "jobs", "said"),
    [
        (2000, 2, "4,000 results, some 4 min; of large networks more"),
        (2000, 4, "4,000 results, some 2 min; of large networks more"),
        (10, 2, ""),  # soon done
        (2000, 0, ""),  # nobody asked
    ],
)
def test_how_long_a_long_run_takes_is_said_when_it_begins(
    cases: int, jobs: int, said: str, saved_run: RunFolder
) -> None:
    file = StringIO()
    totals = dict.fromkeys(("numpy", "torch"), cases)
    progress = RunProgress(Console(file=file, width=160), totals, jobs)
    assert file.getvalue() == ""
    progress.on_run_start(saved_run.record())
    assert file.getvalue().strip() == said


def test_who_watches_a_run_is_told_of_it_before_its_first_case(tmp_path: Path) -> None:
    told: list[str] = []

    class Tells(RunObserver):
        def on_run_start(self, record: RunRecord) -> None:
            told.extend(case.id for case in record.cases)

        def on_case_start(self, backend: str, case: str) -> None:
            told.append(f"{backend} {case}")

    case = catalogue.case_from_id(SEEDED)
    compute([case], [INFO], tmp_path, jobs=1, timeout=60, observer=Tells())
    assert told == [SEEDED, f"numpy {SEEDED}"]
