"""A backend's worker runs under the Python that is asked for, with what that has."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from rnn_parity.processes.packages import PACKAGES, folder_of
from rnn_parity.runs.registry import select_backends
from rnn_parity.workers.interpreter import NEEDED
from rnn_parity.workers.process import Worker
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import Problem, UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import read_report_document

Cli = Callable[..., tuple[int, str, str]]
SITE = Path(sysconfig.get_path("purelib"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the Python of an environment without anything in it."""
    return _environment(tmp_path_factory.mktemp("it's bare") / "venv")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the Python of an environment with what a worker needs and no more."""
    python = _environment(tmp_path_factory.mktemp("other one") / "venv")
    (own,) = Path(python).parents[1].glob("lib/python*/site-packages")
    for name in (*NEEDED, "numpy.libs"):
        if (SITE / name).exists():
            (own / name).symlink_to(SITE / name)
    return python


def _environment(path: Path) -> str:
    venv.create(path, symlinks=True)
    return str(path / "bin" / "python")


def test_two_copies_of_a_backend_run_under_two_interpreters_in_one_run(
    other: str, command_line: Cli, tmp_path: Path
) -> None:
    chosen = ["--backends", "numpy,numpy#old", "--python", f"numpy#old={other}"]
    status, out, err = command_line("run", *chosen)
    assert (status, err) == (0, "")
    assert "8 pass of 8" in out
    report = read_report_document(tmp_path / "parity-report")
    assert {n: r.interpreter for n, r in report.backends.items()} == {
        "numpy": sys.executable,
        "numpy#old": other,
    }
    again = report.results[1].reproduce
    assert again.endswith(f"--backends 'numpy#old' --python 'numpy#old={other}'")
    status, out, _ = command_line(
        "compare", "parity-report", "--between", "numpy#old,numpy"
    )
    assert status == 0
    assert f"path: {other} → {sys.executable}" in out
    assert "numpy: 4 equal to the last bit, 0 moved" in out


def test_what_an_interpreter_lacks_is_named_with_the_command_that_installs_it(
    bare: str, other: str
) -> None:
    with pytest.raises(UsageError) as caught:
        select_backends(["numpy#old"], [f"numpy#old={bare}"])
    words = str(caught.value)
    assert words.startswith("backend numpy#old cannot run here: ml_dtypes, msgspec, ")
    assert words.endswith("-m pip install ml_dtypes msgspec numpy safetensors")
    with pytest.raises(UsageError, match="jax, jaxlib, optax not installed there"):
        select_backends(["jax"], [f"jax={other}"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("numpy#old", "--python numpy#old names no backend; for example"),
        ("numpy=x", "unknown backend of --python 'numpy'; did you mean numpy#old"),
        ("numpy#old=", "'' is no program"),
        ("numpy#old=/nowhere/python", "'/nowhere/python' is no program"),
        ("numpy#old=true", "does not answer as Python does"),
    ],
)
def test_an_interpreter_that_is_none_is_refused(asked: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        select_backends(["numpy#old"], [asked])


def test_a_python_that_is_too_old_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho rnn-parity 3 9\n")
    old.chmod(0o755)
    with pytest.raises(UsageError, match=r"is Python 3.9, expected 3.11 or later"):
        select_backends(["numpy"], [f"numpy={old}"])


@pytest.mark.parametrize("label", ["", "a b", "a/b", "a#b", "é", "a=b"])
def test_a_label_is_letters_and_digits(label: str) -> None:
    with pytest.raises(UsageError, match="the label of"):
        select_backends([f"numpy#{label}"])


def test_a_label_goes_with_settings_and_is_a_copy_of_its_own() -> None:
    plain, first, second = select_backends(["jax", "jax+threads=1#a", "jax#b"])
    assert first.options == {**plain.options, "threads": 1}
    assert second == replace(plain, name="jax#b")


def test_what_lies_beside_our_packages_hides_nothing_of_the_interpreters_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Problem
) -> None:
    for name in PACKAGES:
        (tmp_path / name).symlink_to(folder_of(name))
    (tmp_path / "numpy.py").write_text("raise ImportError('the wrong numpy')")
    monkeypatch.setattr("rnn_parity.workers.child.roots", lambda: (str(tmp_path),))
    worker = Worker(tmp_path / "log")
    try:
        worker.load(INFO)
        assert worker.run("numpy", problem, 60)[0] == "outcome"
    finally:
        worker.close()


@pytest.mark.slow
def test_another_numpy_is_another_version_in_the_report_and_the_rest_is_said(
    tmp_path: Path, command_line: Cli
) -> None:
    venv.create(tmp_path / "old", with_pip=True, symlinks=True)
    python = str(tmp_path / "old/bin/python")
    needed = [name for name in NEEDED.values() if name != "numpy"]
    install = [python, "-m", "pip", "install", "--quiet", "numpy==2.3.*", *needed]
    subprocess.run(install, check=True, env={**os.environ, "PYTHONPATH": ""})
    chosen = ["--backends", "numpy,numpy#old", "--python", f"numpy#old={python}"]
    assert command_line("run", "--cases", "standard", *chosen)[0] == 0
    status, out, _ = command_line(
        "compare", "parity-report", "--between", "numpy#old,numpy"
    )
    assert status == 0
    assert "version      numpy numpy: 2.3." in out
    cases = len(catalogue.select(["standard"], [], []))
    assert f"nothing regressed; {cases} of {cases} unchanged" in out
