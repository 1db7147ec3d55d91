"""The mutation score: faults that live and false alarms are not passed over."""

import json
import re
import signal
import threading
from collections.abc import Callable

import pytest

from rnn_parity.checks import mutation
from rnn_parity.checks.mutation import (
    HEALTHY,
    OURS,
    FaultTrial,
    by_kind,
    by_suite,
    idle,
    remarks,
    survivors,
)
from rnn_parity.judge.fixed_tolerances import FIXED_TOLERANCES
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_torch import INFO as TORCH
from rnn_parity_core import CELLS, UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import FAULTS, KINDS

CASES = [
    catalogue.case_from_id("lstm-dynamic-B3-T7-D4-H5-f32-s1"),
    catalogue.case_from_id("gru-variable_input-B3-T7-D4-H5-L2-bidirectional-f64-s1"),
]
EMPTY_ROW = "gru-variable_input-B3-T7-D4-H5-zerolength-f32-s1"


def trial(
    kind: str, fault: str, *, killed: bool, peer: bool = True, suite: str = "s"
) -> FaultTrial:
    broken = {OURS: killed, **dict.fromkeys(FIXED_TOLERANCES, peer)}
    case, named = f"case-of-{fault}", fault == "a"
    return FaultTrial(suite, "numpy", kind, fault, case, broken, named, "what was said")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave two faults of two kinds, one that NumPy's tolerance sees and one not."""
    chosen = {
        "layout": {"bias doubled": KINDS["layout"]["bias doubled"]},
        "contract": {"output missing": KINDS["contract"]["output missing"]},
    }
    monkeypatch.setattr(mutation, "KINDS", chosen)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("jobs", [1, 2])
def test_faults_are_planted_in_a_real_adapter_and_killed(jobs: int) -> None:
    seen: list[FaultTrial] = []
    trials = mutation.mutation_test(
        [INFO], {"s": CASES}, each=2, jobs=jobs, notify=seen.append
    )
    assert sorted(seen) == sorted(trials)
    kinds = [t.kind for t in trials]
    assert kinds == ["layout"] * 2 + ["contract"] * 2 + [HEALTHY] * 2
    assert all(t.broken[OURS] for t in trials if t.kind != HEALTHY)
    assert not any(t.broken[OURS] for t in trials if t.kind == HEALTHY)
    assert survivors(trials) == []
    titles, rows = by_kind(trials)
    assert titles[:5] == ["kind", "faults", "cases", OURS, "named"]
    assert rows[0][:5] == ["layout", "1", "2", "1 (100 %)", "100 %"]
    assert rows[1][:5] == ["contract", "1", "2", "1 (100 %)", "0 %"]
    assert rows[2][:5] == [HEALTHY, "none", "2", "no false alarm", ""]


def test_an_interruption_ends_every_share_after_the_trial_at_hand() -> None:
    seen: list[FaultTrial] = []

    def interrupt(trial: FaultTrial) -> None:
        seen.append(trial)
        if len(seen) == 1:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        mutation.mutation_test([INFO], {"s": CASES}, each=1, jobs=2, notify=interrupt)
    assert 1 <= len(seen) < 10


def test_a_fault_that_lives_and_a_false_alarm_are_named() -> None:
    trials = [
        trial("layout", "a", killed=False),
        trial("layout", "a", killed=True),
        trial("layout", "b", killed=False),
        trial("sequence", "c", killed=True),
        trial("sequence", "a", killed=True),
        trial(HEALTHY, "", killed=True, peer=False),
        trial(HEALTHY, "", killed=False, peer=False),
    ]
    assert survivors(trials) == [
        "layout: b survives case-of-b",
        "false alarm: what was said",
    ]
    _, rows = by_kind(trials)
    ours = ["layout", "2", "3", "1 (33 %)", "100 %"]
    assert rows[0] == [*ours, *["2 (100 %)"] * len(FIXED_TOLERANCES)]
    assert rows[1][:5] == ["sequence", "2", "2", "2 (100 %)", "50 %"]
    assert rows[2][3] == "1 false alarms (50 %)"
    assert rows[2][5:] == ["no false alarm"] * len(FIXED_TOLERANCES)


def test_a_fault_that_one_suite_kills_may_live_in_another() -> None:
    trials = [
        trial("layout", "a", killed=False, suite="weak"),
        trial("layout", "a", killed=True, suite="strong"),
        trial("layout", "b", killed=False, suite="weak"),
    ]
    assert survivors(trials) == ["layout: b survives case-of-b"]


def test_a_row_for_each_suite_has_all_its_kinds_and_then_its_false_alarms() -> None:
    trials = [
        trial("layout", "a", killed=False, suite="weak"),
        trial("layout", "a", killed=True, suite="strong"),
        trial("layout", "b", killed=True, suite="strong", peer=False),
        trial("sequence", "c", killed=True, suite="strong"),
        trial("sequence", "c", killed=False, suite="strong"),
        trial(HEALTHY, "", killed=False, suite="weak"),
        trial(HEALTHY, "", killed=False, suite="strong", peer=False),
    ]
    titles, rows = by_suite(trials)
    assert titles == ["suite", *by_kind(trials)[0][1:]]
    of, none = f"of {len(FAULTS)}", ["no false alarm"]
    n = len(FIXED_TOLERANCES)
    assert rows == [
        ["weak", f"1 {of}", "1", "0 (0 %)", "", *["1 (100 %)"] * n],
        ["weak, healthy", "none", "1", *none, "", *["1 false alarms (100 %)"] * n],
        ["strong", f"3 {of}", "4", "3 (75 %)", "33 %", *["2 (75 %)"] * n],
        ["strong, healthy", "none", "1", *none, "", *none * n],
    ]


@pytest.mark.usefixtures("few")
def test_what_kinds_have_in_a_suite_adds_up_to_what_the_suite_has() -> None:
    suites = {"first": CASES[:1], "second": CASES}
    trials = mutation.mutation_test([INFO], suites, each=2, jobs=1)
    _, rows = by_suite(trials)
    for suite, faulty, healthy in zip(suites, rows[::2], rows[1::2], strict=True):
        _, kinds = by_kind([t for t in trials if t.suite == suite])
        *faults, alarms = kinds
        assert faulty[0] == suite
        assert healthy[1:] == alarms[1:]
        for column in (1, 2, 3, *range(5, len(faulty))):
            counts = [int(row[column].split()[0]) for row in faults]
            assert int(faulty[column].split()[0]) == sum(counts)


def test_a_fault_is_planted_in_the_first_backend_that_has_a_case_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    names = ("lengths ignored", "length 0 taken for full")
    chosen = {"sequence": {name: KINDS["sequence"][name] for name in names}}
    monkeypatch.setattr(mutation, "KINDS", chosen)
    cases = [CASES[1], catalogue.case_from_id(EMPTY_ROW)]
    assert TORCH.gap(cases[1])
    infos, suites = [TORCH, INFO], {"s": cases}
    trials = mutation.mutation_test(infos, suites, each=1, jobs=1)
    assert [(t.backend, t.fault, t.case) for t in trials] == [
        ("torch", "lengths ignored", CASES[1].id),
        ("numpy", "length 0 taken for full", EMPTY_ROW),
        ("torch", "", CASES[1].id),
        ("numpy", "", EMPTY_ROW),
    ]
    assert survivors(trials) == []
    assert list(remarks(infos, suites, trials)) == [
        "planted in numpy, where torch has no case: length 0 taken for full"
    ]
    assert list(remarks([TORCH], suites, [])) == [
        "apply to no case here: length 0 taken for full"
    ]


def test_faults_without_a_case_are_named_and_a_suite_without_any_is_refused() -> None:
    assert "bias doubled" not in idle([INFO], {"s": CASES})
    assert "projection transposed" in idle([INFO], {"s": CASES})
    assert set(idle([INFO], {"s": []})) == set(FAULTS)
    with pytest.raises(UsageError, match="no fault applies to any case of b on numpy"):
        mutation.mutation_test([INFO], {"a": CASES, "b": []}, each=1, jobs=1)


@pytest.mark.usefixtures("few")
def test_the_command_prints_the_table_in_both_forms(
    command_line: Callable[..., tuple[int, str, str]],
) -> None:
    chosen = ("--backends", "numpy", "--jobs", "1")
    status, out, _ = command_line("mutation-test", "--cases", CASES[0].id, *chosen)
    assert status == 0
    assert re.search(r"^layout +1 +1 +1 \(100 %\)", out, re.MULTILINE)
    assert "suite" not in out
    both = ("--cases", f"{CASES[0].id},random:2:1", *chosen)
    status, out, _ = command_line("mutation-test", *both, "--format", "markdown")
    assert status == 0
    assert "| layout | 1 | 2 | 1 (100 %) | 100 % | 1 (100 %) |" in out
    assert f"\n\n| suite | faults | cases | {OURS} |" in out
    assert f"| {CASES[0].id} | 2 of 2 | 2 | 2 (100 %) | 50 % | 2 (100 %) |" in out
    assert "| random:2:1, healthy | none |" in out
    status, out, _ = command_line("mutation-test", *both, "--format", "json")
    trials = json.loads(out)["trials"]
    assert {trial["kind"] for trial in trials} >= {"layout", HEALTHY}
    assert {trial["broken"][OURS] for trial in trials if trial["kind"] == "layout"} == {
        True
    }


@pytest.mark.usefixtures("few")
def test_a_fault_that_survives_every_suite_fails_the_command(
    command_line: Callable[..., tuple[int, str, str]],
) -> None:
    # The notebook's biases are zero: twice of them is the same.
    chosen = ("--backends", "numpy", "--each", "1", "--jobs", "1")
    status, out, _ = command_line("mutation-test", "--cases", "notebook", *chosen)
    assert (status, "layout: bias doubled survives notebook-" in out) == (1, True)
    both = f"notebook,{CASES[0].id}"
    status, out, _ = command_line("mutation-test", "--cases", both, *chosen)
    assert (status, "survives" in out) == (0, False)
    assert re.search(r"^notebook +2 of 2 +2 +1 \(50 %\)", out, re.MULTILINE)


def test_backends_that_are_unknown_or_none_are_refused(
    command_line: Callable[..., tuple[int, str, str]],
) -> None:
    status, _, err = command_line("mutation-test", "--backends", "nonesuch")
    assert (status, "unknown backend" in err) == (2, True)
    status, _, err = command_line("mutation-test", "--backends", ",")
    assert (status, "--backends names nothing" in err) == (2, True)


def test_every_fault_applies_to_some_case_of_standard_or_of_a_cell() -> None:
    cases = list(catalogue.suites()["standard"])
    for cell in CELLS.built_in:
        if cell not in CELLS.in_suites:
            cases += catalogue.select([f"cell:{cell}"], [], [])
    unmatched = [f for f in FAULTS if not any(map(FAULTS[f].applies, cases))]
    assert unmatched == []
