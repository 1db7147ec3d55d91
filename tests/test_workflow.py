"""The workflow that users copy is valid, and its scripts do what it says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.store.folder import RunFolder
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import plant
from support import OURS

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "parity-workflow.yml"


def steps() -> dict[str, dict[str, Any]]:
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    return {step.get("name", step.get("uses")): step for step in job["steps"]}


@pytest.fixture
def bash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that runs a step as a runner does, with our command on PATH."""
    tools = tmp_path / "tools"
    tools.mkdir()
    command = tools / "rnn-parity"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rnn_parity "$@"\n')
    gh = tools / "gh"
    gh.write_text('#!/bin/sh\n[ "$2" = list ] && cat run-id || cp -r main "$7"\n')
    for tool in (command, gh):
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", OURS)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("CASES", "notebook")
    monkeypatch.setenv("BACKENDS", "numpy")
    monkeypatch.setenv("WORKFLOW", "rnn-parity")

    def ran(name: str) -> subprocess.CompletedProcess[str]:
        script = ["bash", "-eo", "pipefail", "-c", steps()[name]["run"]]
        return subprocess.run(
            script, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return ran


def test_it_is_a_workflow_with_the_least_permissions_and_no_secret() -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    whole = yaml.safe_load(text)
    assert whole["permissions"] == {"actions": "read", "contents": "read"}
    assert "secrets." not in text
    scripts = [step["run"] for step in steps().values() if "run" in step]
    assert not any("${{" in script for script in scripts)  # names become no commands


def test_what_follows_a_failed_run_is_done_all_the_same() -> None:
    names = list(steps())
    after = names[names.index("Run") + 1 :]
    assert len(after) == 4
    assert all("!cancelled()" in steps()[name]["if"] for name in after)


def test_a_regression_fails_the_step_and_stands_in_the_summary(
    bash: Any, tmp_path: Path, saved_run: RunFolder
) -> None:
    shutil.copytree(saved_run.path, tmp_path / "main")
    (tmp_path / "run-id").write_text("7\n")
    broken = replace(plant(INFO, "kernel transposed"), name="numpy")
    cases = catalogue.select(["notebook"], ["basic"], [])
    judge_and_write(
        compute(cases, [broken], tmp_path / "parity-report", jobs=1, timeout=60)
    )
    assert bash("Summary").returncode == 0
    assert bash("Download the main branch's report").returncode == 0
    done = bash("Compare with the main branch")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("✗ regressed numpy notebook-basic-f32")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.index("# rnn-parity: 0 of 1") < summary.index("# What moved: 1 reg")
    assert (tmp_path / "parity-report/moved.html").is_file()


def test_a_healthy_run_passes_with_and_without_a_report_of_the_main_branch(
    bash: Any, tmp_path: Path
) -> None:
    assert bash("Run").returncode == 0
    (tmp_path / "run-id").write_text("")
    assert "::notice::" in bash("Download the main branch's report").stdout
    assert bash("Compare with the main branch").returncode == 0
    shutil.copytree(tmp_path / "parity-report", tmp_path / "main")
    (tmp_path / "run-id").write_text("7\n")
    assert bash("Download the main branch's report").returncode == 0
    done = bash("Compare with the main branch")
    assert "nothing regressed; 4 of 4 unchanged" in done.stdout
    assert done.returncode == 0
