"""What a problem cannot show: said when it is so, and only then."""

import numpy as np
import pytest

from fixtures import catalogue
from harness.judge.certify import reference
from harness.judge.weak import weaknesses
from harness.spec import VARIANTS, Array, Case, Problem
from support import with_arrays

ZERO_BIAS = "all biases are zero: a dropped or doubled bias would not show"
ZERO_STATE = "initial state is zero: an ignored initial state would not show"
ONE_STEP = "one step from zero: the recurrent kernel is not used at all"
SATURATED = "over a quarter of outputs are saturated: errors before tanh hide"


def notes(problem: Problem, **arrays: Array) -> list[str]:
    planted = with_arrays(problem, **arrays)
    return weaknesses(planted, reference(planted))


def seeded(sizes: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(f"rnn_tanh-basic-{sizes}"))


@pytest.fixture
def square() -> Problem:
    return seeded("B3-T7-D5-H5-f32-s3")


@pytest.mark.parametrize("case", catalogue.suites()["seeded"], ids=lambda case: case.id)
def test_the_seeded_suite_has_no_weakness(case: Case) -> None:
    problem = catalogue.build(case)
    assert weaknesses(problem, reference(problem)) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_notebook_starts_from_zero_and_has_no_biases(variant: str) -> None:
    problem = catalogue.build(catalogue.case_from_id(f"notebook-{variant}-f32"))
    found = weaknesses(problem, reference(problem))
    assert found[:2] == [ZERO_BIAS, ZERO_STATE]
    assert set(found) <= {ZERO_BIAS, ZERO_STATE, SATURATED}


def test_zero_biases_and_states_are_noted_by_themselves(square: Problem) -> None:
    bias, state = np.zeros_like(square["bias"]), np.zeros_like(square["initial_h"])
    assert notes(square, bias=bias) == [ZERO_BIAS]
    assert notes(square, initial_h=state) == [ZERO_STATE]
    bias[2] = state[1, 1] = 1e-3
    assert notes(square, bias=bias, initial_h=state) == []


def test_one_step_is_noted_if_it_starts_from_zero() -> None:
    problem = seeded("B3-T1-D4-H5-f32-s3")
    assert notes(problem) == []
    state = np.zeros_like(problem["initial_h"])
    assert notes(problem, initial_h=state) == [ZERO_STATE, ONE_STEP]


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel", "bias"])
def test_constant_weights_are_noted(problem: Problem, name: str) -> None:
    found = notes(problem, **{name: np.full_like(problem[name], 0.25)})
    assert f"{name} is constant: a wrong order of it would not show" in found
    assert all(note.startswith(f"{name} is ") for note in found)


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel"])
def test_symmetric_weights_are_noted(square: Problem, name: str) -> None:
    symmetric = (square[name] + square[name].T) / 2
    words = f"{name} is symmetric: a transposed one would not show"
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
    found = weaknesses(problem, {"outputs": outputs, "final_h": outputs[:, -1]})
    assert found == ([SATURATED] if noted else [])


def test_a_kernel_of_zeros_is_noted(problem: Problem) -> None:
    assert notes(problem, kernel=np.zeros_like(problem["kernel"])) != []
