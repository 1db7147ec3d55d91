"""Verdicts on numbers: figures, where and how much, and what would explain it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.judge.certify import reference
from rnn_parity.judge.verdict import judge_entry
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import Outcome, Problem
from rnn_parity_core.arrays import pack
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Result
from support import honest, weight, with_arrays

Judged = Callable[[Problem, Outcome], Result]


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """Give a function that judges an outcome as if NumPy had returned it."""
    folder = RunFolder(tmp_path)

    def result(problem: Problem, outcome: Outcome) -> Result:
        case = problem.case.id
        folder.write_outcome("numpy", case, pack(outcome, {"case": case}))
        entry = Entry(case, "numpy", "done")
        return judge_entry(folder, problem, reference(problem), INFO, entry).result

    return result


def test_a_pass_shows_its_ratio_and_figures(problem: Problem, judged: Judged) -> None:
    result = judged(problem, honest(problem))
    assert result.bound_ratio is not None
    assert 0 < result.bound_ratio <= 1
    assert result.first_bad is None
    assert result.figures.keys() == {"outputs", "final_h"}
    for figures, total in zip(result.figures.values(), (105, 15), strict=True):
        assert (figures.total, figures.mismatched, figures.nonfinite) == (total, 0, 0)
        assert figures.max_abs is not None
        assert 0 < figures.max_abs <= 2.0**-25  # rounded once from float64
    assert result.published is None


def test_wrong_numbers_fail_with_where_how_much_and_why(
    problem: Problem, judged: Judged
) -> None:
    outcome = honest(problem)
    outcome["outputs"][1, 4, 2] += 0.01
    result = judged(problem, outcome)
    assert result.verdict == "fail"
    assert result.detail.startswith("outputs: ")
    assert " of 105 elements outside the bound; worst " in result.detail
    assert "x at (row 1, step 4, unit 2): " in result.detail
    assert ", got 0.01; the first bad step is 4 [numpy" in result.detail
    assert "it would match" not in result.detail
    assert result.figures["outputs"].worst_at == (1, 4, 2)
    assert result.figures["outputs"].mismatched >= 1
    assert result.figures["final_h"].mismatched == 0


def test_a_wrong_final_state_is_said_to_be_that(
    problem: Problem, judged: Judged
) -> None:
    outcome = honest(problem)
    outcome["final_h"][0, 0, :2] += 0.01
    detail = judged(problem, outcome).detail
    assert detail.startswith("final_h: 2 of 15 elements outside the bound; worst ")
    assert "outputs are right; the first bad step is 6" in detail


def test_nan_fails_without_a_ratio_or_an_explanation(
    problem: Problem, judged: Judged
) -> None:
    outcome = honest(problem)
    outcome["outputs"][2, 5, 0] = np.nan
    result = judged(problem, outcome)
    assert (result.verdict, result.bound_ratio, result.explanations) == (
        "fail",
        None,
        [],
    )
    assert result.detail.startswith(
        "outputs has 1 of 105 elements NaN or infinite; the first bad step is 5"
    )
    assert result.figures["outputs"].nonfinite == 1


def test_published_tables_are_a_second_test_beside_the_bound(judged: Judged) -> None:
    problem = catalogue.build(catalogue.case_from_id("notebook-dynamic-f32"))
    passed = judged(problem, honest(problem))
    assert (passed.verdict, passed.detail) == ("pass", "")
    assert passed.published is not None
    assert passed.published.tables == 2
    tables = problem.published["outputs"].copy()
    tables[3, 1, 0] += 2e-6
    moved = Problem(problem.case, problem.arrays, {"outputs": tables})
    result = judged(moved, honest(problem))
    assert result.verdict == "fail"
    assert result.bound_ratio == passed.bound_ratio
    assert result.published is not None
    assert result.published.max_abs == pytest.approx(2e-6, rel=0.2)
    assert "from the published tables, allowed 1e-06" in result.detail


def test_a_known_mistake_is_named_in_the_result_and_in_words(
    problem: Problem, judged: Judged
) -> None:
    bare = with_arrays(problem, bias=np.zeros_like(weight(problem, "bias")))
    result = judged(problem, honest(bare))
    assert result.explanations == ["bias dropped"]
    assert "; matches if: bias dropped; the first bad" in result.detail


def test_errors_that_only_add_up_are_said_with_the_weight(judged: Judged) -> None:
    case = catalogue.case_from_id("rnn_tanh-dynamic-B8-T64-D96-H64-f32-s3")
    problem = catalogue.build(case)
    bias = weight(problem, "bias").copy()
    bias[5] *= np.float32(1 + 1e-5)
    wrong = NumpyBackend().run(with_arrays(problem, bias=bias))
    result = judged(problem, dict(wrong))
    assert result.verdict == "fail"
    assert result.systematic == result.bound_ratio
    assert result.first_bad is None
    assert result.figures["outputs"].mismatched == 0
    assert result.detail.startswith("no step shows it, but the errors of all add up: ")
    assert "as if layer0.forward.bias[5] were off by 3." in result.detail
    (named,) = result.explanations
    assert named.startswith("layer0.forward.bias[5] off by 3.")
    assert named.endswith("e-06, 1.0e-05 of itself")


def test_the_gate_at_fault_is_said_with_the_first_bad_step(judged: Judged) -> None:
    case = catalogue.case_from_id("gru-dynamic-B6-T12-D3-H4-f32-s5")
    problem = catalogue.build(case)
    kernel = weight(problem, "kernel").copy()
    kernel[:, 4:8] *= np.float32(1.01)
    wrong = NumpyBackend().run(with_arrays(problem, kernel=kernel))
    result = judged(problem, dict(wrong))
    assert result.first_bad is not None
    assert result.first_bad.gate == "z"
    assert "the first bad step is 0, gate z" in result.detail


def test_a_network_that_outgrows_float64_is_the_case_s_fault(tmp_path: Path) -> None:
    """Nothing bounds a rectifier's gradients: this one's training ends in NaN."""
    case = "rnn_relu-variable_input-B7-T10-D1-H40-L3-sgd-f64-s357253973"
    problem = catalogue.build(catalogue.case_from_id(case))
    truth, folder = reference(problem), RunFolder(tmp_path)
    folder.write_outcome("numpy", case, pack(truth, {"case": case}))
    trains, entry = replace(INFO, gaps=()), Entry(case, "numpy", "done")
    result = judge_entry(folder, problem, truth, trains, entry).result
    assert result.verdict == "fail"
    assert result.detail.startswith("the network itself outgrows float64")
    assert "trained_layer0.forward.kernel has " in result.detail
    assert " of 400 elements NaN" in result.detail
    assert "choose a smaller gain or fewer steps" in result.detail
    assert result.explanations == []
