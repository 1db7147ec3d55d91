"""A third party's way: write a package, install it, prove it, break it, see it fail."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity.adapter_tools.new_backend import write_package
from rnn_parity_core import FileError, UsageError
from support import OURS

PACKAGE = "acme_rnn_parity"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install a generated package, and give the folder that it is installed in."""
    parent = tmp_path_factory.mktemp("new")
    write_package("acme", parent, set())
    site = parent / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    # Not compiled: a change within a second that keeps the size would not be seen.
    where = ["--no-build-isolation", "--no-compile", "--target", str(site)]
    subprocess.run([*pip, *where, str(parent / "rnn-parity-acme")], check=True)
    shutil.copytree(parent / "rnn-parity-acme" / "tests", site / "tests")
    return site


@pytest.fixture
def site(installed: Path, tmp_path: Path) -> Path:
    """Give an installed package that may be broken."""
    return Path(shutil.copytree(installed, tmp_path / "site"))


@pytest.fixture
def conform(site: Path, tmp_path: Path) -> Command:
    """Give a function that proves the installed backend by the command line."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(site), OURS])
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "160"},
        )

    return run


COMMAND = ("rnn_parity", "conform", "acme")
CLASS = ("pytest", "-q", "-p", "no:cacheprovider", "site/tests")
FEW = [f"lstm-dynamic-B3-T7-D4-H5-{dtype}-s1" for dtype in ("f32", "bf16")]
BOTH = pytest.mark.parametrize(
    "way",
    [(*COMMAND, "--cases", ",".join(FEW)), (*CLASS, "-k", " or ".join(FEW))],
    ids=["command", "class"],
)


def change(site: Path, file: str, old: str, new: str) -> None:
    path = site / PACKAGE / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.slow
def test_the_generated_package_is_proven_by_command_and_by_class(
    conform: Command,
) -> None:
    said = conform(*COMMAND)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "7 of 414 cases" in said.stdout
    assert "395: notyet: an LSTM in `dynamic` alone is adapted" in said.stdout
    assert "✓ acme conforms in" in said.stdout
    said = conform(*CLASS)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "407 xfailed" in said.stdout
    assert "warning" not in said.stdout
    assert "15 passed" in said.stdout


@BOTH
def test_a_swapped_gate_order_is_named(
    conform: Command, site: Path, way: tuple[str, ...]
) -> None:
    change(site, "layout.py", 'NATIVE_ORDER = "ifog"', 'NATIVE_ORDER = "ifgo"')
    said = conform(*way)
    assert said.returncode == 1
    assert "gate order" in said.stdout
    if "conform" in way:
        end = said.stdout.splitlines()[-1]
        assert end.startswith("✗ acme does not conform: ")
        assert end.endswith(" cases that ran pass")


@BOTH
def test_an_undeclared_gap_fails(
    conform: Command, site: Path, way: tuple[str, ...]
) -> None:
    gap = 'Gap("never", "no half precisions", dtypes=("bfloat16", "float16")),'
    change(site, "__init__.py", gap, "")
    said = conform(*way)
    assert said.returncode == 1
    assert "undeclared gap: no half precisions" in said.stdout


@BOTH
def test_a_missing_output_fails(
    conform: Command, site: Path, way: tuple[str, ...]
) -> None:
    line = '            "final_c": np.stack([c for _, c in finals]),\n'
    change(site, "adapter.py", line, "")
    said = conform(*way)
    assert said.returncode == 1
    assert "final_c is missing" in said.stdout


@BOTH
def test_a_stale_gap_fails(conform: Command, site: Path, way: tuple[str, ...]) -> None:
    wide = 'Gap("never", "no single floats", dtypes=("float32",)),'
    change(site, "__init__.py", "    gaps=(", f"    gaps=(\n        {wide}")
    said = conform(*way)
    assert said.returncode == 1
    assert "stale gap" in said.stdout


@pytest.mark.parametrize(
    "name", ["", "Acme", "1acme", "acme rnn", "../acme", "a" * 41, "class", "acme:x"]
)
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name for a backend"):
        write_package(name, tmp_path, set())
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_and_a_folder_that_is_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a backend 'torch' already"):
        write_package("torch", tmp_path, {"torch"})
    write_package("acme", tmp_path, set())
    with pytest.raises(FileError, match="is there already; nothing was written"):
        write_package("acme", tmp_path, set())
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot write to"):
        write_package("acme", tmp_path / "file", set())
