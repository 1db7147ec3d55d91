"""What cannot be followed is refused in one line, and nothing is touched."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity_reports.results import read_report_document

Cli = Callable[..., tuple[int, str, str]]
Snapshot = Callable[[Path], dict[str, bytes | None]]

PROBLEM = "problems/notebook-basic-f32.safetensors"
TITLE = "\x1b]0;owned\x07\x1b[2J\r"  # takes a terminal's title, clears its screen
SAVED = ["--out", "saved"]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("backend 'jaxx'; did you mean jax", ["run", *SAVED, "--backends", "jaxx"]),
        ("'noteboko'; did you mean notebook", ["run", *SAVED, "--cases", "noteboko"]),
        (
            "variant 'basics'; did you mean basic",
            ["run", *SAVED, "--variants", "basics"],
        ),
        ("'float23'; did you mean float32", ["run", *SAVED, "--dtypes", "float23"]),
        ("suite 'standart'; did you mean standard", ["cases", "standart"]),
        ("--cases names nothing", ["run", *SAVED, "--cases", " , "]),
        (
            "nothing to run: 1 cases are named",
            ["run", *SAVED, "--cases", "notebook-basic-f32", "--dtypes", "float64"],
        ),
        (
            "P goes with cells that have a projection",
            ["run", *SAVED, "--cases", "lstm_projection-basic-B1-T1-D1-H1-f32-s1"],
        ),
        (
            "must each be at least 1",
            ["run", *SAVED, "--cases", "rnn_tanh-basic-B0-T1-D1-H1-f32-s1"],
        ),
        (
            "elements, more than",
            ["run", *SAVED, "--cases", "rnn_tanh-basic-B9-T9-D9-H99999-f32-s1"],
        ),
        ("cannot write to saved/run.json/x", ["run", "--out", "saved/run.json/x"]),
        ("problems is not empty and holds no run", ["run", "--out", "saved/problems"]),
        ("holds no run of rnn-parity", ["compare", "saved/problems"]),
        ("holds no run of rnn-parity", ["compare", "nowhere"]),
        ("cannot read nowhere: No such file", ["report", "nowhere"]),
        ("report.md is not a whole report", ["report", "saved/report.md"]),
        ("safetensors is not a whole report", ["report", f"saved/{PROBLEM}"]),
        ("run.json is not a whole report", ["report", "saved/run.json"]),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_line_and_nothing_is_written(
    words: str, arguments: list[str], copy: Path, command_line: Cli, snapshot: Snapshot
) -> None:
    before = snapshot(copy.parent)
    if arguments[0] == "run" and "--backends" not in arguments:
        arguments = [*arguments, "--backends", "numpy"]
    assert_refused(command_line(*arguments), words)
    assert snapshot(copy.parent) == before


def assert_refused(said: tuple[int, str, str], words: str) -> None:
    status, out, err = said
    assert (status, out) == (2, "")
    assert err.startswith("rnn-parity: ")
    assert words in err
    assert err.endswith("\n")
    assert err[:-1].isprintable()


@pytest.mark.parametrize("name", ["run.json", PROBLEM, "report.json"])
def test_a_truncated_or_foreign_file_is_refused_in_one_line_and_nothing_is_written(
    name: str, copy: Path, command_line: Cli, snapshot: Snapshot
) -> None:
    whole = (copy / name).read_bytes()
    command = "report" if name == "report.json" else "compare"
    for data in (b"", whole[:-9], whole[: len(whole) // 2], b'{"a": 1}', b"\xff" * 99):
        (copy / name).write_bytes(data)
        before = snapshot(copy)
        assert_refused(command_line(command, "saved"), f"{name} is not a whole")
        assert snapshot(copy) == before


def test_an_escape_sequence_in_a_file_does_not_reach_the_terminal(
    copy: Path, command_line: Cli
) -> None:
    record = json.loads((copy / "run.json").read_bytes())
    (copy / "run.json").write_text(json.dumps({**record, f"{TITLE}x": 1}))
    assert_refused(command_line("compare", "saved"), "unknown field")


@pytest.mark.parametrize("timeout", ["inf", "1e300", "nan", "0", "-1"])
def test_a_timeout_that_no_clock_knows_is_followed_or_refused(
    timeout: str, command_line: Cli
) -> None:
    only = ["--cases", "notebook-basic-f32", "--backends", "numpy"]
    assert command_line("run", *only, "--timeout", timeout)[0] in {0, 2}


@pytest.mark.usefixtures("only_numpy")
def test_a_framework_that_is_absent_is_refused_if_named_and_else_shown_as_absent(
    command_line: Cli, snapshot: Snapshot, tmp_path: Path
) -> None:
    hint = "install with: pip install 'rnn-parity[tensorflow]'"
    assert_refused(command_line("run", "--backends", "numpy,tensorflow"), hint)
    assert snapshot(tmp_path) == {}
    status, out, err = command_line("run")
    assert (status, err) == (0, "")
    words = f"tensorflow: tensorflow, keras not installed; {hint}"
    assert re.search(rf"^absent +{re.escape(words)}", out, re.MULTILINE)
    report = read_report_document(tmp_path / "parity-report")
    assert report.summary.absent == 4 * 5
    assert report.summary.passed == report.summary.compared == 4


@pytest.mark.parametrize("cases", ["trained", "trained-g2p-fa-loud-f32"])
def test_where_no_trained_network_is_it_is_said_how_to_have_them(
    command_line: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: str
) -> None:
    monkeypatch.setenv("RNN_PARITY_CACHE", str(tmp_path / "empty"))
    chosen = ("--backends", "numpy", "--out", str(tmp_path / "run"))
    status, _, err = command_line("run", "--cases", cases, *chosen)
    again = "download it, with all trained networks, by: rnn-parity download\n"
    assert (status, err.endswith(again)) == (2, True)
