"""`import rnn_parity as rp`: what is public works as its docstrings say."""

import doctest
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_parity as rp
from rnn_parity.runs import api

CASE = "rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1"


def layer(problem: rp.Problem) -> Mapping[str, Any]:
    """Compute a plain RNN, as somebody would by hand."""
    weights, h = problem.weights(0, "forward"), problem.initial(0, "forward")["h"]
    outputs = []
    for x in problem["inputs"].swapaxes(0, 1):
        kernel, recurrent = weights["kernel"], weights["recurrent_kernel"]
        h = np.tanh(x @ kernel + h @ recurrent + weights["bias"])
        outputs.append(h)
    return {"outputs": np.stack(outputs, axis=1), "final_h": h[None]}


def wrong(problem: rp.Problem) -> Mapping[str, Any]:
    made = layer(problem)
    return {**made, "outputs": made["outputs"] + np.float32(1e-4)}


def test_a_run_gives_a_report_and_keeps_it_where_it_is_told(tmp_path: Path) -> None:
    report = rp.run(CASE, "numpy", tmp_path / "run")
    assert [(of.verdict, of.backend) for of in report.results] == [("pass", "numpy")]
    assert report.exit_status == 0
    assert (tmp_path / "run/report.html").is_file()
    with pytest.raises(rp.UsageError, match="did you mean numpy"):
        rp.run(CASE, "numpi")


def test_two_runs_are_compared(tmp_path: Path) -> None:
    for name in ("old", "new"):
        rp.run(CASE, ["numpy"], tmp_path / name)
    moved = rp.compare(tmp_path / "old", tmp_path / "new")
    assert (moved.exit_status, moved.changes) == (0, [])
    with pytest.raises(rp.FileError, match="cannot read"):
        rp.compare(tmp_path / "old", tmp_path / "none")


def test_a_layer_of_ones_own_is_held_to_a_case() -> None:
    assert rp.assert_equivalent(layer, case=CASE, ulp={"tanh": 2}).verdict == "pass"
    with pytest.raises(AssertionError, match="outside the bound"):
        rp.assert_equivalent(wrong, case=CASE, ulp={"tanh": 2})


def test_every_name_is_there_documented_and_said_by_dir() -> None:
    assert {*rp.__all__} <= {*dir(rp)}
    for name in rp.__all__:
        assert (getattr(rp, name).__doc__ or "").strip(), name


def test_examples_of_docstrings_give_what_they_say() -> None:
    found = doctest.testmod(api)
    assert (found.attempted > 0, found.failed) == (True, 0)
