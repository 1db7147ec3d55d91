"""How near gradients must be: rounded ones pass, what is off by a little does not."""

import numpy as np
import pytest

from rnn_parity.judge import gradients
from rnn_parity.judge.adjoint import Float64Adjoint
from rnn_parity.judge.certify import certify
from rnn_parity.judge.gradients import bounded_gradients, hold_gradients
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_core.validate import contract_violations
from rnn_parity_fixtures import catalogue
from support import allowing, honest

ULP = {"tanh": 2.0, "sigmoid": 3.0}
LSTM = "lstm-variable_input-B3-T7-D4-H5-{}gradient-{}-s1"
STACKED = "L2-bidirectional-"


class Float32Adjoint(Float64Adjoint):
    """Float32 from end to end: what an honest backend of that precision does."""

    def constant(self, value: Array, name: str = "") -> Array:
        del name
        return value.astype(np.float32)

    def fan_in(self, shape: tuple[int, ...], parts: list[object]) -> Array:  # type: ignore[override]
        return super().fan_in(shape, parts).astype(np.float32)

    def of_weight(self, shape: tuple[int, ...], parts: list[object]) -> Array:  # type: ignore[override]
        return super().of_weight(shape, parts).astype(np.float32)


def ratios_of(
    problem: Problem, outcome: dict[str, Array], ulp: dict[str, float]
) -> dict[str, Array]:
    return {n: held.ratio for n, held in hold_gradients(problem, outcome, ulp).items()}


def built(dtype: str, options: str = "") -> Problem:
    return catalogue.build(catalogue.case_from_id(LSTM.format(options, dtype)))


def moved(outcome: dict[str, Array], name: str, by: float) -> dict[str, Array]:
    """Move the largest element of an array by a share of it."""
    array = outcome[name].copy()
    array.flat[np.abs(array).argmax()] *= 1 + by
    return {**outcome, name: array}


@pytest.mark.parametrize("options", ["", STACKED])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_gradients_of_the_reference_pass_when_rounded(dtype: str, options: str) -> None:
    problem = built(dtype, options)
    ratios = ratios_of(problem, honest(problem), allowing(problem, ULP))
    shapes = problem.case.output_shapes()
    assert {name: ratio.shape for name, ratio in ratios.items()} == {
        name: shape for name, shape in shapes.items() if name.startswith("gradient_")
    }
    worst = max(ratio.max() for ratio in ratios.values())
    # In float64 it is the reference itself that is judged.
    assert 0 < worst < 1 if dtype == "f32" else worst == 0


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("gain", [0.3, 1.0, 3.0])
def test_float32_from_end_to_end_stays_within_the_bound_which_is_not_far_off(
    cell: str, gain: float
) -> None:
    size = "-P6" if cell == "lstm_projection" else ""
    name = f"{cell}-variable_input-B8-T20-D6-H12{size}-reverse-gradient-f32-s5"
    problem = catalogue.build(catalogue.case_from_id(name))
    louder = {
        name: (array * gain).astype(np.float32)
        for name, array in problem.arrays.items()
        if name.endswith("recurrent_kernel")
    }
    problem = Problem(problem.case, {**problem.arrays, **louder})
    found = gradients._gradients(Float32Adjoint(), problem, None)
    outcome = {name: gradients._joined(value) for name, value in found.items()}
    assert {array.dtype for array in outcome.values()} == {np.dtype(np.float32)}
    ratios = ratios_of(problem, {**honest(problem), **outcome}, allowing(problem, ULP))
    assert max(ratio.max() for ratio in ratios.values()) < 1
    if gain <= 1:
        assert max(ratio.max() for ratio in ratios.values()) > 1e-3


@pytest.mark.parametrize(
    "name",
    [
        "gradient_inputs",
        "gradient_initial_c",
        "gradient_layer0.forward.recurrent_kernel",
        "gradient_layer0.forward.bias",
    ],
)
@pytest.mark.parametrize(("dtype", "by"), [("f64", 1e-12), ("f32", 1e-3)])
def test_one_element_that_is_off_by_a_little_fails(
    name: str, dtype: str, by: float
) -> None:
    problem = built(dtype)
    ratios = ratios_of(
        problem, moved(honest(problem), name, by), allowing(problem, ULP)
    )
    assert [other for other, ratio in ratios.items() if ratio.max() > 1] == [name]
    assert int((ratios[name] > 1).sum()) == 1


def test_a_backend_goes_back_from_its_own_outputs_and_not_from_the_reference() -> None:
    problem = built("f32")
    outcome = honest(problem)
    aside = outcome["outputs"].astype(np.float64)
    aside[:, 2] += 1e-3
    bounded = bounded_gradients(problem, allowing(problem, ULP), aside)
    plain = bounded_gradients(
        problem, allowing(problem, ULP), outcome["outputs"].astype(np.float64)
    )
    name = "gradient_inputs"
    apart = np.abs(bounded[name].value - plain[name].value)
    assert (apart[:1] > plain[name].error[:1]).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_infinitely_far(bad: float) -> None:
    problem = built("f64")
    outcome = honest(problem)
    outcome["gradient_inputs"][0, 0, 0] = bad
    certificate = certify(problem, outcome, allowing(problem, ULP))
    assert certificate.learned["gradient_inputs"].ratio[0, 0, 0] == np.inf
    assert certificate.bound_ratio == np.inf


def test_padding_has_no_gradient_and_allows_none() -> None:
    problem = built("f64")
    outcome = honest(problem)
    past = np.arange(7) >= problem["lengths"][:, np.newaxis]
    assert not outcome["gradient_inputs"][past].any()
    at = tuple(int(i[0]) for i in np.nonzero(past))
    outcome["gradient_inputs"][(*at, 0)] = 1e-200
    assert (
        ratios_of(problem, outcome, allowing(problem, ULP))["gradient_inputs"].max() > 1
    )


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
    assert certify(problem, right, allowing(problem, ULP)).bound_ratio <= 1
    wrong = certify(
        problem, moved(right, "gradient_initial_h", 1e-6), allowing(problem, ULP)
    )
    assert wrong.ratio.max() <= 1
    assert max(ratio.max() for ratio in wrong.final_ratios.values()) <= 1
    assert wrong.bound_ratio > 1e6
