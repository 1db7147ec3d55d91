"""The Pythons that the project says it runs on are those that it is tested on."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
JOBS = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
OLDEST = "3.11"  # with every backend


def made(*words: str) -> subprocess.CompletedProcess[str]:
    """Run make, and not as a part of what started these tests."""
    command = ["make", *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={name: of for name, of in os.environ.items() if "MAKE" not in name},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_is_in_the_matrix_and_has_a_target() -> None:
    classifiers = "\n".join(PROJECT["classifiers"])
    versions = re.findall(r"Python :: (3\.\d+)$", classifiers, re.MULTILINE)
    oldest, *newer = versions
    assert (oldest, PROJECT["requires-python"]) == (OLDEST, f">={OLDEST}")
    whole = [step.get("with", {}) for step in JOBS["test"]["steps"]]
    assert [of["python-version"] for of in whole if "python-version" in of] == [oldest]
    assert JOBS["numpy-only"]["strategy"]["matrix"]["python"] == versions
    assert JOBS["pythons"]["strategy"]["matrix"]["python"] == newer
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"\nPYTHONS ?= {' '.join(newer)}\n" in makefile


@pytest.mark.parametrize("version", ["3.99", "9.9"])
def test_one_that_is_absent_is_skipped_unless_it_is_asked_for(version: str) -> None:
    asked = f"PYTHONS={version}"
    every = made("pythons", asked)
    assert (every.returncode, every.stderr) == (0, "")
    assert every.stdout == f"Python {version} is not here: skipped\n"
    one = made(f"python-{version}", asked)
    assert one.returncode == 2
    assert f"Python {version} is not here\n" in one.stderr
