"""Where a certificate says that an outcome first goes wrong, and in which state."""

import numpy as np
import pytest

from rnn_parity.judge.certify import Certificate, certify
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import FirstBad
from support import allowing, honest, with_arrays

ULP = {"tanh": 2.0, "sigmoid": 4.0}


def named(cell: str, options: str = "", variant: str = "dynamic") -> Problem:
    size = "-P2" if cell == "lstm_projection" else ""
    name = f"{cell}-{variant}-B3-T7-D4-H5{size}{options}-f32-s1"
    return catalogue.build(catalogue.case_from_id(name))


def certified(problem: Problem, outcome: dict[str, Array]) -> Certificate:
    return certify(problem, outcome, allowing(problem, ULP))


def nudged(
    outcome: dict[str, Array], name: str, at: tuple[int, ...], by: float = 1e-3
) -> dict[str, Array]:
    array = outcome[name].copy()
    array[at] += by
    return {**outcome, name: array}


@pytest.mark.parametrize(
    ("unit", "direction"), [(1, "forward"), (5, "reverse"), (9, "reverse")]
)
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
def test_the_first_bad_element_is_named_by_its_unit_and_direction(
    cell: str, unit: int, direction: str
) -> None:
    problem = named(cell, "-L2-bidirectional")
    at = (2, 4, unit)
    certificate = certified(problem, nudged(honest(problem), "outputs", at))
    bad = certificate.first_bad
    assert bad is not None
    assert (bad.row, bad.step, bad.unit) == (2, 4, unit % 5)
    assert (bad.layer, bad.direction) == (1, direction)
    assert bad.times_bound == certificate.ratio[at]


def test_the_first_bad_step_of_a_reverse_pass_is_the_latest_one() -> None:
    wrong = {}
    for options in ("", "-reverse"):
        problem = named("rnn_tanh", options)
        outcome = honest(problem)
        for step in (1, 5):
            outcome = nudged(outcome, "outputs", (0, step, 0))
        wrong[options] = certified(problem, outcome).first_bad
    assert wrong[""] is not None
    assert wrong["-reverse"] is not None
    assert (wrong[""].step, wrong[""].direction) == (1, None)
    assert (wrong["-reverse"].step, wrong["-reverse"].direction) == (5, "reverse")


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ((0, 5, 7), (2, 2, 7)),  # reverse: step 5 of 7 comes second, 2 of 6 fourth
        ((2, 4, 7), (0, 4, 7)),  # reverse: step 4 of 6 comes second, of 7 third
        ((0, 5, 7), (0, 3, 2)),  # reverse comes to 5 before forward comes to 3
        ((0, 1, 2), (0, 3, 7)),  # forward comes to 1 before reverse comes to 3
        ((1, 0, 7), (0, 5, 7)),  # a row of one step begins and ends at once
    ],
)
def test_the_first_bad_step_is_counted_from_where_a_row_s_pass_begins(
    first: tuple[int, int, int], later: tuple[int, int, int]
) -> None:
    problem = named("rnn_tanh", "-bidirectional", "variable_input")
    problem = with_arrays(problem, lengths=np.array([7, 1, 6], np.int32))
    outcome = nudged(honest(problem), "outputs", later, 0.5)
    bad = certified(problem, nudged(outcome, "outputs", first)).first_bad
    assert bad is not None
    assert (bad.row, bad.step, bad.unit) == (*first[:2], first[2] % 5)
    assert bad.direction == ("forward" if first[2] < 5 else "reverse")


@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole", "lstm_projection"])
def test_a_wrong_final_c_beside_right_outputs_is_caught(cell: str) -> None:
    problem = named(cell)
    certificate = certified(problem, nudged(honest(problem), "final_c", (0, 2, 1)))
    assert certificate.ratio.max() <= 1
    assert certificate.final_ratios["h"].max() <= 1
    assert certificate.bound_ratio > 1
    times = certificate.final_ratios["c"][0, 2, 1]
    assert certificate.first_bad == FirstBad(step=6, row=2, unit=1, times_bound=times)


@pytest.mark.parametrize("cell", CELLS)
def test_a_wrong_final_state_of_any_layer_and_direction_is_caught(cell: str) -> None:
    problem = named(cell, "-L2-bidirectional")
    right = honest(problem)
    for state in CELLS[cell].states:
        for number, (layer, direction) in enumerate(problem.case.passes):
            wrong = nudged(right, f"final_{state}", (number, 1, 0))
            certificate = certified(problem, wrong)
            assert certificate.ratio.max() <= 1
            bad = certificate.first_bad
            assert bad is not None
            assert (bad.layer, bad.direction) == (layer, direction)
            assert (bad.row, bad.unit) == (1, 0)
            assert bad.times_bound == certificate.bound_ratio > 1
