"""Where a run is made: versions, machine, commit."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import rnn_parity
from rnn_parity_reports.results import Environment


def describe_environment() -> Environment:
    """Say where a run is made; nothing in it moves a number by itself."""
    return Environment(
        rnn_parity=rnn_parity.__version__,
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
