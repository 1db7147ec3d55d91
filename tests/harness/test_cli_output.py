"""What commands print: rows as they fit, as much as is asked for, and JSON."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text
from safetensors.numpy import save_file

from by_hand_reports import failing, passing
from rnn_parity.terminal.common import show_facts
from rnn_parity.terminal.report import show_report
from rnn_parity.terminal.rows import show_rows
from rnn_parity_reports.results import Report, Result
from support import SEEDED, report_of

Cli = Callable[..., tuple[int, str, str]]
LONG = "lstm_projection-dynamic-B2240-T1-D4-H5-P2-L2-bidirectional-probe-f64-s1"
BACKENDS = ["numpy", "tensorflow:v1", "torch"]


def shown(report: Report, width: int = 80, **options: bool) -> list[str]:
    file = io.StringIO()
    show_report(Console(file=file, width=width), report, "here", **options)
    return file.getvalue().splitlines()


def many(*results: Result) -> Report:
    right = [passing(f"gru-case{number}", "numpy") for number in range(30)]
    return report_of(*right, *results)


def rows(name: str, width: int) -> list[str]:
    file = io.StringIO()
    cells = [Text("✓ 0.12"), Text("gap"), Text("✗ 3e+05")]
    show_rows(Console(file=file, width=width), "case", BACKENDS, [(name, cells)])
    return file.getvalue().splitlines()


def test_a_short_name_stands_beside_its_cells() -> None:
    assert rows("notebook-basic-f32", 80) == [
        "                          tensorflow",
        "case               numpy  :v1        torch",
        "notebook-basic-f32 ✓ 0.12 gap        ✗ 3e+05",
    ]


def test_a_long_name_is_never_cut_but_has_a_line_of_its_own() -> None:
    assert rows(LONG, 80)[2:] == [LONG, "  ✓ 0.12 gap        ✗ 3e+05"]


def test_columns_that_do_not_fit_follow_below() -> None:
    first, second = rows("short", 24)[:3], rows("short", 24)[4:]
    assert first == ["             tensorflow", "case  numpy  :v1", "short ✓ 0.12 gap"]
    assert second == ["case  torch", "short ✗ 3e+05"]


def test_of_many_cases_those_that_fail_have_rows_and_all_are_summed_up() -> None:
    lines = shown(many(failing("lstm-bad", "numpy")))
    assert lines[0] == "1 case of 31 numpy"
    assert lines[1].startswith("lstm-bad     ✗")
    assert "worst of each cell numpy" in lines
    assert "31 cases, each with a row: -v" in lines
    assert not any("gru-case3" in line for line in lines)


def test_verbose_shows_every_row_and_quiet_none_that_passes() -> None:
    report = many(failing("lstm-bad", "numpy"))
    verbose, quiet = shown(report, verbose=True), shown(report, quiet=True)
    assert sum("gru-case" in line for line in verbose) == 30
    assert [line for line in quiet if "gru-case" in line] == []
    assert any(line.startswith("✗") for line in quiet)
    assert quiet[-1] == "30 pass, 1 fail of 31"


def test_facts_are_wrapped_between_words_and_never_within_an_id() -> None:
    file = io.StringIO()
    facts = [("not shown", f"a word or two before {LONG}, and after"), ("gap", "none")]
    show_facts(Console(file=file, width=40), facts)
    assert file.getvalue().splitlines() == [
        "not shown  a word or two before",
        f"           {LONG},",
        "           and after",
        "gap        none",
    ]


def test_a_summed_up_cell_says_how_many_fail() -> None:
    worst = replace(failing("gru-bad", "numpy"), bound_ratio=7.0)
    lines = shown(many(worst))
    assert "gru                ✗ 1/31" in lines


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--backends", "numpy"),
        ("backends",),
        ("cases",),
        ("cases", "notebook"),
        ("measure", "--backends", "numpy", "--dtypes", "float32", "--samples", "100"),
        ("metamorphic", "--backends", "numpy", "--cases", SEEDED, "--each", "1"),
    ],
    ids=" ".join,
)
def test_commands_print_json_and_nothing_beside_it(
    command: tuple[str, ...], command_line: Cli
) -> None:
    status, out, _ = command_line(*command, "--format", "json")
    assert status == 0
    assert json.loads(out)


def test_commands_about_files_print_json_too(command_line: Cli, copy: Path) -> None:
    draw = np.random.default_rng(1)
    shapes = {"weight_ih_l0": (20, 4), "weight_hh_l0": (20, 5)}
    shapes |= {"bias_ih_l0": (20,), "bias_hh_l0": (20,)}
    weights = {n: draw.normal(size=size).astype("f4") for n, size in shapes.items()}
    save_file(weights, "m.safetensors")
    verify = ("verify", "m.safetensors", "--backends", "numpy")
    convert = ("convert", "m.safetensors", "--to", "canonical", "-o", "c.safetensors")
    for command, field in (
        (verify, "results"),
        (convert, "results"),
        (("compare", "saved"), "results"),
        (("compare", "saved", "saved"), "changes"),
        (("report", "saved"), "results"),
    ):
        status, out, _ = command_line(*command, "--format", "json")
        assert (status, field in json.loads(out)) == (0, True), command
    assert copy.name == "saved"


def test_no_colour_is_printed_where_nobody_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for wanted in ("", "1"):
        monkeypatch.setenv("NO_COLOR", wanted)
        file = io.StringIO()
        show_report(Console(file=file, force_terminal=True), many(), "here")
        assert ("\x1b[3" in file.getvalue()) == (wanted == "")


def test_the_version_is_said(command_line: Cli) -> None:
    assert command_line("--version") == (0, "rnn-parity 0.1.0\n", "")


@pytest.mark.parametrize("value", ["-1", "x", "1.5"])
def test_what_is_no_whole_number_is_refused_in_words(
    value: str, command_line: Cli
) -> None:
    status, _, err = command_line("run", "--jobs", value)
    assert status == 2
    assert f"'{value}' is no whole number from 0 on" in " ".join(err.split())
