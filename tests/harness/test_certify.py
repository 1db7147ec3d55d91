"""The certificate: right networks pass, chaotic ones too; one wrong number does not."""

from collections.abc import Callable

import numpy as np
import pytest

from rnn_parity.judge.certify import Certificate, certify, reference
from rnn_parity.judge.pairs import pair_bound_ratio
from rnn_parity_core import Array, Problem
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import FirstBad
from support import allowing, honest, weight, with_arrays

ULP = {"tanh": 2.0}


def seeded(sizes: str, dtype: str = "f32", seed: int = 5) -> Problem:
    case = catalogue.case_from_id(f"rnn_tanh-basic-{sizes}-{dtype}-s{seed}")
    return catalogue.build(case)


def computed(problem: Problem, *, backwards: bool = False) -> dict[str, Array]:
    """Compute in the case's dtype, in one order of operations or in another."""
    h, outputs = problem["initial_h"][0], []
    kernel, recurrent, bias = problem.weights(0, "forward").values()
    for t in range(problem.case.steps):
        x = problem["inputs"][:, t]
        if backwards:
            stacked = np.concatenate([h, x], axis=1)[:, ::-1]
            weights = np.concatenate([recurrent, kernel])[::-1]
            h = np.tanh(bias + stacked @ np.ascontiguousarray(weights))
        else:
            h = np.tanh(x @ kernel + h @ recurrent + bias)
        outputs.append(h)
    assert h.dtype == problem.case.dtype
    return {"outputs": np.stack(outputs, axis=1), "final_h": h[np.newaxis]}


def certified(problem: Problem, outcome: dict[str, Array]) -> Certificate:
    return certify(problem, outcome, allowing(problem, ULP))


def chaotic() -> Problem:
    tame = seeded("B4-T256-D8-H32")
    return with_arrays(tame, recurrent_kernel=8 * weight(tame, "recurrent_kernel"))


def nudged(
    outcome: dict[str, Array], name: str, at: tuple[int, ...], by: float
) -> dict[str, Array]:
    array = outcome[name].copy()
    array[at] += by
    return {**outcome, name: array}


def test_the_reference_is_the_recurrence_written_out() -> None:
    problem = seeded("B2-T2-D3-H4", "f64")
    x = problem["inputs"]
    w, u, bias = problem.weights(0, "forward").values()
    want = np.empty((2, 2, 4))
    for b in range(2):
        h = problem["initial_h"][0, b]
        for t in range(2):
            terms = [
                sum(x[b, t, d] * w[d, k] for d in range(3))
                + sum(h[j] * u[j, k] for j in range(4))
                for k in range(4)
            ]
            h = np.tanh(np.array(terms) + bias)
            want[b, t] = h
    found = reference(problem)
    assert found["outputs"] == pytest.approx(want, rel=1e-14)
    assert (found["final_h"] == found["outputs"][np.newaxis, :, -1]).all()


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_honest_outcomes_of_any_size_pass(dtype: str) -> None:
    random = np.random.default_rng(7)
    for seed in range(30):
        b, t, d, h = (int(n) for n in 2 ** random.uniform(0, 6, 4))
        problem = seeded(f"B{b}-T{t}-D{d}-H{h}", dtype, seed)
        for outcome in (
            honest(problem),
            computed(problem),
            computed(problem, backwards=True),
        ):
            certificate = certified(problem, outcome)
            assert 0 <= certificate.bound_ratio <= 1, problem.case.id
            assert certificate.first_bad is None


def test_a_chaotic_network_passes_however_far_it_is_from_the_reference() -> None:
    problem = chaotic()
    truth = reference(problem)["outputs"]
    first, second = computed(problem), computed(problem, backwards=True)
    for outcome in (first, second):
        assert np.abs(outcome["outputs"] - truth).max() > 0.1
        assert certified(problem, outcome).bound_ratio <= 1
    assert np.abs(first["outputs"] - second["outputs"]).max() > 0.1


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel", "bias"])
def test_one_weight_that_is_off_by_a_thousandth_is_caught(name: str) -> None:
    for problem in (seeded("B3-T7-D4-H5"), chaotic()):
        wrong = weight(problem, name).copy()
        wrong.flat[1] *= 1.001  # of unit 1
        outcome = computed(with_arrays(problem, **{name: wrong}))
        certificate = certified(problem, outcome)
        assert certificate.bound_ratio > 1
        assert (certificate.ratio > 1).any(axis=(0, 1)).nonzero()[0].tolist() == [1]


@pytest.mark.parametrize("at", [(0, 0, 0), (2, 4, 3), (1, 6, 4)])
def test_the_first_bad_step_and_its_element_are_named(at: tuple[int, int, int]) -> None:
    problem = seeded("B3-T7-D4-H5")
    certificate = certified(problem, nudged(honest(problem), "outputs", at, 1e-3))
    bad = certificate.first_bad
    assert bad is not None
    assert (bad.row, bad.step, bad.unit) == at
    assert bad.times_bound == certificate.ratio[at]
    assert certificate.residual[at] == pytest.approx(1e-3, rel=1e-3)
    assert certificate.bound[at] == pytest.approx(1e-3 / bad.times_bound, rel=1e-3)


def test_an_error_is_blamed_on_its_own_step_alone_once_it_is_carried() -> None:
    problem = seeded("B3-T7-D4-H5")
    wrong = with_arrays(problem, inputs=problem["inputs"].copy())
    wrong.arrays["inputs"][1, 3, 2] += 1e-2
    ratio = certified(problem, computed(wrong)).ratio
    assert np.argwhere((ratio > 1).any(axis=2)).tolist() == [[1, 3]]


def test_a_wrong_final_state_beside_right_outputs_is_caught() -> None:
    problem = seeded("B3-T7-D4-H5")
    certificate = certified(
        problem, nudged(honest(problem), "final_h", (0, 2, 1), 1e-3)
    )
    assert certificate.ratio.max() <= 1
    assert certificate.bound_ratio > 1
    assert certificate.first_bad == FirstBad(
        step=6, row=2, unit=1, times_bound=certificate.final_ratios["h"][0, 2, 1]
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("name", "at"), [("outputs", (1, 2, 3)), ("final_h", (0, 1, 3))]
)
def test_what_is_not_a_number_has_an_infinite_ratio(
    value: float, name: str, at: tuple[int, ...]
) -> None:
    problem = seeded("B3-T7-D4-H5")
    certificate = certified(problem, nudged(honest(problem), name, at, value))
    assert certificate.bound_ratio == np.inf
    step = 2 if name == "outputs" else 6
    assert certificate.first_bad == FirstBad(step=step, row=1, unit=3, times_bound=None)


def test_a_state_near_the_largest_float64_is_caught_quietly() -> None:
    problem = seeded("B3-T7-D4-H5", "f64")
    wrong = honest(problem)
    wrong["outputs"][0, 2] = np.finfo("float64").max
    certificate = certified(problem, wrong)
    assert certificate.bound_ratio > 1
    assert certificate.first_bad is not None
    assert certificate.first_bad.step == 2


def test_a_looser_stated_accuracy_widens_the_bound() -> None:
    problem = seeded("B3-T7-D4-H5")
    outcome = honest(problem)
    tight, loose = (
        certify(problem, outcome, allowing(problem, {"tanh": u})) for u in (1.0, 8.0)
    )
    assert (loose.bound > tight.bound).all()


def test_two_honest_backends_agree_and_a_wrong_one_agrees_with_neither() -> None:
    for problem in (seeded("B3-T7-D4-H5"), chaotic()):
        first = certified(problem, computed(problem))
        second = certified(problem, computed(problem, backwards=True))
        assert pair_bound_ratio(first, second) <= 1
        assert pair_bound_ratio(first, first) == 0
        bias = weight(problem, "bias") * np.float32(1.01)
        third = certified(problem, computed(with_arrays(problem, bias=bias)))
        for honest_one in (first, second):
            assert pair_bound_ratio(honest_one, third) > 1
            assert pair_bound_ratio(third, honest_one) > 1


@pytest.mark.parametrize("make", [lambda: seeded("B3-T7-D4-H5"), chaotic])
def test_two_backends_that_share_a_mistake_agree_with_each_other(
    make: Callable[[], Problem],
) -> None:
    problem = make()
    transposed = weight(problem, "recurrent_kernel").T.copy()
    wrong = with_arrays(problem, recurrent_kernel=transposed)
    first = certified(problem, computed(wrong))
    second = certified(problem, computed(wrong, backwards=True))
    assert min(first.bound_ratio, second.bound_ratio) > 1
    assert pair_bound_ratio(first, second) <= 1


def test_nothing_agrees_with_what_is_not_a_number() -> None:
    problem = seeded("B3-T7-D4-H5")
    right = certified(problem, honest(problem))
    broken = certified(problem, nudged(honest(problem), "outputs", (0, 0, 0), np.nan))
    assert pair_bound_ratio(right, broken) == np.inf
    assert pair_bound_ratio(broken, broken) == np.inf
