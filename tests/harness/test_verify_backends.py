"""What runs a model's layer: its own framework and NumPy, others if they are named."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rnn_parity_reports.results import Report, read_report_document
from support import installed

Cli = Callable[..., tuple[int, str, str]]
MODEL = "m.safetensors"


@pytest.fixture(autouse=True)
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    shapes = {"weight_ih_l0": (20, 4), "weight_hh_l0": (20, 5)}
    shapes |= {"bias_ih_l0": (20,), "bias_hh_l0": (20,)}
    monkeypatch.chdir(tmp_path)
    save_file({n: draw.normal(size=s).astype("f4") for n, s in shapes.items()}, MODEL)


def report() -> Report:
    return read_report_document(Path("parity-report"))


def test_the_framework_that_a_file_comes_from_and_numpy_run_it(
    command_line: Cli,
) -> None:
    installed("torch")
    status, said, _ = command_line("verify", MODEL)
    assert status == 0
    assert "by    torch, numpy; on all that are installed: --backends all" in said
    assert set(report().backends) == {"torch", "numpy"}


@pytest.mark.usefixtures("only_numpy")
def test_without_that_framework_numpy_runs_it_alone(command_line: Cli) -> None:
    status, said, _ = command_line("verify", MODEL)
    assert (status, "by    numpy; on all" in said) == (0, True)
    assert set(report().backends) == {"numpy"}


@pytest.mark.usefixtures("only_numpy")
def test_all_are_those_that_a_run_has_by_default(command_line: Cli) -> None:
    assert command_line("verify", MODEL, "--backends", "all")[0] == 0
    verdicts = {(r.backend, r.verdict) for r in report().results}
    assert {("numpy", "pass"), ("torch", "absent"), ("jax", "absent")} <= verdicts


def test_another_python_runs_a_layer_and_the_command_that_does_it_again_names_it(
    command_line: Cli,
) -> None:
    twin = f"numpy#twin={sys.executable}"
    asked = ("--backends", "numpy,numpy#twin", "--python", twin)
    assert command_line("verify", MODEL, *asked)[0] == 0
    found = report()
    assert found.backends["numpy#twin"].interpreter == sys.executable
    (again,) = {r.reproduce for r in found.results if r.backend == "numpy#twin"}
    assert again.endswith("--backends 'numpy#twin'")
    assert twin in again


def test_another_python_certifies_what_is_converted(command_line: Cli) -> None:
    ask = ("convert", MODEL, "--to", "canonical", "-o", "c.safetensors")
    status, said, _ = command_line(*ask, "--python", f"numpy={sys.executable}")
    assert (status, "numpy computes the same" in said) == (0, True)
    gone = command_line(*ask, "--python", "numpy=/nowhere/python")
    assert gone[0] == 2
    assert "/nowhere/python" in gone[2]


def test_a_host_that_is_none_is_refused(command_line: Cli) -> None:
    status, _, err = command_line("verify", MODEL, "--host", "numpy=-oProxy")
    assert (status, "is no host" in err) == (2, True)
    assert not Path("parity-report").exists()
