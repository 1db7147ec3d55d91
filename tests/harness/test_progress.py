"""What a terminal shows while a run goes on."""

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from by_hand_reports import failing, passing
from rnn_parity.store.record import Entry
from rnn_parity.terminal.progress import RunProgress

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
