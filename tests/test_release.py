"""The release workflow: what it may, and its build job, run as it stands."""

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from building import JOBS, RELEASE, ROOT, STEPS, changed, check_out, step
from rnn_parity import __version__

TRY = "Try the wheel in an environment of its own"


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
    check_out(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_build_job_makes_a_release_that_runs(checkout: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", checkout / "runner"], check=True)
    said = {}
    runner = checkout / "runner/bin"
    for name in STEPS:
        done = step(name, checkout, runner, f"v{__version__}")
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
    named = step("The tag names the version", checkout, runner, "v99.0")
    assert named.returncode == 1
    broken = changed(wheel, checkout / "broken", drop=["rnn_parity_backends/"])
    broken.replace(wheel)
    shutil.rmtree(checkout / "tried")
    assert step(TRY, checkout, runner).returncode != 0
