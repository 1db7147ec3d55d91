"""`rnn-parity measure` says what is kept, what is not, and what is not measured."""

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from rnn_parity.adapter_tools.measure import (
    Measurement,
    exit_status,
    measure_backends,
    problems,
)
from rnn_parity.runs import registry
from rnn_parity.runs.observer import RunObserver
from rnn_parity.store.record import Entry
from rnn_parity.terminal.accuracy import show_accuracy
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import BackendInfo, Error, Gap
from rnn_parity_fixtures.faults import plant

Cli = Callable[..., tuple[int, str, str]]

SAMPLES = 5_000
F32 = ["float32"]


def stating(**ulp: float) -> BackendInfo:
    """Give NumPy with other statements for float32, the same near 0."""
    usual = {name: error.ulp for name, error in INFO.accuracy["float32"].items()}
    said = {name: Error(most) for name, most in {**usual, **ulp}.items()}
    return replace(INFO, accuracy={**INFO.accuracy, "float32": said})


def by_function(rows: list[Measurement]) -> dict[str, Measurement]:
    return {row.function: row for row in rows}


def test_numpy_keeps_what_it_states_and_says_how_far_it_is_off() -> None:
    seen: list[Entry] = []

    class Count(RunObserver):
        def on_case_end(self, entry: Entry) -> None:
            seen.append(entry)

    rows = measure_backends([INFO], ["float32", "float16"], SAMPLES, Count())
    assert [(row.function, row.dtype, row.stated.upto) for row in rows] == [
        ("tanh", "float32", np.inf),
        ("tanh", "float16", np.inf),
        ("sigmoid", "float32", 1.0),
        ("sigmoid", "float32", np.inf),
        ("sigmoid", "float16", np.inf),
    ]
    assert [row.status for row in rows] == ["kept"] * 5
    assert exit_status(rows) == 0
    for row in rows:
        assert row.figure is not None
        assert row.stated.ulp is not None
        assert 0.3 < row.figure.ulp.error <= row.stated.ulp
        assert row.figure.ulp.way.split()[0] in {"basic", "dynamic"}
    # tanh in three cells, sigmoid in one, each in two variants and two dtypes.
    assert (
        len(seen)
        == sum(problems([INFO], ["float32", "float16"], SAMPLES).values())
        == 16
    )


def test_too_little_too_much_and_nothing_stated_each_fail() -> None:
    info = stating(tanh=0.5, sigmoid=500.0)
    rows = by_function(measure_backends([info], F32, SAMPLES))
    assert rows["tanh"].status == "exceeded"
    words = r"tanh in float32 errs by 1\.\d+ ulp at \S+ \(\w+ \w+\); 0\.5 are stated"
    assert re.fullmatch(words, rows["tanh"].detail)
    assert rows["sigmoid"].status == "generous"
    assert "500 are stated, over 10 times as many" in rows["sigmoid"].detail
    assert [exit_status([row]) for row in rows.values()] == [1, 1]
    silent = replace(INFO, accuracy={})
    rows = by_function(measure_backends([silent], F32, SAMPLES))
    assert {row.status for row in rows.values()} == {"unstated"}
    assert rows["tanh"].figure is not None
    assert exit_status([*rows.values()]) == 1


def test_too_little_and_too_much_near_0_each_fail_in_words_that_name_the_range() -> (
    None
):
    near = ((0.5, 0.75), (2.0, 15.0))
    functions = {**INFO.accuracy["float32"], "tanh": Error(20.0, near=near)}
    info = replace(INFO, accuracy={"float32": functions})
    rows = [r for r in measure_backends([info], F32, SAMPLES) if r.function == "tanh"]
    assert [row.status for row in rows] == ["exceeded", "generous", "generous"]
    first, second, last = (row.detail for row in rows)
    assert first.endswith("; 0.75 are stated where |x| <= 0.5")
    assert "; 15 are stated where |x| > 0.5 and |x| <= 2, over 10 times as" in second
    assert "; 20 are stated where |x| > 2, over 10 times as many" in last
    assert [exit_status([row]) for row in rows] == [1, 1, 1]
    file = io.StringIO()
    show_accuracy(Console(file=file, width=80), rows)
    said = r"^numpy +tanh +f32 +\S0\.5: 0\.75 +✗ 1\.\d\d "
    assert re.search(said, file.getvalue(), re.MULTILINE)


def test_a_function_of_less_precision_than_its_label_is_found() -> None:
    faulty = plant(INFO, "sigmoid in float32")
    rows = by_function(measure_backends([faulty], ["float64"], SAMPLES))
    assert (rows["tanh"].status, rows["sigmoid"].status) == ("kept", "exceeded")
    figure = rows["sigmoid"].figure
    assert figure is not None
    assert figure.ulp.error > 2**28  # half an ulp of float32 is 2^28 of float64's


@pytest.mark.parametrize(
    ("fault", "state", "words", "left"),
    [
        ("killed", "error", "the worker process was killed by SIGKILL", 3),
        ("raises", "error", "RuntimeError: raised on purpose", 3),
        ("declines", "wrong", "undeclared gap: declined on purpose", 1),
        ("output missing", "wrong", "final_h is missing", 1),
    ],
)
def test_a_backend_without_a_right_answer_gets_a_row_that_says_so(
    fault: str, state: str, words: str, left: int
) -> None:
    rows = measure_backends([plant(INFO, fault), INFO], F32, SAMPLES)
    assert [row.status for row in rows] == [state, state, *["kept"] * 3]
    assert words in rows[0].detail
    assert exit_status(rows) == left


def test_declared_gaps_and_absent_frameworks_are_no_failures_and_no_measurements() -> (
    None
):
    gapped = replace(INFO, gaps=(Gap("never", "no gates", cells=("lstm",)),))
    away = replace(INFO, name="away", requires={"nonesuch_": "nonesuch"})
    rows = measure_backends([gapped, away], F32, SAMPLES)
    assert [row.status for row in rows] == ["kept", "gap", "absent"]
    assert "nonesuch not installed; install with: pip" in rows[2].detail
    assert [exit_status(rows), exit_status(rows[1:])] == [0, 2]


def test_where_nothing_is_wider_than_float64_it_is_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(np, "longdouble", np.float64)
    rows = measure_backends([INFO], ["float64"], SAMPLES)
    assert [row.status for row in rows] == ["unmeasured"] * 2
    assert rows[0].detail == "this machine's long double is no wider than float64"
    assert [row.figure for row in rows] == [None, None]
    assert exit_status(rows) == 2
    assert problems([INFO], ["float64"], SAMPLES) == {"numpy": 0}
    narrow = measure_backends([INFO], ["bfloat16"], SAMPLES)
    assert [row.status for row in narrow] == ["kept"] * 2


@pytest.mark.usefixtures("only_numpy")
def test_the_command_prints_a_row_for_each_and_names_what_is_absent(
    command_line: Cli,
) -> None:
    chosen = ("--dtypes", "float32", "--samples", str(SAMPLES))
    status, out, err = command_line("measure", *chosen)
    assert (status, err) == (0, "")
    row = r"^numpy +tanh +f32 +2 +✓ 1\.\d\d +-?\d\S* +\w+ \w+ *$"
    assert re.search(row, out, re.MULTILINE)
    assert re.search(r"^torch .*absent *$", out, re.MULTILINE)
    assert re.search(r"^absent torch: torch not installed; install", out, re.MULTILINE)
    status, _, err = command_line("measure", "--backends", "torch", *chosen)
    assert (status, "torch cannot run here: torch not installed" in err) == (2, True)


def test_the_command_fails_where_a_statement_does(
    command_line: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        registry, "known_backends", lambda: {"numpy": stating(tanh=0.25, sigmoid=4.0)}
    )
    status, out, _ = command_line("measure", "--dtypes", "float32", "--samples", "5000")
    assert status == 1
    assert re.search(r"^numpy +tanh +f32 +0\.25 +✗ 1\.\d\d ", out, re.MULTILINE)
    assert re.search(r"^✗ numpy: tanh in float32 errs by 1\.", out, re.MULTILINE)
    assert re.search(r"^numpy +sigmoid +f32 +4 +✓ \d\.\d\d ", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("unknown backend 'numpi'; did you mean numpy", ["--backends", "numpi"]),
        ("unknown dtype 'float23'; did you mean float32", ["--dtypes", "float23"]),
    ],
)
def test_unknown_names_are_refused_in_one_line(
    words: str, arguments: list[str], command_line: Cli
) -> None:
    status, out, err = command_line("measure", *arguments)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert words in err


def test_names_and_details_are_printed_as_text() -> None:
    evil = "evil\x1b]0;owned\x07 [/x]"
    file = io.StringIO()
    rows = [Measurement(evil, "tanh", "float32", "error", detail=evil)]
    show_accuracy(Console(file=file, width=200), rows)
    assert file.getvalue().count("evil\N{REPLACEMENT CHARACTER}]0;owned") == 3
    assert file.getvalue().replace("\n", "").isprintable()
