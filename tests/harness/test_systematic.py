"""What no step shows, the errors of all steps do: a weight that is a little off."""

import numpy as np
import pytest

from rnn_parity.judge.blame import element, worst_drift
from rnn_parity.judge.certify import Certificate, certify, reference
from rnn_parity.judge.systematic import Samples, drifts, most_samples
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import CELLS, Accuracy, Array, Error, Problem
from rnn_parity_fixtures import catalogue
from support import allowing, honest, with_arrays

ULP = {"tanh": 2.0, "sigmoid": 4.0}
# So large that the bound of one step is far wider than what sums are off by.
SIZES = dict.fromkeys(CELLS, "B8-T64-D96-H64")
SIZES["lstm_projection"] = "B8-T64-D96-H64-P32"


def built(cell: str, options: str = "", dtype: str = "f32") -> Problem:
    name = f"{cell}-dynamic-{SIZES[cell]}{options}-{dtype}-s3"
    return catalogue.build(catalogue.case_from_id(name))


def computed(problem: Problem) -> dict[str, Array]:
    """Compute in float32, by a real backend."""
    return dict(NumpyBackend().run(problem))


def certified(problem: Problem, outcome: dict[str, Array]) -> Certificate:
    return certify(problem, outcome, allowing(problem, ULP))


def off_by(problem: Problem, name: str, at: tuple[int, ...], share: float) -> Problem:
    array = problem[name].copy()
    array[at] *= array.dtype.type(1 + share)
    return with_arrays(problem, **{name.replace(".", "__"): array})


@pytest.mark.parametrize("cell", CELLS)
def test_errors_of_a_healthy_backend_do_not_add_up(cell: str) -> None:
    problem = built(cell)
    certificate = certified(problem, computed(problem))
    assert certificate.systematic.keys() == {
        name for name in problem.arrays if name.startswith("layer")
    }
    for name, drift in certificate.systematic.items():
        assert drift.ratio.shape == problem[name].shape
        assert (drift.ratio < 0.5).all(), name
    assert worst_drift(certificate) is None


@pytest.mark.parametrize(
    ("cell", "weight", "at", "share"),
    [
        ("rnn_tanh", "bias", (5,), 1e-5),
        ("rnn_tanh", "kernel", (7, 3), 1e-4),
        ("lstm", "bias", (70,), 2e-4),  # of f
        ("lstm", "recurrent_kernel", (9, 140), 5.5e-4),  # of g
        ("gru", "recurrent_bias", (11,), 3e-5),
        ("gru", "kernel", (2, 75), 2e-3),  # of z
        ("gru_reset_before", "bias", (140,), 1e-5),
    ],
)
def test_a_weight_too_little_off_for_a_step_to_show_adds_up(
    cell: str, weight: str, at: tuple[int, ...], share: float
) -> None:
    problem, name = built(cell), f"layer0.forward.{weight}"
    certificate = certified(problem, computed(off_by(problem, name, at, share)))
    assert certificate.steps_pass
    assert certificate.bound_ratio > 1
    worst = worst_drift(certificate)
    assert worst is not None
    found, drift, where = worst
    assert (found, where) == (name, at)
    by = float(problem[name][at]) * share
    assert drift.estimate[at] == pytest.approx(by, rel=0.2)


def test_what_a_function_may_err_by_is_not_taken_for_a_weight() -> None:
    """A tanh that errs the same way everywhere, by as much as is stated, is right."""
    problem = built("rnn_tanh")
    outcome = honest(problem)
    state = problem["initial_h"][0].astype(np.float64)
    kernel, recurrent, bias = (
        problem[f"layer0.forward.{n}"].astype(np.float64)
        for n in ("kernel", "recurrent_kernel", "bias")
    )
    for t in range(problem.case.steps):
        x = problem["inputs"][:, t].astype(np.float64)
        right = np.tanh(x @ kernel + state @ recurrent + bias).astype(np.float32)
        state = right + np.float32(20) * np.spacing(np.abs(right))
        outcome["outputs"][:, t] = state
    outcome["final_h"][0] = state
    stated, unstated = (
        certify(problem, outcome, Accuracy("float32", {"tanh": Error(ulp)}))
        for ulp in (21.0, 2.0)
    )
    assert stated.bound_ratio <= 1
    assert unstated.steps_pass
    assert unstated.bound_ratio > 1


def test_equal_steps_err_alike_and_show_no_more_than_one_of_them() -> None:
    problem = built("gru")
    accuracy = allowing(problem, ULP)
    once = certified(problem, computed(problem)).samples[0]
    often = Samples.joined([once] * 16)
    for name, drift in drifts(problem.case, once, accuracy).items():
        again = drifts(problem.case, often, accuracy)[name]
        # Roundings are counted one by one, so that it is not the same to the last.
        assert again.ratio == pytest.approx(drift.ratio, rel=0.1), name
        assert again.estimate == pytest.approx(drift.estimate, rel=1e-6), name


def test_half_precisions_are_left_out() -> None:
    problem = built("rnn_tanh", dtype="bf16")
    certificate = certified(problem, honest(problem))
    assert certificate.systematic == {}


def test_large_networks_have_fewer_steps_summed_up() -> None:
    small, large = (
        catalogue.case_from_id(f"lstm-dynamic-B1-T1-D{n}-H{n}-f32-s1") for n in (4, 512)
    )
    assert most_samples(small) > most_samples(large) >= 256


def test_an_element_is_named_with_its_gate_and_unit() -> None:
    case = built("lstm").case
    named = element(case, "layer0.forward.kernel", (3, 70))
    assert named == "layer0.forward.kernel[3, 70] (gate f, unit 6)"
    plain = built("rnn_tanh").case
    assert element(plain, "layer0.forward.bias", (3,)) == "layer0.forward.bias[3]"


def test_reference_outcomes_have_nothing_to_add_up() -> None:
    problem = built("gru", dtype="f64")
    certificate = certified(problem, reference(problem))
    assert max(drift.ratio.max() for drift in certificate.systematic.values()) < 0.1
