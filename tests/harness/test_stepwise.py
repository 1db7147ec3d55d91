"""All steps at once, in blocks of rows, are what they are one by one and alone."""

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.judge import stepwise as module
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.certify import certify_steps, reference
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.stepwise import Stepwise, stepwise
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import CELLS, Accuracy, Array, Error, Problem
from rnn_parity_fixtures import catalogue
from support import honest

ACCURACY = Accuracy("float32", {"tanh": Error(2.0), "sigmoid": Error(4.0)})
OPTIONS = ("", "-reverse", "-L2-bidirectional", "-zerolength")


def built(cell: str, options: str) -> tuple[Problem, Array]:
    """Give a problem, and outputs that are a little off: no step follows another."""
    size = "-P2" if cell == "lstm_projection" else ""
    name = f"{cell}-variable_input-B7-T9-D4-H5{size}{options}-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    outputs = reference(problem)["outputs"]
    return problem, outputs + 1e-3 * (outputs != 0)


def parts(found: Stepwise) -> dict[str, Bounded]:
    return {"outputs": found.outputs, **found.finals}


@pytest.mark.parametrize("samples", [20, 10**6], ids=["of some", "of all"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_blocks_of_rows_and_of_steps_give_what_all_give(
    cell: str, options: str, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, outputs = built(cell, options)
    whole = stepwise(problem, outputs, ACCURACY)
    monkeypatch.setattr(module, "most_samples", lambda _case: samples)
    monkeypatch.setattr(module, "_AT_ONCE", 2 * 9 * 5)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 1)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    blocks = list(module._blocks(problem))
    wanted = [rows.stop - rows.start for rows, most in blocks if most]
    assert set(wanted) == {2}
    assert (len(wanted) == len(blocks) == 4) == (samples > 7 * 9)
    found = stepwise(problem, outputs, ACCURACY)
    assert sum(len(of.x) for of in found.samples) <= 2 * samples
    cut = parts(found)
    for name, of in parts(whole).items():
        assert cut[name].value == pytest.approx(of.value, rel=1e-13, abs=1e-15), name
        # One product of more sums is a little less certain to be within its bound.
        assert cut[name].error == pytest.approx(of.error, rel=0.2, abs=1e-12), name


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_all_steps_at_once_are_those_taken_one_by_one(cell: str, options: str) -> None:
    problem, outputs = built(cell, options)
    ops = Rounded(ACCURACY)
    once = trajectory(ops, problem, outputs)
    each = trajectory(ops, problem, outputs, one_by_one=True)
    told = cell == "lstm"  # where c is read off h, it is not what it is carried along
    close = 1e-2 if told else 1e-13
    assert once.outputs.value == pytest.approx(each.outputs.value, abs=close)
    if not told:
        assert once.outputs.error == pytest.approx(each.outputs.error, rel=0.2)
    for state, values in each.finals.items():
        for one, other in zip(once.finals[state], values, strict=True):
            assert one.value == pytest.approx(other.value, abs=close), state


def test_saturated_gates_are_gone_through_quietly() -> None:
    """There h is o exactly, and says nothing of c: a slope of 0 to divide by."""
    case = catalogue.case_from_id("lstm-dynamic-B2-T6-D3-H4-f32-s1")
    problem = catalogue.build(case)
    bias = np.full_like(problem["layer0.forward.bias"], 60.0)
    arrays = {**problem.arrays, "layer0.forward.bias": bias}
    flat = Problem(case, {**arrays, "initial_c": problem["initial_c"] + np.float32(30)})
    outputs = reference(flat)["outputs"]
    assert (outputs == 1).all()
    found = stepwise(flat, outputs, ACCURACY)
    assert (np.abs(outputs - found.outputs.value) <= found.outputs.error).all()
    assert (found.outputs.error < 1e-6).all()


def test_c_that_is_read_off_h_keeps_bounds_from_growing_with_memory() -> None:
    """A forget gate that keeps everything adds up whatever each step is off by."""
    case = catalogue.case_from_id("lstm-dynamic-B2-T200-D3-H4-G0.25-f32-s1")
    problem = catalogue.build(case)
    bias = problem["layer0.forward.bias"].copy()
    bias[4:8] = 6.0  # sigmoid(6) is 0.9975
    bias[:4], bias[8:12] = -4.0, 0.0  # so that c stays where tanh is not flat
    arrays = {**problem.arrays, "layer0.forward.bias": bias}
    keeping = Problem(case, arrays)
    outputs = reference(keeping)["outputs"]
    ops = Rounded(ACCURACY)
    told = trajectory(ops, keeping, outputs).outputs.error
    carried = trajectory(ops, keeping, outputs, one_by_one=True).outputs.error
    # What h tells is taken up to so many times as wide a bound: steps stand alone then.
    assert (told <= carried * 4.001).all()
    assert np.median(told[:, 100:] / carried[:, 100:]) < 0.5


def stacked() -> tuple[Problem, dict[str, Array]]:
    name = "lstm-dynamic-B40-T1-D4-H5-L2-bidirectional-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    return problem, honest(problem)


def test_final_states_of_a_single_step_are_what_the_next_layer_got() -> None:
    problem, right = stacked()
    outputs = right["outputs"].astype(float)
    guessed = stepwise(problem, outputs, ACCURACY)
    shown = stepwise(problem, outputs, ACCURACY, right["final_h"])
    assert (shown.ratio <= 1).all()
    assert (shown.outputs.error < guessed.outputs.error).all()
    off = right["final_h"].copy()
    off[1, 3] += np.float32(1e-3)
    other = stepwise(problem, outputs, ACCURACY, off)
    assert {int(row) for row in np.argwhere(other.ratio > 1)[:, 0]} == {3}


def test_a_layer_that_gives_the_next_one_something_else_is_caught() -> None:
    problem, right = stacked()
    lower = problem["layer0.forward.bias"].copy()
    lower[0] += np.float32(1e-4)
    arrays = {**problem.arrays, "layer0.forward.bias": lower}
    wrong = honest(Problem(problem.case, arrays))
    given = {**right, "outputs": wrong["outputs"]}
    found = certify_steps(problem, given, replace(ACCURACY, recomputes=False))
    assert all((ratio <= 1).all() for ratio in found.final_ratios.values())
    assert found.first_bad is not None
    assert found.first_bad.layer == 1


@pytest.mark.parametrize("options", ["B40-T2-D4-H5-L2", "B40-T1-D4-H5-L2-zerolength"])
def test_of_more_steps_or_of_none_final_states_say_less(options: str) -> None:
    name = f"gru-variable_input-{options}-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    right = honest(problem)
    outputs = right["outputs"].astype(float)
    once = stepwise(problem, outputs, ACCURACY).outputs
    with_finals = stepwise(problem, outputs, ACCURACY, right["final_h"]).outputs
    assert (once.error == with_finals.error).all()
