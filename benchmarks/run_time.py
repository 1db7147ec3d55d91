"""How long a whole run takes, beside bare scripts that compute the same.

`python -m benchmarks.run_time [ROUNDS]` starts, in each round, one bare script for
every backend of the default job (`benchmarks/plain/notebook.py`), one after the other;
then `rnn-parity run` with nothing kept from earlier runs, and once more with what JAX
compiled in the one before: each a process of its own, imports and all. No run can be
quicker than the slowest script alone, nor than all scripts spread over the cores: the
larger of the two is the limit that it is held to. Prints two tables of medians.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from benchmarks.plain.notebook import LAYERS
from benchmarks.tables import head, row
from rnn_parity.runs.engine import default_jobs
from rnn_parity_core.cache_dir import CACHE
from rnn_parity_fixtures import catalogue

_ROUNDS = 5
_PLAIN = Path(__file__).parent / "plain" / "notebook.py"
_QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
_RUNS = ("run, first", "run, again")


class Took(NamedTuple):
    """Seconds of one process, and of all that it waited for; what it printed."""

    wall: float
    processors: float
    printed: str = ""


def main() -> None:
    """Print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    found: dict[str, list[Took]] = {name: [] for name in (*LAYERS, *_RUNS)}
    with tempfile.TemporaryDirectory() as folder:
        problems = _written(Path(folder) / "problems")
        bare = [sys.executable, str(_PLAIN)]
        run = [sys.executable, "-m", "rnn_parity", "run"]
        run += ["--out", str(Path(folder) / "report")]
        for number in range(rounds):
            kept = {CACHE: str(Path(folder) / f"kept-{number}")}
            for name in LAYERS:
                found[name].append(took([*bare, name, str(problems)], {}))
            for name in _RUNS:
                found[name].append(took(run, kept))
    _print_tables(found, default_jobs())


def _written(folder: Path) -> Path:
    """Write the notebook's problems as the bare scripts read them."""
    folder.mkdir()
    for case in catalogue.select(["notebook"], [], []):
        problem = catalogue.build(case)
        named = {n.rpartition(".")[2]: a for n, a in problem.arrays.items()}
        named["initial_h"] = named["initial_h"][0]
        published = problem.published["outputs"]
        named["published"] = published
        np.savez(folder / f"{case.variant}.npz", **named)  # type: ignore[arg-type] # no name is `allow_pickle`
    return folder


def took(command: list[str], environment: Mapping[str, str]) -> Took:
    """Run a command to its end, which must be a success."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - ours
        command,
        check=False,
        capture_output=True,
        text=True,
        env={**_QUIET, **environment},
    )
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise SystemExit(f"{command} ended with {done.returncode}: {said}")
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    return Took(wall, spent, done.stdout)


def _print_tables(found: dict[str, list[Took]], cores: int) -> None:
    """Print medians of every process; then each run's ratios, round by round."""
    head("", "seconds", "seconds of processors")
    for name, of in found.items():
        walls, spent = [t.wall for t in of], [t.processors for t in of]
        row(name, f"{median(walls):.2f}", f"{median(spent):.2f}")
    print()
    limits: dict[str, Callable[[list[Took]], float]] = {
        f"seconds, of the slowest script or a {cores}th of all": lambda scripts: max(
            *(t.wall for t in scripts), sum(t.wall for t in scripts) / cores
        ),
        "seconds of processors, of all scripts": lambda scripts: sum(
            t.processors for t in scripts
        ),
    }
    head("ratio", *_RUNS, "rounds")
    for (what, limit), field in zip(
        limits.items(), ("wall", "processors"), strict=True
    ):
        ratios: dict[str, list[float]] = {name: [] for name in _RUNS}
        for scripts in zip(*(found[name] for name in LAYERS), strict=True):
            for name in _RUNS:
                run = found[name][len(ratios[name])]
                ratios[name].append(getattr(run, field) / limit(list(scripts)))
        rounds = "; ".join(
            ", ".join(f"{ratio:.2f}" for ratio in of) for of in ratios.values()
        )
        row(what, *(f"{median(of):.2f}" for of in ratios.values()), rounds)
    print(f"\n{cores} processors; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
