"""Updates are judged one by one, from the weights that a backend had before each."""

import numpy as np
import pytest

from rnn_parity.judge.certify import certify
from rnn_parity.judge.training import Updates, hold_training, reference_training
from rnn_parity_core import ADAM_EPSILON, LEARNING_RATE, UPDATES, Array, Problem
from rnn_parity_fixtures import catalogue
from support import allowing, honest

ULP = {"tanh": 2.0, "sigmoid": 3.0}
KERNEL = "trained_layer0.forward.kernel"


def ratios_of(
    problem: Problem, outcome: dict[str, Array], ulp: dict[str, float]
) -> dict[str, Array]:
    return {n: held.ratio for n, held in hold_training(problem, outcome, ulp).items()}


def built(task: str, dtype: str = "f64", cell: str = "gru") -> Problem:
    name = f"{cell}-variable_input-B3-T7-D4-H5-{task}-{dtype}-s1"
    return catalogue.build(catalogue.case_from_id(name))


@pytest.mark.parametrize("task", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_the_rounded_training_of_the_reference_passes(task: str, dtype: str) -> None:
    problem = built(task, dtype)
    ratios = ratios_of(problem, honest(problem), allowing(problem, ULP))
    assert {*ratios} == {f"trained_{name}" for name in problem.case.weight_shapes()}
    assert all(r.shape == problem.case.output_shapes()[n] for n, r in ratios.items())
    assert max(ratio.max() for ratio in ratios.values()) < 1


def test_plain_descent_moves_weights_against_the_gradient() -> None:
    gradient = np.array([[3.0, -0.5], [1e-4, 2.0]])
    updates = Updates(built("sgd"))
    for _ in range(3):
        update, error, *_ = updates.next(gradient, 1e-9)
        assert update == pytest.approx(LEARNING_RATE * gradient, rel=1e-15)
        assert error == pytest.approx(LEARNING_RATE * 1e-9, rel=1e-3)


def test_adam_moves_by_one_rate_however_large_a_steady_gradient_is() -> None:
    # Corrected moments of a constant g are g and g squared, after every update.
    gradient = np.array([3.0, -0.5, 20.0, 1e-3])
    want = LEARNING_RATE * gradient / (np.abs(gradient) + ADAM_EPSILON)
    updates = Updates(built("adam"))
    for _ in range(UPDATES):
        update, error, *_ = updates.next(gradient)
        assert update == pytest.approx(want, rel=1e-12)
        assert (np.abs(update - want) <= error).all()


def test_adam_weighs_gradients_by_how_long_ago_they_were() -> None:
    updates = Updates(built("adam"))
    updates.next(np.array([2.0]))
    update, *_ = updates.next(np.array([-1.0]))
    mean = (0.9 * 0.1 * 2.0 + 0.1 * -1.0) / (1 - 0.9**2)
    square = (0.999 * 0.001 * 4.0 + 0.001 * 1.0) / (1 - 0.999**2)
    want = LEARNING_RATE * mean / (square**0.5 + ADAM_EPSILON)
    assert update == pytest.approx([want], rel=1e-12)


@pytest.mark.parametrize("task", ["sgd", "adam"])
def test_one_update_off_is_found_where_it_is_and_not_held_against_later_ones(
    task: str,
) -> None:
    problem = built(task)
    # Trained rightly from weights that are pushed aside once, after the fourth update.
    outcome = continued(problem, pushed_after=4)
    ratios = ratios_of(problem, outcome, allowing(problem, ULP))
    wrong = {
        name: [k + 1 for k in range(UPDATES) if (of[k] > 1).any()]
        for name, of in ratios.items()
    }
    assert wrong.pop(KERNEL) == [4]
    assert not any(wrong.values())
    plain = reference_training(problem)[KERNEL]
    assert np.abs(outcome[KERNEL][-1] - plain[-1]).max() > 1e-4


def continued(problem: Problem, pushed_after: int) -> dict[str, Array]:
    """Train in float64, one weight being moved by 0.01 % of itself once."""
    weights = {n: problem[n].astype(np.float64) for n in problem.case.weight_shapes()}
    makers = {name: Updates(problem) for name in weights}
    after: dict[str, list[Array]] = {name: [] for name in weights}
    for number, inputs in enumerate(
        [problem["inputs"], *problem["later_inputs"]], start=1
    ):
        found = gradients(problem, weights, inputs)
        for name, maker in makers.items():
            weights[name] = weights[name] - maker.next(found[f"gradient_{name}"]).value
            if number == pushed_after and name == KERNEL.removeprefix("trained_"):
                weights[name] = weights[name] + 1e-3
            after[name].append(weights[name])
    return {f"trained_{name}": np.stack(values) for name, values in after.items()}


def gradients(
    problem: Problem, weights: dict[str, Array], inputs: Array
) -> dict[str, Array]:
    plain = built("gradient")
    arrays = {n: problem[n] for n in plain.arrays} | weights | {"inputs": inputs}
    return honest(Problem(plain.case, arrays))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_is_infinitely_far(bad: float) -> None:
    problem = built("adam")
    outcome = honest(problem)
    outcome[KERNEL][-1, 0, 0] = bad
    certificate = certify(problem, outcome, allowing(problem, ULP))
    assert certificate.learned[KERNEL].ratio[-1, 0, 0] == np.inf
    assert certificate.bound_ratio == np.inf
    assert certificate.steps_pass


@pytest.mark.parametrize("task", ["sgd", "adam"])
def test_an_element_off_by_a_billionth_fails_in_float64(task: str) -> None:
    problem = built(task)
    outcome = honest(problem)
    history = outcome[KERNEL]
    history[6].flat[np.abs(history[6]).argmax()] *= 1 + 1e-9
    ratios = ratios_of(problem, outcome, allowing(problem, ULP))
    assert ratios[KERNEL][6].max() > 1
    assert ratios[KERNEL][:6].max() < 1


def test_averages_round_by_magnitudes_and_not_by_what_is_left_of_them() -> None:
    """Where gradients cancel in the first moment, its rounding is of their size."""
    updates = Updates(built("adam", "f32"))
    updates.next(np.array([0.9]))
    # 0.9 * 0.1 * 0.9 - 0.1 * 0.81 is 0.
    left = updates.next(np.array([-0.81]))
    assert abs(left.value[0]) < 1e-12
    first = np.float32(0.9) * (np.float32(0.1) * np.float32(0.9))
    first += np.float32(0.1) * np.float32(-0.81)
    corrected = float(first) / (1 - 0.9**2)
    root = np.sqrt((0.001 * 0.81 * 0.999 + 0.001 * 0.6561) / (1 - 0.999**2))
    got = LEARNING_RATE * corrected / (root + ADAM_EPSILON)
    assert 0 < abs(got - left.value[0]) <= left.error[0] < 1e-8


def test_squares_beyond_a_dtype_bound_no_update_any_more() -> None:
    updates = Updates(built("adam", "f32"))
    assert np.isinf(updates.next(np.array([2e20])).error).all()
    assert np.isinf(updates.next(np.array([1.0])).error).all()
    assert (Updates(built("adam")).next(np.array([1e26])).error < 1e-9).all()
