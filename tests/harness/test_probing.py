"""The batch that shows every weight: what is in it, and that it does show them."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as altered

from rnn_parity.judge.certify import certify_steps, reference
from rnn_parity.judge.not_shown import not_shown_by
from rnn_parity.runs.equivalence import Parity
from rnn_parity_core import (
    CELLS,
    Accuracy,
    Array,
    Case,
    Error,
    Problem,
    UsageError,
    probing,
)
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.catalogue import case_from_id, select
from rnn_parity_reports.results import read_report_document
from support import honest

Cli = Callable[..., tuple[int, str, str]]
SIZES = {size * sign for size in (0.25, 1, 4, 16, 64) for sign in (1, -1)}
LSTM = "lstm-dynamic-B3-T7-D4-H5-L2-bidirectional-f32-s1"
# What a right computation errs by: its outcome is the float64 one, rounded.
HONEST = Accuracy("float32", {"tanh": Error(2.0), "sigmoid": Error(2.0)})


def probe(case_id: str) -> Problem:
    return catalogue.build(case_from_id(f"probe:{case_id}"))


def entering(problem: Problem) -> Array:
    """Give all that enters the step of each row, `[B, entries]`."""
    states = [problem[f"initial_{state}"] for state in CELLS[problem.case.cell].states]
    by_pass = [state[number] for number in range(len(states[0])) for state in states]
    return np.concatenate([problem["inputs"][:, 0], *by_pass], axis=1)


def test_every_entry_is_by_itself_at_every_size_and_sign() -> None:
    problem = probe(LSTM)
    found = entering(problem).astype(float)
    entries = 4 + 4 * (5 + 5)
    assert found.shape == (problem.case.batch, entries)
    groups = np.arange(problem.case.batch) % entries
    for entry in range(entries):
        own = found[groups == entry]
        assert set(own[:, entry]) == SIZES
        others = np.abs(np.delete(own, entry, axis=1))
        assert not others[:, : 4 - (entry < 4)].any()
        assert others[:, 4:].min() >= 1 / 16
        assert others.max() <= 4


def test_of_more_entries_than_rows_have_room_for_several_share_one() -> None:
    case = case_from_id("probe:gru-dynamic-B1-T1-D300-H50-f32-s1")
    assert case.batch == 2560
    found = np.abs(entering(catalogue.build(case)))
    large = found == 64
    assert (large.sum(axis=0) >= 2).all()  # once of either sign at least
    assert large.sum(axis=1).max() == 2  # 350 of 256 rows: no more than two


def test_its_numbers_are_the_same_bits_always() -> None:
    found = probing.arrays(case_from_id(f"probe:{LSTM}"))
    digest = hashlib.sha256(b"".join(found[n].tobytes() for n in sorted(found)))
    assert digest.hexdigest()[:16] == "2454ceb45da8c4db"


def test_weights_are_those_of_the_case_that_it_probes() -> None:
    plain, shown = catalogue.build(case_from_id(LSTM)), probe(LSTM)
    for name in plain.case.weight_shapes():
        assert (plain[name] == shown[name]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_an_element_of_any_weight_that_is_off_by_1e_4_is_caught(cell: str) -> None:
    projected = "-P2" if "projection" in cell else ""
    problem = probe(f"{cell}-dynamic-B1-T1-D2-H3{projected}-f32-s3")
    right = certify_steps(problem, honest(problem), HONEST)
    assert right.bound_ratio <= 1
    missed = []
    for name in problem.case.weight_shapes():
        for at in np.ndindex(problem[name].shape):
            array = problem[name].copy()
            array[at] *= np.float32(1 + 1e-4)
            wrong = replace(problem, arrays={**problem.arrays, name: array})
            if certify_steps(problem, honest(wrong), HONEST).bound_ratio <= 1:
                missed.append((name, at))
    assert not missed


def test_a_seeded_batch_misses_what_a_probe_shows() -> None:
    case_id, name = "lstm-dynamic-B2-T2-D4-H9-G8-f32-s2", "layer0.forward.kernel"
    missed = []
    for problem in (catalogue.build(case_from_id(case_id)), probe(case_id)):
        found = set()
        for at in np.ndindex(2, 9):
            array = problem[name].copy()
            array[at] *= np.float32(1 + 1e-4)
            wrong = replace(problem, arrays={**problem.arrays, name: array})
            if certify_steps(problem, honest(wrong), HONEST).bound_ratio <= 1:
                found.add(at)
        missed.append(len(found))
    assert missed[0] > 0
    assert missed[1] == 0


def test_it_is_a_case_of_its_own_with_an_id_to_build_it_from() -> None:
    case = case_from_id(f"probe:{LSTM}")
    assert case.id == "lstm-dynamic-B2200-T1-D4-H5-L2-bidirectional-probe-f32-s1"
    assert case_from_id(case.id) == case
    assert probing.probing(case) == case


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 2199},
        {"steps": 2},
        {"task": "gradient"},
        {"variant": "variable_input", "zero_length": True},
    ],
)
def test_a_probe_of_other_sizes_or_tasks_is_refused_and_the_right_one_named(
    change: dict[str, int | str | bool],
) -> None:
    wrong = altered(case_from_id(f"probe:{LSTM}"), **change)
    right = probing.probing(wrong)
    assert right is not None
    with pytest.raises(UsageError, match=f"a probe goes forward .* is {right.id}$"):
        case_from_id(wrong.id)


def test_what_feeds_itself_or_was_recorded_is_not_probed() -> None:
    decoding = "gru-variable_output-B6-T9-D4-H5-V7-f32-s9"
    assert probing.probing(case_from_id(decoding)) is None
    for name in (decoding, "notebook"):
        with pytest.raises(UsageError, match=f"'probe:{name}' probes nothing"):
            select([f"probe:{name}"], [], [])
    with pytest.raises(UsageError, match="a probe goes forward"):
        case_from_id(decoding.replace("-f32", "-probe-f32"))


def test_a_suite_is_probed_once_for_each_of_its_networks() -> None:
    found = select(["probe:standard"], ["dynamic"], ["float32"])
    assert all(case.probe and case.task == "forward" for case in found)
    assert len(found) == len(set(found))
    plain = select(["standard"], ["dynamic"], ["float32"])
    assert {(c.cell, c.direction, c.layers) for c in found} == {
        (c.cell, c.direction, c.layers) for c in plain
    }
    with pytest.raises(UsageError, match="unknown case or suite 'standard'"):
        case_from_id("probe:standard")


def test_what_it_saturates_on_purpose_is_not_called_weak() -> None:
    problem = probe("rnn_tanh-dynamic-B1-T1-D4-H5-G8-f32-s1")
    assert (np.abs(reference(problem)["outputs"]) > 0.999).mean() > 0.25
    assert not_shown_by(problem, reference(problem)) == []


def test_a_run_probes_and_says_how_small_a_change_it_would_see(
    command_line: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    names = f"{LSTM},probe:{LSTM}"
    asked = ("run", "--cases", names, "--backends", "numpy", "--out", str(out))
    status, said, _ = command_line(*asked)
    assert status == 0
    assert "a weight scaled by 1 + " in said
    plain, shown = (r.sensitivity for r in read_report_document(out).results)
    for kind, change in shown.items():
        assert change is not None
        assert change < (plain[kind] or 1)


def test_probes_are_listed_as_any_suite_is(command_line: Cli) -> None:
    assert "probe:SUITE" in command_line("cases")[1]
    status, said, _ = command_line("cases", f"probe:{LSTM}")
    assert status == 0
    assert "lstm-dynamic-B2200-T1-D4-H5-L2-bidirectional-probe-f32-s1" in said


def test_what_is_too_large_to_probe_is_refused_as_any_case_is() -> None:
    case = Case(
        cell="lstm",
        variant="dynamic",
        batch=1,
        steps=1,
        features=4,
        units=4096,
        layers=32,
        dtype="float32",
        seed=1,
    )
    with pytest.raises(UsageError, match="elements, more than"):
        catalogue.check_case(probing.probing(case) or case)


@pytest.mark.parametrize("case_id", [LSTM, "gru-dynamic-B1-T1-D300-H50-f32-s1"])
def test_what_stands_out_in_a_row_is_said_by_its_place(case_id: str) -> None:
    problem = probe(case_id)
    for row in (0, 43, 44, 257, problem.case.batch - 1):
        found = probing.by_itself(problem.case, row)
        shared = entering(problem).shape[1] - 256
        assert len(found) == (2 if row % 256 < shared else 1)
        values = [abs(float(problem[name][at])) for name, at in found]
        assert len(set(values)) == 1
        assert values[0] in SIZES
        assert sum(np.abs(entering(problem)[row]) == values[0]) == len(found)


def test_a_failure_says_what_its_row_looks_at() -> None:
    def layer(problem: Problem) -> dict[str, Array]:
        outcome = honest(problem)
        outcome["outputs"][5, 0, 1] += np.float32(1e-3)
        return outcome

    said = r"in row 5 inputs\[5, 0, 0\] is -?0.25 by itself"
    with Parity() as parity, pytest.raises(AssertionError, match=said):
        parity.assert_equivalent(
            layer,
            case="probe:gru-dynamic-B1-T1-D2-H3-f32-s1",
            ulp={"tanh": 2.0, "sigmoid": 2.0},
        )
