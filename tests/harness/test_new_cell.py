"""The package of a new cell: written, installed, proven, broken, and seen to fail."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity.adapter_tools.new_cell import write_cell_package
from rnn_parity_core import CELLS, FileError, UsageError
from support import OURS

PACKAGE = "acme_cell_rnn_parity"
FRAMEWORKS = ("torch", "jax", "tensorflow", "flax")
BOTH = "acme_cell_torch,acme_cell_jax"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install a generated package, and give the folder that it is installed in."""
    parent = tmp_path_factory.mktemp("new")
    write_cell_package("acme_cell", parent, set(), set())
    site = parent / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    # Not compiled: a change within a second that keeps the size would not be seen.
    where = ["--no-build-isolation", "--no-compile", "--target", str(site)]
    folder = parent / "rnn-parity-acme-cell"
    subprocess.run([*pip, *where, str(folder)], check=True)
    shutil.copytree(folder / "tests", site / "tests")
    return site


@pytest.fixture
def site(installed: Path, tmp_path: Path) -> Path:
    """Give an installed package that may be broken."""
    return Path(shutil.copytree(installed, tmp_path / "site"))


@pytest.fixture
def python(site: Path, tmp_path: Path) -> Command:
    """Give a function that runs Python where the package is installed."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(site), OURS]),
                "COLUMNS": "80",
            },
        )

    return run


def change(site: Path, file: str, old: str, new: str) -> None:
    path = site / PACKAGE / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_generated_cell_is_proven(python: Command) -> None:
    said = python("-m", "rnn_parity", "conform-cell", "acme_cell", "--networks", "60")
    assert said.returncode == 0, said.stdout + said.stderr
    *checks, end = said.stdout.splitlines()
    assert end == "✓ acme_cell conforms"
    assert len(checks) <= 24
    assert "7 of 7 caught, 7 named" in said.stdout


def test_a_step_with_a_wrong_sign_is_not_proven(python: Command, site: Path) -> None:
    old = 'total = x @ w["kernel"] + w["recurrent"] * state["h"]'
    change(site, "cell.py", old, old.replace("+", "-"))
    said = python("-m", "rnn_parity", "conform-cell", "acme_cell", "--networks", "5")
    assert said.returncode == 1
    assert "✗ acme_cell does not conform: see by hand" in said.stdout


def test_nothing_of_the_package_imports_a_framework_but_adapters(
    python: Command,
) -> None:
    script = (
        "import sys\n"
        f"import {PACKAGE}.cell, {PACKAGE}.backends\n"
        "from rnn_parity.runs.registry import known_backends\n"
        f"assert {{*'{BOTH}'.split(',')}} <= {{*known_backends()}}\n"
        f"print([n for n in {FRAMEWORKS} if n in sys.modules])"
    )
    said = python("-c", script)
    assert said.stdout == "[]\n", said.stderr


CASE = "acme_cell-dynamic-B3-T7-D4-H5"
CASES = ",".join(
    f"{CASE}{options}-s1" for options in ("-f32", "-L2-f64", "-gradient-f64")
)


@pytest.mark.slow
def test_both_layers_pass_their_suite_by_command_and_by_class(python: Command) -> None:
    named = ("--backends", f"numpy,{BOTH}")
    said = python("-m", "rnn_parity", "run", "--cases", "cell:acme_cell", *named)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "67 pass, 107 gap of 174" in said.stdout
    said = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "site/tests")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_layer_that_is_broken_fails_in_those_words(
    python: Command, site: Path, tmp_path: Path
) -> None:
    old = "h = torch.relu(now + self.recurrent * h)"
    change(site, "torch_layer.py", old, old.replace("recurrent *", "recurrent.abs() *"))
    run = ("-m", "rnn_parity", "run", "--cases", CASES, "--backends", BOTH)
    said = python(*run)
    assert said.returncode == 1, said.stderr
    assert "size of the recurrent weight alone" in said.stdout
    # This process knows nothing of the cell, so that it reads no report of it.
    report = json.loads((tmp_path / "parity-report/report.json").read_text())
    results = report["results"]
    found = {(of["backend"], of["verdict"]) for of in results}
    assert found == {("acme_cell_torch", "fail"), ("acme_cell_jax", "pass")}
    assert len(results) == 6


@pytest.mark.parametrize("name", ["", "Acme", "1acme", "acme-cell", "../a", "a" * 41])
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name for a cell"):
        write_cell_package(name, tmp_path, set(), set())
    assert list(tmp_path.iterdir()) == []


def test_taken_names_and_a_folder_that_is_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a cell 'lstm' already"):
        write_cell_package("lstm", tmp_path, set(CELLS), set())
    with pytest.raises(UsageError, match="a backend 'acme_jax' already"):
        write_cell_package("acme", tmp_path, set(), {"acme_jax"})
    write_cell_package("acme", tmp_path, set(), set())
    with pytest.raises(FileError, match="is there already; nothing was written"):
        write_cell_package("acme", tmp_path, set(), set())
