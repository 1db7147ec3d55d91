"""The command line runs, judges again, prints again and lists."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity.runs import run as session
from rnn_parity_reports.results import read_report_document

Cli = Callable[..., tuple[int, str, str]]
Snapshot = Callable[[Path], dict[str, bytes | None]]

OUTCOME = "outcomes/numpy/notebook-basic-f32.safetensors"


def test_a_run_is_judged_written_and_judged_again_to_the_same_bytes(
    command_line: Cli, snapshot: Snapshot, tmp_path: Path
) -> None:
    status, out, err = command_line("run", "--backends", "numpy", "--out", "deep/run")
    assert (status, err) == (0, "")
    assert "4 pass of 4" in out
    assert re.search(
        r"^published +8 of 8 printed tables within 1e-06", out, re.MULTILINE
    )
    assert re.search(r"^report +deep/run/report.html", out, re.MULTILINE)
    before = snapshot(tmp_path / "deep/run")
    assert {
        "run.json",
        "report.json",
        "report.html",
        "report.md",
        "results.csv",
        OUTCOME,
    } <= {*before}
    assert len(json.loads(before["report.json"] or b"")["results"]) == 4
    for name in ("report.json", "report.html", "report.md", "results.csv"):
        (tmp_path / "deep/run" / name).unlink()
    assert command_line("compare", "deep/run") == (0, out, "")
    assert snapshot(tmp_path / "deep/run") == before


def test_selections_narrow_what_is_run(command_line: Cli, tmp_path: Path) -> None:
    chosen = ["--cases", "standard", "--variants", "basic", "--dtypes", "float64"]
    status, _, _ = command_line("run", "--backends", "numpy", *chosen)
    assert status == 0
    report = read_report_document(tmp_path / "parity-report")
    # Each cell, the gradients of every third one, and one that is trained.
    assert len(report.results) == 7 + 3 + 1
    assert all("-basic-" in r.case and "-f64-" in r.case for r in report.results)


@pytest.mark.parametrize("data", [b"", b"foreign" * 30, None])
def test_an_outcome_that_cannot_be_read_is_an_error_of_its_case_alone(
    data: bytes | None, copy: Path, command_line: Cli
) -> None:
    whole = (copy / OUTCOME).read_bytes()
    (copy / OUTCOME).write_bytes(whole[:-3] if data is None else data)
    status, out, err = command_line("compare", "saved")
    assert (status, err) == (3, "")
    assert "3 pass, 1 error of 4" in out
    assert "is not a whole safetensors file" in out
    verdicts = [r.verdict for r in read_report_document(copy).results]
    assert verdicts == ["error", "pass", "pass", "pass"]


def test_a_report_is_printed_in_every_form(copy: Path, command_line: Cli) -> None:
    for form, name in (
        ("markdown", "report.md"),
        ("csv", "results.csv"),
        ("json", "report.json"),
        ("junit", "junit.xml"),
    ):
        printed = command_line("report", "saved/report.json", "--format", form)
        assert printed == (0, (copy / name).read_bytes().decode(), "")
    status, out, err = command_line("report", "saved")
    assert (status, err) == (0, "")
    assert re.search(r"^notebook-dynamic-f32 +✓ 0\.\d\d", out, re.MULTILINE)


def test_a_report_is_written_to_a_file_which_parquet_needs(
    copy: Path, command_line: Cli
) -> None:
    command = ("report", "saved", "--format")
    assert command_line(*command, "csv", "--out", "deep/copy.csv") == (0, "", "")
    written = (copy.parent / "deep/copy.csv").read_bytes()
    assert written == (copy / "results.csv").read_bytes()
    status, out, err = command_line(*command, "parquet")
    assert (status, out) == (2, "")
    assert "parquet is binary; name a file: --out results.parquet" in err
    assert command_line(*command, "parquet", "--out", "x.parquet") == (0, "", "")
    assert (copy.parent / "x.parquet").read_bytes().startswith(b"PAR1")
    assert "a table is only shown" in command_line("report", "saved", "--out", "x")[2]
    status, out, err = command_line(*command, "csv", "--out", "saved")
    assert (status, out) == (2, "")
    assert "cannot write saved: Is a directory" in err


@pytest.mark.usefixtures("only_numpy")
def test_backends_and_cases_are_listed(command_line: Cli) -> None:
    status, out, _ = command_line("backends")
    assert status == 0
    assert re.search(r"^numpy  numpy 2", out, re.MULTILINE)
    absent = r"^jax:eager  jax.* not installed; install with: pip"
    assert re.search(absent, out, re.MULTILINE)
    assert "lax.scan" not in out
    plain = re.sub(r" +", " ", command_line("backends", "-v")[1])
    for words in (
        r"^variable_input lax\.scan outside jit, masked by lengths ?$",
        r"^dynamic lstm .*keras.* LSTM",
        r"^gap: lstm_projection dynamic variable_input P >= H never: [a-z]",
        r"^otherwise: static static_single variable_output never: [a-z]",
        r"^otherwise: all else never: Keras has no LSTM with peepholes",
    ):
        assert re.search(words, plain, re.MULTILINE), words
    status, out, _ = command_line("cases", "standard")
    assert (status, "notebook" in out) == (0, False)
    assert re.search(r"rnn_tanh-static-B3-T4-D6-H5-f32-s1 +B 3, T 4, D 6, H 5", out)
    assert "notebook-basic-f32" in command_line("cases")[1]


def test_an_interruption_says_where_outcomes_are_and_they_can_be_judged(
    command_line: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session, "judge_and_write", interrupted)
        status, _, err = command_line("run", "--backends", "numpy", "--out", "cut")
    assert status == 130
    assert err.endswith(
        "rnn-parity: interrupted; outcomes so far are in cut; go on with: "
        "rnn-parity run --resume cut\n"
    )
    assert command_line("compare", "cut")[0] == 0
    assert (tmp_path / "cut" / "report.json").is_file()
