"""Relations with real workers: what holds, what is violated, and what is not lost."""

import re
import signal
import threading
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from rnn_parity.checks import metamorphic
from rnn_parity.checks.metamorphic import (
    RelationTrial,
    exit_status,
    plan,
    relate,
    table,
)
from rnn_parity.checks.relations import RELATIONS
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import CELLS, Case, Gap, UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import plant
from support import installed

Cli = Callable[..., tuple[int, str, str]]

FORWARD = catalogue.case_from_id("lstm-dynamic-B3-T7-D4-H5-f32-s1")
TWO_WAY = catalogue.case_from_id("gru-dynamic-B3-T7-D4-H5-bidirectional-f32-s1")
GRADIENT = catalogue.case_from_id("gru-dynamic-B3-T7-D4-H5-gradient-f32-s1")
TRAINS = catalogue.case_from_id("gru-dynamic-B3-T7-D4-H5-adam-f32-s1")
OF_FORWARD = ["repeated call", "batch split", "batch permutation", "sequence cut"]


def cases_of(cell: str) -> list[Case]:
    """Give few cases of a cell, among which each relation has some."""
    size = "-P2" if cell == "lstm_projection" else ""
    return [
        catalogue.case_from_id(f"{cell}-{variant}-B3-T7-D4-H5{size}{rest}-s1")
        for variant, rest in (
            ("variable_input", "-L2-f32"),
            ("dynamic", "-reverse-f32"),
            ("static", "-bidirectional-f64"),
            ("variable_input", "-bidirectional-zerolength-f32"),
            ("variable_output", "-V7-f64"),
        )
    ]


@pytest.mark.parametrize("cell", CELLS)
def test_every_relation_holds_on_numpy(cell: str) -> None:
    trials = relate([INFO], cases_of(cell), each=5, jobs=1)
    assert [trial.words for trial in trials if trial.status != "holds"] == []
    assert {trial.relation for trial in trials} == set(RELATIONS)
    for trial in trials:
        if RELATIONS[trial.relation].same_bits:
            assert trial.bound_ratio is None
        else:
            assert trial.bound_ratio is not None
            assert trial.bound_ratio <= 1
    assert exit_status(trials) == 0


@pytest.mark.parametrize(
    "backend",
    [
        "torch",
        pytest.param("tensorflow", marks=pytest.mark.slow),
        pytest.param("jax", marks=pytest.mark.slow),
    ],
)
def test_every_relation_holds_on_a_framework(backend: str) -> None:
    info = installed(backend)
    trials = relate([info], cases_of("lstm"), each=1, jobs=1)
    assert [trial.words for trial in trials if trial.status != "holds"] == []
    assert {trial.relation for trial in trials} == set(RELATIONS)


def test_a_violation_a_crash_and_a_healthy_backend_are_told_apart() -> None:
    wrong = plant(INFO, "initial state dropped")
    silent = [plant(INFO, name) for name in ("killed", "raises", "declines")]
    infos = [wrong, *silent, INFO, replace(INFO, name="gone", requires={"no_": "no"})]
    trials = relate(infos, [FORWARD], each=3, jobs=2)
    said = {
        info.name: {t.relation: t.status for t in trials if t.backend == info.name}
        for info in infos
    }
    held = dict.fromkeys(OF_FORWARD, "holds")
    assert said["numpy"] == held
    assert said[wrong.name] == {**held, "sequence cut": "violated"}
    assert said["numpy+killed"] == dict.fromkeys(OF_FORWARD, "error")
    assert said["numpy+raises"] == dict.fromkeys(OF_FORWARD, "error")
    assert said["numpy+declines"] == dict.fromkeys(OF_FORWARD, "violated")
    assert said["gone"] == dict.fromkeys(OF_FORWARD, "absent")
    words = {trial.backend: trial.words for trial in trials}
    assert "was killed by SIGKILL" in words["numpy+killed"]
    assert "undeclared gap: declined on purpose" in words["numpy+declines"]
    cut = words[wrong.name]
    assert cut.startswith("sequence cut: outputs: ")
    assert re.search(
        r"worst \S+x at \(row \d, step 3, unit \d\): allowed \S+, got", cut
    )
    assert cut.endswith(f"[{wrong.name}, {FORWARD.id}]")
    rows = table(trials, [info.name for info in infos])
    assert rows[0] == [
        "repeated call", "✓ 1 bits", "error 1/1", "error 1/1", "✗ 1/1 bits",
        "✓ 1 bits", "absent",
    ]  # fmt: skip
    assert re.fullmatch(r"✗ 1/1 \de\+\d\d", rows[4][1])
    assert rows[3][1:] == ["none"] * 6


def test_what_is_declined_for_its_data_is_a_gap_and_no_violation() -> None:
    gap = Gap("never", "it rounds", depends_on_data=True)
    declining = replace(plant(INFO, "declines"), gaps=(gap,))
    trials = relate([declining], [FORWARD], each=1, jobs=1)
    assert {trial.status for trial in trials} == {"gap"}
    assert all(row[1] in {"gap", "none"} for row in table(trials, [declining.name]))
    assert exit_status(trials) == 2  # nothing was checked


def test_an_answer_that_breaks_the_contract_is_a_violation() -> None:
    for fault, words in (
        ("output missing", "final_h is missing"),
        ("nan in outputs", "elements NaN or infinite"),
    ):
        trials = relate([plant(INFO, fault)], [FORWARD], each=1, jobs=1)
        assert {trial.status for trial in trials} == {"violated"}
        assert all(words in trial.detail for trial in trials)


def test_the_status_says_the_worst_and_never_passes_what_was_not_checked() -> None:
    def of(*statuses: str) -> int:
        return exit_status([RelationTrial("r", "b", "c", s) for s in statuses])

    assert of("holds", "inconclusive", "absent") == 0
    assert of("holds", "error", "violated") == 1
    assert of("holds", "error") == 3
    assert of("inconclusive", "absent") == 4
    assert of("absent") == of() == 2


def test_gaps_of_what_is_asked_for_count_and_cases_are_spread() -> None:
    info = replace(INFO, gaps=(Gap("never", "one way", directions=("reverse",)),))
    cases = [TWO_WAY, GRADIENT, TRAINS, *[replace(FORWARD, seed=n) for n in range(9)]]
    chosen = plan(info, cases, 3)
    assert chosen["one direction at a time"] == []
    assert [case.seed for case in chosen["sequence cut"]] == [0, 3, 6]
    assert plan(INFO, cases, 3)["one direction at a time"] == [TWO_WAY]
    assert list(chosen) == list(RELATIONS)


def test_an_interruption_ends_every_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = metamorphic.Bench.trial

    def trial(self: metamorphic.Bench, name: str, case: Case) -> RelationTrial:
        seen.append(name)
        if len(seen) == 1:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return real(self, name, case)

    monkeypatch.setattr(metamorphic.Bench, "trial", trial)
    cases = [replace(FORWARD, seed=n) for n in range(30)]
    infos = [replace(INFO, name=name) for name in ("a", "b")]
    with pytest.raises(KeyboardInterrupt):
        relate(infos, cases, each=30, jobs=2)
    assert 1 <= len(seen) < 60


def test_nothing_to_check_and_unknown_names_are_one_line(command_line: Cli) -> None:
    for words, arguments in (
        ("no relation applies to any of these cases on numpy", [GRADIENT.id, "numpy"]),
        ("unknown backend 'nunpy'; did you mean numpy", [FORWARD.id, "nunpy"]),
        ("'standart'; did you mean standard", ["standart", "numpy"]),
        ("--cases names nothing", [" , ", "numpy"]),
    ):
        cases, backends = arguments
        status, out, err = command_line(
            "metamorphic", "--cases", cases, "--backends", backends
        )
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert words in err
    with pytest.raises(UsageError, match="no relation applies"):
        relate([], [FORWARD], each=1, jobs=1)


def test_the_command_prints_the_table(command_line: Cli) -> None:
    chosen = ("--cases", f"{FORWARD.id},{TWO_WAY.id}", "--backends", "numpy")
    status, out, err = command_line("metamorphic", *chosen)
    assert (status, err) == (0, "")
    assert re.search(r"^relation +numpy *$", out, re.MULTILINE)
    assert re.search(r"^repeated call +✓ 2 bits *$", out, re.MULTILINE)
    assert re.search(r"^sequence cut +✓ 1 0\.\d\d *$", out, re.MULTILINE)
    assert re.search(r"^padding changed +none *$", out, re.MULTILINE)
    assert "verdict  8 hold of 8" in out


@pytest.mark.usefixtures("only_numpy")
def test_without_names_the_installed_backends_run(command_line: Cli) -> None:
    status, out, _ = command_line("metamorphic", "--cases", FORWARD.id)
    assert status == 0
    assert re.search(r"^relation +numpy *$", out, re.MULTILINE)


def test_what_is_violated_is_named_with_the_command_that_shows_it(
    command_line: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(plant(INFO, "inputs' rows rotated"), name="numpy")
    monkeypatch.setattr(
        "rnn_parity.runs.registry.known_backends", lambda: {"numpy": wrong}
    )
    chosen = ("--cases", FORWARD.id, "--backends", "numpy", "--each", "1")
    status, out, _ = command_line("metamorphic", *chosen)
    assert status == 1
    assert re.search(r"^batch split +✗ 1/1 \S+ *$", out, re.MULTILINE)
    assert re.search(
        r"^✗ batch split: outputs: .* got .* \[numpy, lstm", out, re.MULTILINE
    )
    again = f"  reproduce: rnn-parity metamorphic --cases {FORWARD.id} --backends numpy"
    assert again in out
    assert "verdict  2 hold, 2 violated of 4" in out
