"""Adapters with planted faults, and Dask started by hand, for tests of sweeps."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[1]

ADAPTERS = """
import os, signal, time
from msgspec.structs import replace
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_numpy.adapter import NumpyBackend

class Wrong(NumpyBackend):
    def run(self, problem):
        outcome = super().run(problem)
        case = problem.case
        if case.cell == "gru" and case.task == "forward" and "outputs" in outcome:
            if case.steps >= 3 and case.output_size >= 2 and "tokens" not in outcome:
                outcome["outputs"][0, 2, 1] += 1
        return outcome

class Deadly(NumpyBackend):
    # Takes with it the Dask worker that asked for it.
    def run(self, problem):
        if problem.case.seed == 13:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return super().run(problem)

class Versioned(NumpyBackend):
    def versions(self):
        return {"numpy": os.environ["SWEEP_VERSION"]}

class Slow(NumpyBackend):
    def run(self, problem):
        time.sleep(0.05)
        return super().run(problem)

class Gone(NumpyBackend):
    def __init__(self):
        raise RuntimeError("no licence here")

wrong, deadly, versioned, slow, gone = (
    replace(INFO, name=name, adapter=f"sweep_rnn:{name.capitalize()}", on_request="x")
    for name in ("wrong", "deadly", "versioned", "slow", "gone")
)
"""
NAMES = ("wrong", "deadly", "versioned", "slow", "gone")


def install(path: Path) -> dict[str, str]:
    """Make a package with faulty adapters, and give the environment that finds it."""
    metadata = path / "sweep_rnn-1.0.dist-info"
    metadata.mkdir()
    (path / "sweep_rnn.py").write_text(ADAPTERS)
    (metadata / "METADATA").write_text("Name: sweep-rnn\nVersion: 1.0\n")
    points = [f"{name} = sweep_rnn:{name}" for name in NAMES]
    (metadata / "entry_points.txt").write_text(
        "[rnn_parity.backends]\n" + "\n".join(points) + "\n"
    )
    return {**os.environ, "PYTHONPATH": f"{path}", "SWEEP_VERSION": "1"}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "rnn_parity", "sweep", *map(str, arguments)]


def swept(
    env: dict[str, str], *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def frame(out: Path) -> pd.DataFrame:
    """Give all rows of a sweep, as a user reads them."""
    return pd.read_parquet(out / "parts").sort_values(["backend", "number"])


def wait_for(what: Any, seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.05)


class Dask:
    """A scheduler and workers, each a process of its own, started by hand."""

    def __init__(self, env: dict[str, str], path: Path) -> None:
        self._env, self._path = env, path
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._started(
            *("scheduler", "--host", "127.0.0.1", "--port", "0"),
            *("--scheduler-file", path / "dask.json", "--no-dashboard"),
        )
        wait_for((path / "dask.json").exists)
        said = pd.read_json(path / "dask.json", typ="series")
        self.address = str(said["address"])

    def worker(self, tags: str, **env: str) -> subprocess.Popen[bytes]:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        place = ("--host", "127.0.0.1", "--local-directory", self._path)
        return self._started(
            "worker", self.address, *options, *place, "--resources", tags, **env
        )

    def _started(self, *words: str | Path, **env: str) -> subprocess.Popen[bytes]:
        with (self._path / "dask.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *map(str, words)],
                cwd=ROOT,
                env={**self._env, **env},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process


@contextmanager
def dask(env: dict[str, str], path: Path) -> Iterator[Dask]:
    """Start a scheduler, and end it and its workers afterwards."""
    started = Dask(env, path)
    try:
        yield started
    finally:
        for process in started.processes:
            process.kill()
            process.wait()
