"""How many results a second, beside the test that somebody would write first.

`python -m benchmarks.throughput [ROUNDS] [CASES]` takes the cases of the `standard`
suite that the frameworks' own layers do, or so many of them, and runs three things by
turns, each a process of its own, imports and all: `benchmarks/plain/test_plain.py`;
`rnn-parity run` on the same cases and backends with nothing kept from earlier runs; and
the same again, with what JAX compiled before. Of the two runs it then says where the
seconds of processors go: adapters measure themselves for that. Prints Markdown tables.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.run_time import took
from benchmarks.tables import head, row
from benchmarks.timed import said, timed
from rnn_parity.runs.engine import default_jobs
from rnn_parity.runs.registry import select_backends
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity_core import Case
from rnn_parity_core.cache_dir import CACHE
from rnn_parity_core.cases import spread
from rnn_parity_fixtures import catalogue

BACKENDS = ("tensorflow", "tensorflow:v1", "torch", "jax")
_ROUNDS = 3
_CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru")
_VARIANTS = ("static", "static_single", "dynamic", "variable_input")
_ROOT = Path(__file__).parents[1]
_TEST = Path(__file__).parent / "plain" / "test_plain.py"
_ALL = 10_000  # more cases than there are


def main() -> None:
    """Print the tables, or be the run that measures itself."""
    if sys.argv[1:2] == ["--where"]:
        print(json.dumps(_where(Path(sys.argv[2]), sys.argv[3])))
        return
    given = [int(word) for word in sys.argv[1:]]
    rounds, count = (*given, *(_ROUNDS, _ALL)[len(given) :])
    cases = [case for case in catalogue.select(["standard"], [], []) if _is_plain(case)]
    with tempfile.TemporaryDirectory() as folder:
        _compare(spread(cases, count), rounds, Path(folder))


def _is_plain(case: Case) -> bool:
    """Whether the plain test does a case."""
    return (
        case.cell in _CELLS
        and case.variant in _VARIANTS
        and case.dtype in {"float32", "float64"}
        and case.task == "forward"
        and not (case.time_major or case.zero_length)
        and not (case.variant == "variable_input" and case.direction != "forward")
    )


def _compare(cases: list[Case], rounds: int, folder: Path) -> None:
    """Run both by turns, and print how many results each gives in a second."""
    ids, results = ",".join(case.id for case in cases), _write(cases, folder / "plain")
    out = str(folder / "report")
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    test += ["-c", os.devnull, "--rootdir", str(_TEST.parent), str(_TEST)]
    run = [sys.executable, "-m", "rnn_parity", "run", "--cases", ids]
    run += ["--backends", ",".join(BACKENDS), "--out", out]
    where = [sys.executable, "-m", "benchmarks.throughput", "--where", out, ids]
    seconds: dict[str, list[float]] = {"plain pytest": [], "run, first": []}
    seconds["run, again"] = []
    shares: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        plain = {"PLAIN_CASES": str(folder / "plain")}
        seconds["plain pytest"].append(took(test, plain).wall)
        with _kept() as kept:
            seconds["run, first"].append(took(run, kept).wall)
            seconds["run, again"].append(took(run, kept).wall)
    with _kept() as kept:
        for name in ("run, first", "run, again"):
            shares[name] = json.loads(took(where, kept).printed)
    head("", "seconds", "results", "results a second", "times plain pytest")
    for name, of in seconds.items():
        ratios = [p / s for p, s in zip(seconds["plain pytest"], of, strict=True)]
        rate = f"{results / median(of):.1f}"
        row(name, f"{median(of):.1f}", str(results), rate, f"{median(ratios):.1f}")
    print()
    head("seconds of processors", *shares["run, first"])
    for name, parts in shares.items():
        row(name, *(_with_share(s, sum(parts.values())) for s in parts.values()))
    print(f"\n{default_jobs()} processors; load {os.getloadavg()[0]:.1f}")


def _with_share(seconds: float, total: float) -> str:
    return f"{seconds:.1f} ({seconds / total:.0%})"


@contextmanager
def _kept() -> Iterator[dict[str, str]]:
    """Give a folder for what workers keep: empty now, gone at the end."""
    with tempfile.TemporaryDirectory() as kept:
        yield {CACHE: kept}


def _write(cases: list[Case], folder: Path) -> int:
    """Write problems for the plain test, and count the results that there are."""
    folder.mkdir()
    infos, results = select_backends([*BACKENDS]), 0
    for case in cases:
        able = [info.name for info in infos if not info.gap(case)]
        results += len(able)
        fields = {"cell": case.cell, "variant": case.variant, "layers": case.layers}
        fields |= {"directions": case.directions, "dtype": case.dtype, "backends": able}
        arrays = catalogue.build(case).arrays
        named = {**arrays, "case": np.array(json.dumps(fields))}
        np.savez(folder / f"{case.id}.npz", **named)  # type: ignore[arg-type] # no name is `allow_pickle`
    return results


def _where(out: Path, ids: str) -> dict[str, float]:
    """Compute and judge cases, and say where the seconds of processors went."""
    os.environ["PYTHONPATH"] = str(_ROOT)  # for the workers, to find `timed`
    cases = catalogue.select(ids.split(","), [], [])
    infos = select_backends([*BACKENDS])
    jobs = default_jobs()
    folder = compute(cases, [timed(i) for i in infos], out, jobs=jobs, timeout=300)
    workers = _children()
    judge_and_write(folder, jobs)
    judges = _children() - workers
    times = [said(folder.log(info.name)) for info in infos]
    parts = {
        "in the frameworks' calls": sum(of.ran for of in times),
        "importing the frameworks": sum(of.imported for of in times),
        "the rest of workers": workers - sum(of.ran + of.imported for of in times),
        "judging, in processes of its own": judges,
        "the main process": time.process_time(),
    }
    return {name: round(seconds, 2) for name, seconds in parts.items()}


def _children() -> float:
    """Give the seconds of processors that ended child processes took."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


if __name__ == "__main__":
    main()
