"""Names that were replaced stand nowhere any more."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from rnn_parity.cli import app

ROOT = Path(__file__).parents[1]
NAMES = [
    line
    for line in (ROOT / "tests/old_names.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
# Where they may stand: what reads older files, and what was called so when.
EXEMPT = {
    "CHANGELOG.md",
    "reports/rnn_parity_reports/version_1.py",
    "tests/old_names.txt",
    "tests/test_old_names.py",
    "tests/reports/test_version_1.py",
}
SUFFIXES = {".py", ".md", ".toml", ".jinja", ".js", ".css", ".json", ".yml"}


def text_files() -> list[Path]:
    """Give every file of ours that somebody reads."""
    listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True)  # noqa: S607
    names = [name for name in listed.splitlines() if name not in EXEMPT]
    paths = [ROOT / name for name in names if Path(name).suffix in SUFFIXES]
    return [path for path in paths if path.is_file()]


def places(name: str, paths: list[Path]) -> list[str]:
    """Give where a name stands, as a part of another one too, `file:line` each."""
    start = r"(?<![\w.])" if name.endswith("(") else "(?<![A-Za-z])"
    end = "" if name.endswith("(") else "(?:s|(?![A-Za-z]))"
    pattern = re.compile(start + re.escape(name) + end)
    return [
        f"{path.relative_to(path.parents[-1])}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_old_name_stands_nowhere(name: str) -> None:
    assert places(name, text_files()) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_old_name_that_came_back_is_found(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new.md"
    path.write_text(f"what the {name} says\nand no {name}s\n", encoding="utf-8")
    assert places(name, [path])[0].endswith("new.md:1")


def test_help_has_none_of_them() -> None:
    """Help is put together of many strings, and wrapped."""
    commands = ["", *get_group(app).commands]
    for command in commands:
        said = CliRunner().invoke(app, [*command.split(), "--help"]).output
        words = " ".join(said.split())
        assert [name for name in NAMES if name in words] == []
