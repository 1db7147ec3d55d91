"""What the certificate costs: its time beside the frameworks' own, and its memory.

`python -m benchmarks.cost [BACKENDS]` computes large cases on every backend, each in a
worker process of its own, certifies what they return, and prints two Markdown tables.
A round runs everything once, so that what else the machine does falls on all alike.
"""

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.quiet import settle
from benchmarks.tables import head, row
from rnn_parity.judge.allocator import keep_memory
from rnn_parity.judge.certify import certify_steps
from rnn_parity.runs.registry import absence, known_backends
from rnn_parity.workers.process import Worker
from rnn_parity_core import BackendInfo, Outcome, Problem
from rnn_parity_core.arrays import unpack
from rnn_parity_fixtures import catalogue

_BACKENDS = "numpy,tensorflow,tensorflow:v1,torch,jax,jax:eager"
_CELLS = ("rnn_tanh", "gru", "lstm")
_UNITS = (128, 256)
_STEPS = (128, 256)
_ROUNDS = 3
_TIMEOUT = 600.0  # seconds for one case

Workers = dict[str, tuple[BackendInfo, Worker]]
"""Backend → what is known of it, and a worker that has it loaded."""


def main() -> None:
    """Print both tables, line by line."""
    keep_memory()  # as the command line does
    names = (sys.argv[1] if len(sys.argv) > 1 else _BACKENDS).split(",")
    infos = [known_backends()[name] for name in names]
    for info in infos:
        if reason := absence(info):
            print(f"{info.name}: {reason}", file=sys.stderr)
    with started([info for info in infos if not absence(info)]) as workers:
        head("forward seconds", *workers, "slowest", "certificate", "times slowest")
        for cell in _CELLS:
            for units in _UNITS:
                row(*_times(_problem(cell, _STEPS[-1], units), workers))
        print()
        per_element = [f"T = {steps}: bytes each" for steps in _STEPS]
        head("memory of the certificate, by B T H", *per_element)
        for cell in _CELLS:
            problems = [_problem(cell, steps, _UNITS[-1]) for steps in _STEPS]
            row(cell, *(f"{_bytes_each(p, workers):.0f}" for p in problems))


@contextmanager
def started(infos: list[BackendInfo]) -> Iterator[Workers]:
    """Start a worker for each backend."""
    with tempfile.TemporaryDirectory() as logs, ExitStack() as stack:
        workers = {}
        for number, info in enumerate(infos):
            worker = Worker(Path(logs) / f"{number}.log")
            stack.callback(worker.close)
            worker.load(info)
            workers[info.name] = info, worker
        yield workers


def _problem(cell: str, steps: int, units: int) -> Problem:
    name = f"{cell}-dynamic-B64-T{steps}-D128-H{units}-f32-s9"
    return catalogue.build(catalogue.case_from_id(name))


def forward(name: str, problem: Problem, workers: Workers) -> tuple[Outcome, float]:
    """Compute a problem on a backend, and say in how many seconds."""
    kind, *rest = workers[name][1].run(name, problem, _TIMEOUT)
    if kind != "outcome":
        raise SystemExit(f"{name} {problem.case.id}: {rest[0]}")
    return unpack(rest[0], name)[0], rest[1]


def _times(problem: Problem, workers: Workers) -> list[str]:
    """Give a row: every backend's median, the certificate's, and how they compare."""
    case, certificate = problem.case, []
    able = [name for name, (info, _) in workers.items() if not info.gap(case)]
    taken: dict[str, list[float]] = {name: [] for name in able}
    for name in able:
        forward(name, problem, workers)  # compiles
    for _ in range(_ROUNDS):
        latest = {}
        for name, seconds in taken.items():
            settle()
            latest[name], took = forward(name, problem, workers)
            seconds.append(took)
        slowest = max(taken, key=lambda name: taken[name][-1])
        accuracy = workers[slowest][0].accuracy_for(case)
        settle()
        start = time.perf_counter()
        certify_steps(problem, latest[slowest], accuracy)
        certificate.append(time.perf_counter() - start)
    medians = {name: median(seconds) for name, seconds in taken.items()}
    slowest = max(medians, key=medians.__getitem__)
    ratio = median(certificate) / medians[slowest]
    times = [f"{medians[name]:.2f}" if name in able else "gap" for name in workers]
    name = f"{case.cell}, H = {case.units}"
    return [name, *times, slowest, f"{median(certificate):.2f}", f"{ratio:.1f}"]


def _bytes_each(problem: Problem, workers: Workers) -> float:
    """Give the largest memory of a certificate for each element of B T H."""
    name = next(iter(workers))
    outcome, _ = forward(name, problem, workers)
    accuracy = workers[name][0].accuracy_for(problem.case)
    tracemalloc.start()
    certify_steps(problem, outcome, accuracy)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    case = problem.case
    return peak / (case.batch * case.steps * case.units)


if __name__ == "__main__":
    main()
