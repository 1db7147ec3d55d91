"""The smallest change of a weight that fails: a larger one does, a smaller one not."""

import numpy as np
import pytest

from rnn_parity.judge.certify import certify, reference
from rnn_parity.judge.sensitivity import sensitivity, slopes
from rnn_parity_core import Problem
from rnn_parity_fixtures import catalogue
from support import allowing, honest, with_arrays

ULP = {"tanh": 2.0, "sigmoid": 4.0}
UNSEEN = "gru-dynamic-B3-T7-D4-H5-L2-bidirectional-bf16-s1"
CASES = (
    "rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1",
    "lstm-variable_input-B3-T7-D4-H5-f64-s1",
    UNSEEN,
    "lstm_peephole-basic-B3-T7-D4-H5-reverse-f32-s1",
    "lstm_projection-dynamic-B3-T7-D4-H5-P2-f32-s1",
    "rnn_tanh-variable_output-B6-T9-D4-H5-V7-f32-s31",
)


def seeded(case: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(case))


def bound_ratio(problem: Problem, kind: str, change: float) -> float:
    """Grow a kind of weight and hold what comes of it, unrounded, to the problem."""
    arrays = {
        name: array.astype(np.float64) * (1 + change)
        if name.rpartition(".")[2] == kind
        else array
        for name, array in problem.arrays.items()
    }
    grown = reference(Problem(problem.case, arrays))
    certificate = certify(problem, grown, allowing(problem, ULP))
    return float(certificate.ratio.max())


@pytest.mark.parametrize("case", CASES)
def test_a_change_fails_from_where_it_is_said_to(case: str) -> None:
    problem = seeded(case)
    truth = reference(problem)
    found = sensitivity(
        slopes(problem, truth), certify(problem, truth, allowing(problem, ULP))
    )
    kinds = {n.rpartition(".")[2] for n in problem.arrays if n.startswith("layer")}
    assert found.keys() == kinds
    for kind, change in found.items():
        if change is None:  # a lower layer, which nobody sees
            assert case == UNSEEN
            assert bound_ratio(problem, kind, 0.5) < 1
            continue
        assert 0 < change < 1
        assert bound_ratio(problem, kind, 3 * change) > 1
        if problem.case.layers == 1 and problem.case.direction != "bidirectional":
            assert bound_ratio(problem, kind, change / 3) < 1


def test_what_has_used_up_its_bound_needs_a_smaller_change() -> None:
    problem = seeded(CASES[0])
    truth = reference(problem)
    exact, rounded = (
        sensitivity(
            slopes(problem, truth), certify(problem, outcome, allowing(problem, ULP))
        )
        for outcome in (truth, honest(problem))
    )
    for kind, change in rounded.items():
        assert (change or 0) < (exact[kind] or 0)


def test_of_a_bias_of_zeros_no_change_shows() -> None:
    problem = seeded(CASES[0])
    problem = with_arrays(problem, bias=np.zeros(5, np.float32))
    truth = reference(problem)
    found = sensitivity(
        slopes(problem, truth), certify(problem, truth, allowing(problem, ULP))
    )
    assert found["bias"] is None
    assert found["kernel"] is not None


def test_saturated_outputs_hide_what_comes_before_them() -> None:
    problem = seeded(CASES[0])
    problem = with_arrays(problem, bias=np.full(5, 30, np.float32))
    truth = reference(problem)
    assert (np.abs(truth["outputs"]) == 1).all()
    found = sensitivity(
        slopes(problem, truth), certify(problem, truth, allowing(problem, ULP))
    )
    assert found == dict.fromkeys(found)
