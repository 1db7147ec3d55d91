"""Every fault planted in every adapter is caught, in every variant, and named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_core import CELLS, VARIANTS, Case
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import (
    FLOAT32_INSIDE,
    REUSED_BUFFER,
    WRONG_OUTCOME,
    WRONG_PROBLEM,
    plant,
)
from support import BACKENDS, installed, judged

FED = [variant for variant in VARIANTS if variant != "variable_output"]

# What the verdict must say of a fault, beyond that there is one.
WORDS = {
    "recurrent kernel transposed": "matches if: recurrent kernel transposed",
    "bias dropped": "matches if: bias dropped",
    "steps swapped": "matches if: steps in reverse order",
    "initial state dropped": "matches if: initial h dropped",
    "output missing": "final_h is missing",
    "output extra": "attention is not asked for",
    "time-major outputs": "outputs has shape [7, 3, 5], expected [3, 7, 5]",
    "float16 outputs": "outputs has dtype float16, expected float32",
    "nan in outputs": "outputs has 1 of 105 elements NaN or infinite; the first bad",
    "final state of the first step": "final_h: ",
    "one unit off by 1e-5": "outputs: 1 of 105 elements outside the bound",
}


def seeded(variant: str, dtype: str = "f32", cell: str = "rnn_tanh") -> Case:
    # Of the size of h, so that a transposed recurrent kernel has the right shape.
    size = "-P5" if cell == "lstm_projection" else ""
    return catalogue.case_from_id(f"{cell}-{variant}-B3-T7-D4-H5{size}-{dtype}-s1")


def words_for(variant: str) -> dict[str, str]:
    """Give what is said in a variant; all rows' steps swapped are no reversed rows."""
    if variant != "variable_input":
        return WORDS
    return {**WORDS, "steps swapped": "elements outside the bound; worst "}


@pytest.mark.parametrize("variant", FED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_planted_faults_are_caught_and_named(
    backend: str, variant: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    worker, info = workers(backend), installed(backend)
    folder = RunFolder(tmp_path)
    worker.load(info)
    healthy = judged(worker, info, seeded(variant), folder)
    assert healthy.verdict == "pass", healthy.detail
    assert set(WORDS) == {*WRONG_PROBLEM, *WRONG_OUTCOME}
    for fault, words in words_for(variant).items():
        faulty = plant(info, fault)
        worker.load(faulty)
        result = judged(worker, faulty, seeded(variant), folder)
        assert result.verdict == "fail", (fault, result)
        assert words in result.detail, (fault, result.detail)


@pytest.mark.parametrize("variant", FED)
@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_a_wrong_problem_is_caught_in_every_cell_and_named(
    cell: str, variant: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    worker, info = workers("numpy"), installed("numpy")
    folder, case = RunFolder(tmp_path), seeded(variant, cell=cell)
    worker.load(info)
    healthy = judged(worker, info, case, folder)
    assert healthy.verdict == "pass", healthy.detail
    for fault in WRONG_PROBLEM:
        faulty = plant(info, fault)
        worker.load(faulty)
        result = judged(worker, faulty, case, folder)
        assert result.verdict == "fail", (fault, result)
        assert words_for(variant)[fault] in result.detail, (fault, result.detail)


@pytest.mark.parametrize("variant", FED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_buffer_that_is_used_again_is_caught(
    backend: str, variant: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    worker, faulty = workers(backend), plant(installed(backend), REUSED_BUFFER)
    worker.load(faulty)
    folder = RunFolder(tmp_path)
    result = judged(worker, faulty, seeded(variant), folder)
    assert result.verdict == "error"
    assert "buffer that it uses again" in result.detail


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_under_a_float64_label_is_caught(
    backend: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    worker, faulty = workers(backend), plant(installed(backend), FLOAT32_INSIDE)
    worker.load(faulty)
    folder = RunFolder(tmp_path)
    result = judged(worker, faulty, seeded("dynamic", "f64"), folder)
    assert result.verdict == "fail"
    assert result.bound_ratio is not None
    assert result.bound_ratio > 1e4
