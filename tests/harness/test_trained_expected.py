"""What production makes of Silero VAD's trained LSTM, in a file with two biases."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import rnn_parity
from rnn_parity.runs import verify
from rnn_parity.store.folder import RunFolder
from rnn_parity_core import Array
from rnn_parity_fixtures import catalogue, trained
from rnn_parity_reports.results import Result
from support import downloaded, honest, installed

NAME = "silero-vad-16k"


@pytest.fixture
def model() -> Path:
    return downloaded(NAME)


def inputs(batch: str) -> Array:
    return catalogue.build(trained.case_of(NAME, batch))["inputs"]


def judged(model: Path, x: Array, expected: Any, *backends: str) -> Result:
    report = rnn_parity.verify(
        model, layer="lstm_cell", inputs=x, expected=expected, backends=backends
    )
    return next(r for r in report.results if r.backend == "expected")


@pytest.mark.parametrize("name", ["bias_hh", "bias_ih"])
def test_the_bias_that_production_dropped_is_named(
    name: str, model: Path, tmp_path: Path
) -> None:
    arrays, other = load_file(model), tmp_path / "other.safetensors"
    arrays[f"lstm_cell.{name}"] *= 0
    save_file(arrays, other)
    x = inputs("met")[:4, :32]
    problem, _ = verify.plan(other, layer="lstm_cell", inputs=x).problems
    result = judged(model, x, {"outputs": honest(problem)["outputs"]}, "numpy")
    assert result.verdict == "fail"
    assert result.explanations == [f"{name} dropped"]


def test_what_onnx_runtime_made_of_it_passes_whether_it_is_named_or_not(
    model: Path, tmp_path: Path
) -> None:
    installed("onnxruntime")
    x, engine = 3 * inputs("met"), ["onnxruntime"]
    report = rnn_parity.verify(
        *(model,), layer="lstm_cell", inputs=x, backends=engine, out=tmp_path / "r"
    )
    outcome = RunFolder(tmp_path / "r").outcome("onnxruntime", report.cases[0].id)
    # Its sigmoid is 0 there, which says nothing of c.
    assert (outcome["outputs"] == 0).any()
    for names in (["numpy"], ["numpy", *engine]):
        assert judged(model, x, outcome, *names).verdict == "pass"
    wrong = {**outcome, "outputs": np.roll(outcome["outputs"], 1, axis=-1)}
    assert judged(model, x, wrong, "numpy").verdict == "fail"
