"""Every step's error beside its bound, as reports draw it."""

import numpy as np
import pytest

from rnn_parity.judge.certify import certify
from rnn_parity.judge.steps import worst_of_each_step
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Steps
from support import allowing, honest

ULP = {"tanh": 1.0}
WRONG = 137


def points(case_id: str, wrong: float = 0.0) -> Steps:
    problem = catalogue.build(catalogue.case_from_id(case_id))
    outcome = honest(problem)
    outcome["outputs"][1, WRONG % problem.case.steps, 2] += wrong
    return worst_of_each_step(certify(problem, outcome, allowing(problem, ULP)))


def test_each_step_of_a_short_sequence_is_a_point_within_its_bound() -> None:
    found = points("rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1")
    assert found.step == list(range(7))
    for error, bound in zip(found.error, found.bound, strict=True):
        assert error is not None
        assert bound is not None
        assert 0 < error < bound < 1e-5


def test_of_a_long_sequence_the_worst_step_of_each_part_is_kept() -> None:
    found = points("rnn_tanh-dynamic-B3-T200-D4-H5-f32-s1", wrong=1e-3)
    assert len(found.step) == 50
    assert found.step == sorted(found.step)
    at = found.step.index(WRONG)
    assert found.error[at] == pytest.approx(1e-3, rel=1e-2)
    assert found.bound[at] == pytest.approx(1e-6, rel=0.9)
    after = np.array(found.error[at + 1 :], float) > np.array(found.bound[at + 1 :])
    assert not after[1:].any(), "an error of one step is not one of later ones"


def test_what_is_no_number_is_null() -> None:
    found = points("rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1", wrong=np.inf)
    assert found.error[WRONG % 7] is None
    assert sum(error is None for error in found.error) in {1, 2}
