"""Whoever chose the words on the screen, they are words and not commands."""

import io
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from rich.console import Console

from by_hand_reports import failing
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry
from rnn_parity.terminal.catalogue import show_backends
from rnn_parity.terminal.progress import RunProgress
from rnn_parity.terminal.report import show_report
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import Gap, Implementation
from rnn_parity_reports.results import Report, read_report_document

TITLE = "\x1b]0;owned\x07\x1b[2J\r"  # takes a terminal's title, clears its screen


def printed(show: Callable[[Console], None], *, terminal: bool) -> str:
    file = io.StringIO()
    show(Console(file=file, force_terminal=terminal, width=200))
    return file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_escape_sequences_in_names_and_details_are_not_printed_as_such(
    terminal: bool, saved_run: RunFolder
) -> None:
    report = read_report_document(saved_run.path)
    evil = f"evil{TITLE}"
    results = [
        replace(r, backend=evil, case=evil, verdict=v, detail=evil, reproduce=evil)
        for r, v in zip(
            report.results, ("pass", "fail", "error", "absent"), strict=True
        )
    ]
    shown = replace(report, results=results, outliers={evil: evil})
    assert_harmless(show_all(shown, evil), terminal=terminal)


def show_all(report: Report, evil: str) -> Callable[[Console], None]:
    def show(console: Console) -> None:
        show_report(console, report, evil)
        with RunProgress(console, {evil: 2}) as progress:
            progress.on_case_start(evil, evil)
            progress.on_case_end(Entry(evil, evil, "error", evil))
            progress.on_judged(report.results, 1)
        info = replace(
            INFO,
            name=evil,
            implementations=(Implementation(evil, (evil,), cells=(evil,)),),
        )
        show_backends(console, [(info, evil, True)], verbose=True)

    return show


def assert_harmless(show: Callable[[Console], None], *, terminal: bool) -> None:
    text = printed(show, terminal=terminal)
    assert "evil�" in text
    assert "\x1b]0;" not in text
    assert "\x07" not in text
    assert terminal or text.replace("\n", "").isprintable()


def test_a_declared_gap_is_printed_as_text_and_not_as_markup() -> None:
    info = replace(INFO, gaps=(Gap("never", f"no [/x] [bold] evil{TITLE}"),))

    def show(console: Console) -> None:
        show_backends(console, [(info, "1.0", True)], verbose=True)

    assert_harmless(show, terminal=False)
    assert "never: no [/x] [bold] evil" in printed(show, terminal=False)


def test_the_path_of_the_report_is_printed_whole_however_long(
    saved_run: RunFolder,
) -> None:
    where = f"{'deep/' * 50}report.json"
    report = read_report_document(saved_run.path)
    text = printed(lambda c: show_report(c, report, where), terminal=False)
    assert where in text


def test_what_differs_alike_is_said_once_and_counted(saved_run: RunFolder) -> None:
    report = read_report_document(saved_run.path)
    bad = replace(failing("c", "torch"), explanations=[])
    other = bad.detail.replace("105", "91")  # numbers make no other reason
    results = [replace(bad, case=f"c{n}") for n in range(6)]
    results += [replace(bad, case="c6", detail=other)]
    results += [replace(failing("c8", "jax"), explanations=["bias doubled"])]
    odd = {f"c{n}": "torch" for n in range(7)} | {"c8": "jax"}
    changed = replace(report, results=results, outliers=odd)
    text = printed(lambda c: show_report(c, changed, "here"), terminal=False)
    assert text.count("✗ outputs:") == 2
    assert "the same in 6 more cases" in text
    assert "torch differs from all others, which agree, in 7 cases" in text
    assert "jax differs from all others, which agree, in c8" in text
