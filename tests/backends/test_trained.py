"""Backends that are right about trained networks are not called broken."""

from pathlib import Path

import numpy as np
import pytest

from rnn_parity.judge.certify import certify, reference
from rnn_parity.runs.registry import known_backends
from rnn_parity.runs.verify import verify
from rnn_parity_core import Problem
from rnn_parity_fixtures import trained
from support import downloaded, honest, installed

INPUTS = Path(__file__).with_name("trained")


def test_jax_is_right_about_a_cell_state_that_its_output_rounds_otherwise() -> None:
    """XLA fuses the product inside of h's c, and rounds it in the c that it carries."""
    _passes("jax", INPUTS / "silero_jax.npy")


def test_onnxruntime_is_right_about_a_cell_state_behind_a_shut_gate() -> None:
    """ONNX Runtime's output gate is 0 there: what it returns says nothing of c."""
    _passes("onnxruntime", INPUTS / "silero_onnxruntime.npy")


def _passes(backend: str, inputs: Path) -> None:
    installed(backend)
    model = downloaded("silero-vad-16k")
    report = verify(model, inputs=inputs, backends=[backend])
    assert {(r.verdict, r.detail) for r in report.results} == {("pass", "")}


@pytest.mark.parametrize("network", trained.manifest().networks)
def test_a_trained_network_with_a_changed_bias_fails_where_the_right_one_passes(
    network: str,
) -> None:
    downloaded(network)
    problem = trained.problem(trained.case_of(network, "met"))
    accuracy = known_backends()["numpy"].accuracy_for(problem.case)
    assert certify(problem, honest(problem), accuracy).bound_ratio <= 1
    last = f"layer{problem.case.layers - 1}.forward.bias"
    wrong = {**problem.arrays, last: problem[last] + np.float32(0.01)}
    exact = reference(Problem(problem.case, wrong))
    outcome = {name: a.astype(problem.case.dtype) for name, a in exact.items()}
    assert certify(problem, outcome, accuracy).bound_ratio > 1
