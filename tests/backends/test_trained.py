"""Backends that are right about trained networks are not called broken."""

from pathlib import Path

from harness.model_runs import verify
from support import downloaded, installed

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
