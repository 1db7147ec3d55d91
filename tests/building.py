"""A wheel, built as release.yml builds it, and environments that it is installed in."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Collection, Mapping
from functools import cached_property
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
RELEASE = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
JOBS: dict[str, dict[str, Any]] = RELEASE["jobs"]
STEPS = {step["name"]: step["run"] for step in JOBS["build"]["steps"] if "run" in step}
BUILD = "Build the source distribution, and the wheel from that"

Done = subprocess.CompletedProcess[str]


def check_out(folder: Path) -> None:
    """Copy what git would check out."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.check_output(listing, cwd=ROOT, text=True).split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def ran(words: list[str], folder: Path, programs: Path, **more: str) -> Done:
    """Run a command with an environment's programs, and nothing of this Python's."""
    gone = ("PYTHON", "PYTEST", "VIRTUAL_ENV")
    kept = {key: of for key, of in os.environ.items() if not key.startswith(gone)}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=folder,
        env={**kept, "PATH": path, "COLUMNS": "200", **more},
        capture_output=True,
        text=True,
        check=False,
    )


def step(name: str, folder: Path, programs: Path, tag: str = "") -> Done:
    """Run a step of the job that builds, as a runner does."""
    script = ["bash", "-eo", "pipefail", "-c", STEPS[name]]
    return ran(script, folder, programs, GITHUB_REF_NAME=tag)


def built(folder: Path) -> Path:
    """Give the wheel of what git would check out, into an empty folder."""
    check_out(folder)
    done = step(BUILD, folder, Path(sys.executable).parent)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = folder.glob("dist/*.whl")
    return wheel


def changed(
    wheel: Path,
    to: Path,
    drop: Collection[str] = (),
    add: Mapping[str, str] | None = None,
) -> Path:
    """Write a wheel anew, without the files that begin so, and with more."""
    to.mkdir(parents=True, exist_ok=True)
    path = to / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(path, "x") as file:
        for name in whole.namelist():
            if not name.startswith(tuple(drop)):
                file.writestr(name, whole.read(name))
        for name, text in (add or {}).items():
            file.writestr(name, text)
    return path


def required(names: Collection[str]) -> dict[str, Distribution]:
    """Give the distributions that are needed, as they are here, and what these need."""
    found: dict[str, Distribution] = {}
    open_ = [Requirement(name) for name in names]
    while open_:
        each = open_.pop()
        name = canonicalize_name(each.name)
        if name in found or (each.marker and not each.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(name)
        open_ += [Requirement(line) for line in found[name].requires or []]
    return found


class Installed:
    """An environment of its own, with the base dependencies, pytest, and given wheels.

    Dependencies are links to what is installed here, so that it takes a second; of ours
    nothing is linked, as an editable installation has no folder of its own.
    """

    def __init__(self, path: Path) -> None:
        venv.create(path, symlinks=True)
        self.path = path
        self.programs = path / "bin"
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        for each in required([*project["dependencies"], "pytest"]).values():
            for name in {file.parts[0] for file in each.files or []}:
                if name not in {"..", "__pycache__"}:
                    (self.site / name).symlink_to(str(each.locate_file(name)))
        pytest = self.programs / "pytest"
        lines = "import pytest", "raise SystemExit(pytest.console_main())", ""
        text = "\n".join([f"#!{self.programs / 'python'}", *lines])
        pytest.write_text(text, encoding="utf-8")
        pytest.chmod(0o755)

    @cached_property
    def site(self) -> Path:
        """Where it has what is installed."""
        (site,) = self.path.glob("lib/python*/site-packages")
        return site

    def pip(self, *words: str | Path) -> None:
        """Install or uninstall, from files alone."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.programs / "python")]
        done = ran([*pip, *map(str, words)], self.path, self.programs)
        assert done.returncode == 0, done.stderr

    def install(self, *wheels: Path) -> None:
        """Install wheels as they are."""
        self.pip("install", "--no-index", "--no-deps", "--no-compile", *wheels)

    def uninstall(self, name: str) -> None:
        """Uninstall a distribution."""
        self.pip("uninstall", "--yes", name)

    def files(self, name: str) -> dict[str, bytes]:
        """Give the files of a distribution that was installed, as they are now."""
        paths = [each for each in self.site.glob(f"{name}*/**/*") if each.is_file()]
        return {
            str(path.relative_to(self.site)): path.read_bytes()
            for path in paths
            if path.suffix != ".pyc"
        }

    def run(self, folder: Path, *words: str) -> Done:
        """Run one of its programs in a folder."""
        program, *rest = words
        return ran([str(self.programs / program), *rest], folder, self.programs)
