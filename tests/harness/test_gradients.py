"""How near gradients must be: exact ones pass, and what is off by a little does not."""

import numpy as np
import pytest

from fixtures import catalogue
from harness.judge.certify import certify
from harness.judge.gradients import gradient_ratios, reference_gradients
from harness.spec import Array, Problem, contract_violations
from support import honest

ULP = {"tanh": 2.0, "sigmoid": 3.0}
LSTM = "lstm-variable_input-B3-T7-D4-H5-L2-bidirectional-gradient-{}-s1"


def built(dtype: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(LSTM.format(dtype)))


def moved(outcome: dict[str, Array], name: str, by: float) -> dict[str, Array]:
    """Move the largest element of an array by a share of it."""
    array = outcome[name].copy()
    array.flat[np.abs(array).argmax()] *= 1 + by
    return {**outcome, name: array}


def test_exact_gradients_deviate_by_nothing() -> None:
    problem = built("f64")
    exact = reference_gradients(problem)
    ratios = gradient_ratios(problem, exact, exact)
    assert set(ratios) == {
        name for name in problem.case.output_shapes() if name.startswith("gradient_")
    }
    assert set(ratios.values()) == {0.0}


def test_gradients_rounded_to_float32_pass_as_float32() -> None:
    problem = built("f32")
    ratios = gradient_ratios(problem, honest(problem), reference_gradients(problem))
    assert 0 < max(ratios.values()) < 1


@pytest.mark.parametrize(
    "name",
    [
        "gradient_inputs",
        "gradient_initial_c",
        "gradient_layer1.reverse.recurrent_kernel",
        "gradient_layer0.forward.bias",
    ],
)
def test_one_element_off_by_a_billionth_fails_in_float64(name: str) -> None:
    problem = built("f64")
    exact = reference_gradients(problem)
    ratios = gradient_ratios(problem, moved(exact, name, 1e-9), exact)
    assert ratios[name] == pytest.approx(1000, rel=1e-3)
    assert [other for other, ratio in ratios.items() if ratio > 1] == [name]


def test_one_element_off_by_less_than_the_tolerance_passes() -> None:
    problem = built("f64")
    exact = reference_gradients(problem)
    near = moved(exact, "gradient_inputs", 5e-13)
    assert gradient_ratios(problem, near, exact)["gradient_inputs"] == pytest.approx(
        0.5, rel=1e-2
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_infinitely_far(bad: float) -> None:
    problem = built("f64")
    outcome = honest(problem)
    outcome["gradient_inputs"][0, 0, 0] = bad
    certificate = certify(problem, outcome, ULP)
    assert certificate.gradients["gradient_inputs"] == np.inf
    assert certificate.headroom == np.inf


def test_a_zero_gradient_allows_zeros_only() -> None:
    problem = built("f64")
    zeros = {"gradient_inputs": np.zeros((3, 7, 4))}
    tiny = {"gradient_inputs": np.full((3, 7, 4), 1e-300)}
    assert gradient_ratios(problem, zeros, zeros) == {"gradient_inputs": 0.0}
    assert gradient_ratios(problem, tiny, zeros) == {"gradient_inputs": np.inf}


def test_missing_gradients_and_ones_of_the_wrong_form_break_the_contract() -> None:
    problem = built("f64")
    case, outcome = problem.case, honest(problem)
    shapes = case.output_shapes()
    assert contract_violations(outcome, shapes, case.dtype) == []
    del outcome["gradient_initial_h"]
    outcome["gradient_inputs"] = outcome["gradient_inputs"].astype(np.float32)
    flat = outcome["gradient_layer0.forward.kernel"].ravel()
    outcome["gradient_layer0.forward.kernel"] = flat
    assert contract_violations(outcome, shapes, case.dtype) == [
        "gradient_initial_h is missing",
        "gradient_inputs has dtype float32, expected float64",
        "gradient_layer0.forward.kernel has shape [80], expected [4, 20]",
    ]


def test_wrong_gradients_fail_a_certificate_whose_steps_are_right() -> None:
    problem = built("f64")
    right = honest(problem)
    assert certify(problem, right, ULP).headroom <= 1
    wrong = certify(problem, moved(right, "gradient_initial_h", 1e-6), ULP)
    assert wrong.ratio.max() <= 1
    assert max(ratio.max() for ratio in wrong.final_ratios.values()) <= 1
    assert wrong.headroom == pytest.approx(1e6, rel=1e-3)
