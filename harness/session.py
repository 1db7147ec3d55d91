"""A whole run, for every face: choose, compute, judge, write."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

import harness
from fixtures import catalogue
from harness.backend import BackendInfo
from harness.folder import RunFolder, RunRecord
from harness.judge.saved import judge
from harness.results import Environment, Report
from harness.run.engine import Engine
from harness.spec import Case, Problem
from harness.watch import Watch
from reports.write import write_views


def compute(
    cases: list[Case],
    infos: list[BackendInfo],
    out: Path,
    *,
    jobs: int,
    timeout: float,
    watch: Watch | None = None,
) -> RunFolder:
    """Compute cases on backends into a folder, without judging them.

    Raises:
        FileError: The folder cannot be used.

    """
    problems = [catalogue.build(case) for case in cases]
    return compute_problems(
        problems, infos, out, jobs=jobs, timeout=timeout, watch=watch
    )


def compute_problems(  # noqa: PLR0913 - as many as a run has
    problems: list[Problem],
    infos: list[BackendInfo],
    out: Path,
    *,
    jobs: int,
    timeout: float,
    watch: Watch | None = None,
    verify: Sequence[str] = (),
) -> RunFolder:
    """Compute problems, as `compute` does cases.

    Args:
        problems: Whatever built them.
        infos: The backends.
        out: Folder for the results.
        jobs: Workers at a time.
        timeout: Seconds for one problem on one backend.
        watch: Told of what begins and ends.
        verify: Arguments of `rnn-parity verify` that do this again.

    Raises:
        FileError: The folder cannot be used.

    """
    folder = RunFolder(out)
    record = begin(folder, problems, infos, verify=verify)
    engine = Engine(folder, jobs=jobs, timeout=timeout, watch=watch or Watch())
    entries = engine.run(infos, problems)
    said = {i.name: engine.records[i.name] for i in infos if i.name in engine.records}
    folder.write_record(replace(record, backends=said, entries=entries))
    return folder


def begin(
    folder: RunFolder,
    problems: list[Problem],
    infos: list[BackendInfo],
    left_out: Sequence[tuple[str, str]] = (),
    verify: Sequence[str] = (),
) -> RunRecord:
    """Make a folder ready for a run, and write what is to be computed.

    Raises:
        FileError: The folder cannot be used.

    """
    folder.prepare()
    record = RunRecord(
        "rnn-parity.run/1",
        describe_environment(),
        [problem.case for problem in problems],
        infos,
        backends={},
        entries=[],
        left_out=list(left_out),
        verify=list(verify),
    )
    # Written first too, so that a run which is cut short is known for one.
    folder.write_record(record)
    for problem in problems:
        folder.write_problem(problem)
    return record


def judge_and_write(
    folder: RunFolder, jobs: int = 1, watch: Watch | None = None
) -> Report:
    """Judge a saved run and write report.json and its views into its folder.

    Args:
        folder: The run's.
        jobs: Processes that judge, at most.
        watch: Told of each case as it is judged.

    Raises:
        FileError: The run is broken, or its folder cannot be written.

    """
    report = judge(folder, jobs, watch)
    write_views(report, folder)
    return report


def describe_environment() -> Environment:
    """Say where a run is made; nothing in it moves a number by itself."""
    return Environment(
        rnn_parity=harness.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu(),
        threads=os.cpu_count() or 0,
        commit=_commit(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git is used here
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None if asked.returncode == 0 else None
