"""What a problem cannot show: said when it is so, and only then."""

from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.judge.certify import reference
from rnn_parity.judge.not_shown import not_shown_by
from rnn_parity.store.folder import RunFolder
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import CELLS, Array, Gap, Problem
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import plant
from rnn_parity_fixtures.suites import NOTEBOOK_VARIANTS
from rnn_parity_reports.results import Report
from support import weight, with_arrays

ZERO_BIAS = "all biases are zero: a dropped or doubled bias would not show"
ZERO_STATE = "initial state is zero: an ignored initial state would not show"
ONE_STEP = "one step from zero: the recurrent kernel is not used at all"
SATURATED = "over a quarter of outputs are saturated: errors before tanh hide"


def notes(problem: Problem, **arrays: Array) -> list[str]:
    planted = with_arrays(problem, **arrays)
    return not_shown_by(planted, reference(planted))


def seeded(sizes: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(f"rnn_tanh-basic-{sizes}"))


@pytest.fixture
def square() -> Problem:
    return seeded("B3-T7-D5-H5-f32-s3")


@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_the_standard_suite_has_no_weakness(cell: str) -> None:
    cases = [case for case in catalogue.suites()["standard"] if case.cell == cell]
    assert len(cases) > 40
    for case in cases:
        problem = catalogue.build(case)
        assert not_shown_by(problem, reference(problem)) == [], case.id


@pytest.mark.parametrize("variant", NOTEBOOK_VARIANTS)
def test_the_notebook_starts_from_zero_and_has_no_biases(variant: str) -> None:
    problem = catalogue.build(catalogue.case_from_id(f"notebook-{variant}-f32"))
    found = not_shown_by(problem, reference(problem))
    assert found[:2] == [ZERO_BIAS, ZERO_STATE]
    assert set(found) <= {ZERO_BIAS, ZERO_STATE, SATURATED}


def test_zero_biases_and_states_are_noted_by_themselves(square: Problem) -> None:
    bias, state = (
        np.zeros_like(weight(square, "bias")),
        np.zeros_like(square["initial_h"]),
    )
    assert notes(square, bias=bias) == [ZERO_BIAS]
    assert notes(square, initial_h=state) == [ZERO_STATE]
    bias[2] = state[0, 1, 1] = 1e-3
    assert notes(square, bias=bias, initial_h=state) == []


def test_one_step_is_noted_if_it_starts_from_zero() -> None:
    problem = seeded("B3-T1-D4-H5-f32-s3")
    assert notes(problem) == []
    state = np.zeros_like(problem["initial_h"])
    assert notes(problem, initial_h=state) == [ZERO_STATE, ONE_STEP]


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel", "bias"])
def test_constant_weights_are_noted(problem: Problem, name: str) -> None:
    found = notes(problem, **{name: np.full_like(weight(problem, name), 0.25)})
    full = f"layer0.forward.{name}"
    assert f"{full} is constant: a wrong order of it would not show" in found
    assert all(note.startswith(f"{full} is ") for note in found)


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel"])
def test_symmetric_weights_are_noted(square: Problem, name: str) -> None:
    symmetric = (weight(square, name) + weight(square, name).T) / 2
    words = f"layer0.forward.{name} is symmetric: a transposed one would not show"
    assert notes(square, **{name: symmetric}) == [words]
    symmetric[0, 1] += 0.1
    assert notes(square, **{name: symmetric}) == []


def test_what_has_one_element_is_neither_constant_nor_symmetric() -> None:
    assert notes(seeded("B3-T7-D1-H1-f32-s3")) == []


@pytest.mark.parametrize(
    ("value", "count", "noted"),
    [(0.995, 27, True), (-0.995, 27, True), (0.995, 26, False), (0.99, 105, False)],
)
def test_saturation_is_noted_from_a_quarter_of_outputs_on(
    problem: Problem, value: float, count: int, *, noted: bool
) -> None:
    outputs = np.full((3, 7, 5), 0.5)
    outputs.flat[:count] = value  # of 105
    found = not_shown_by(
        problem, {"outputs": outputs, "final_h": outputs[np.newaxis, :, -1]}
    )
    assert found == ([SATURATED] if noted else [])


def test_a_kernel_of_zeros_is_noted(problem: Problem) -> None:
    assert notes(problem, kernel=np.zeros_like(weight(problem, "kernel"))) == [
        "layer0.forward.kernel is all zeros: what it reads would not show"
    ]


def test_lengths_that_are_all_full_are_noted() -> None:
    name = "rnn_tanh-variable_input-B3-T7-D4-H5-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    assert notes(problem, lengths=np.array([7, 7, 6], np.int32)) == []
    assert notes(problem, lengths=np.full(3, 7, np.int32)) == [
        "all rows are of full length: ignored lengths would not show"
    ]


def test_an_lstm_s_initial_states_must_both_be_zero_to_be_noted() -> None:
    name = "lstm-dynamic-B3-T7-D4-H5-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    zeros = np.zeros_like(problem["initial_h"])
    assert ZERO_STATE in notes(problem, initial_h=zeros, initial_c=zeros)
    for state in ("initial_h", "initial_c"):
        assert len(notes(problem, **{state: zeros})) == 1


def test_what_the_network_of_a_relu_puts_out_is_never_saturated() -> None:
    name = "rnn_relu-dynamic-B3-T7-D4-H5-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    assert notes(problem, inputs=problem["inputs"] + np.float32(9)) == []


@pytest.mark.parametrize("name", ["peephole", "projection", "recurrent_bias"])
def test_constant_and_zero_weights_of_any_cell_are_noted(name: str) -> None:
    cell, size = {
        "peephole": ("lstm_peephole", ""),
        "projection": ("lstm_projection", "-P2"),
        "recurrent_bias": ("gru", ""),
    }[name]
    case = catalogue.case_from_id(f"{cell}-dynamic-B3-T7-D4-H5{size}-reverse-f32-s1")
    problem, full = catalogue.build(case), f"layer0.reverse.{name}"
    for value, words in (
        (0.25, "is constant: a wrong order of it would not show"),
        (0.0, "is all zeros: what it reads would not show"),
    ):
        weight_of_it = np.full_like(problem[full], value)
        found = notes(problem, **{full.replace(".", "__"): weight_of_it})
        assert found == [f"{full} {words}"]


def test_of_what_nobody_computed_nothing_is_noted(
    run: Callable[..., tuple[Report, RunFolder]],
) -> None:
    gap = Gap("never", "no such thing", variants=("basic",))
    declines = replace(plant(INFO, "declines"), name="declines", gaps=(gap,))
    case = catalogue.case_from_id("notebook-basic-f32")
    computed, declined = run([case], [INFO, declines])[0].results
    assert (declined.verdict, declined.not_shown) == ("gap", [])
    assert ZERO_BIAS in computed.not_shown
