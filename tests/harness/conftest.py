"""What tests of the harness share: a run to change, and the command line."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import cli
from harness.backend import BackendInfo
from harness.folder import RunFolder

Snapshot = dict[str, bytes | None]


@pytest.fixture
def snapshot() -> Callable[[Path], Snapshot]:
    """Give a function that reads all files below a folder; None stands for a folder."""

    def taken(folder: Path) -> Snapshot:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in folder.rglob("*")
        }

    return taken


@pytest.fixture
def copy(saved_run: RunFolder, tmp_path: Path) -> Path:
    """Give a saved run that may be changed, as `saved` in the temporary folder."""
    return Path(shutil.copytree(saved_run.path, tmp_path / "saved"))


@pytest.fixture
def rnn_parity(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Give a function that runs the command line in the temporary folder.

    It returns the exit status, and what was printed to stdout and stderr.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")  # with xdist it is 80, and lines are folded

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rnn-parity", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def only_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no framework be installed."""

    def missing(info: BackendInfo) -> list[str]:
        return [] if info.name == "numpy" else list(info.requires.values())

    monkeypatch.setattr("harness.run.registry.missing", missing)
