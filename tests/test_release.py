"""The release workflow: what it may, and its build job, run as it stands."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from rnn_parity import __version__

ROOT = Path(__file__).parents[1]
RELEASE = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
JOBS: dict[str, dict[str, Any]] = RELEASE["jobs"]
TRY = "Try the wheel in an environment of its own"
STEPS = {step["name"]: step["run"] for step in JOBS["build"]["steps"] if "run" in step}


def test_one_job_alone_may_sign_and_publish_after_tests_and_build() -> None:
    assert RELEASE["permissions"] == {}
    may = {name: job["permissions"] for name, job in JOBS.items()}
    assert may.pop("publish") == {"attestations": "write", "id-token": "write"}
    assert list(may.values()) == [{"contents": "read"}] * 2
    publish = JOBS["publish"]
    assert publish["environment"] == "pypi"
    assert publish["needs"] == ["test", "build"]
    assert not any("run" in step for step in publish["steps"])  # no code of ours


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a copy of what git would check out."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.check_output(listing, cwd=ROOT, text=True).split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def ran(name: str, folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    """Run a step as a runner does, in an environment of its own."""
    path = f"{folder / 'runner/bin'}:{os.environ['PATH']}"
    gone = ("PYTHONPATH", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if key not in gone}
    script = ["bash", "-eo", "pipefail", "-c", STEPS[name]]
    return subprocess.run(
        script,
        cwd=folder,
        env={**kept, "PATH": path, "GITHUB_REF_NAME": tag},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_build_job_makes_a_release_that_runs(checkout: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", checkout / "runner"], check=True)
    said = {}
    for name in STEPS:
        done = ran(name, checkout, f"v{__version__}")
        assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"
        said[name] = done.stdout
    assert "parity-report/report.html" in said[TRY]
    # It was not the checkout that was tried.
    assert not (checkout / "parity-report").exists()
    (source,) = checkout.glob("dist/*.tar.gz")
    (wheel,) = checkout.glob("dist/*.whl")
    assert len(list(checkout.glob("dist/*"))) == 2
    with tarfile.open(source) as archive:
        names = {Path(name).parts[1] for name in archive.getnames()}
    assert {"requirements", "tests", "SECURITY.md"} < names
    with zipfile.ZipFile(wheel) as files:
        assert not any(name.startswith("tests/") for name in files.namelist())
    bill = json.loads((checkout / "rnn-parity.cdx.json").read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "rnn-parity"
    versions = {(each["name"], each["version"]) for each in bill["components"]}
    listed = {f"{canonicalize_name(name)}=={version}" for name, version in versions}
    lines = (ROOT / "requirements/base.txt").read_text("utf-8").splitlines()
    pinned = {line.split(" ")[0] for line in lines if "==" in line and ";" not in line}
    assert pinned <= listed
    assert ran("The tag names the version", checkout, "v99.0").returncode == 1
    broken = wheel.with_suffix(".broken")
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(broken, "w") as file:
        for name in whole.namelist():
            if not name.startswith("rnn_parity_backends/"):
                file.writestr(name, whole.read(name))
    broken.replace(wheel)
    shutil.rmtree(checkout / "tried")
    assert ran(TRY, checkout, "").returncode != 0
