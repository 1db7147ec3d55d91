"""How the time of a case grows with batch, steps and units, beside the frameworks' own.

`python -m benchmarks.growth [BACKENDS]` computes an LSTM of growing B, T and H on each
backend and certifies what comes back, and fits seconds = a size^p to each: the slope in
logarithms. Prints a Markdown table of exponents.
"""

import sys
import time
from math import log

from benchmarks.cost import Workers, forward, started
from benchmarks.tables import head, row
from rnn_parity.judge.allocator import keep_memory
from rnn_parity.judge.certify import certify_steps
from rnn_parity.runs.registry import absence, known_backends
from rnn_parity_core import Problem
from rnn_parity_fixtures import catalogue

_BACKENDS = "numpy,tensorflow,tensorflow:v1,torch,jax"
_SIZES = (256, 512, 1024)
_USUAL = {"B": 64, "T": 128, "H": 128}
_ROUNDS = 3


def main() -> None:
    """Print the table."""
    keep_memory()  # as the command line does
    names = (sys.argv[1] if len(sys.argv) > 1 else _BACKENDS).split(",")
    infos = [known_backends()[name] for name in names]
    infos = [info for info in infos if not absence(info)]
    with started(infos) as workers:
        head("exponent of", *_USUAL)
        found = {axis: _seconds(axis, workers) for axis in _USUAL}
    for name in next(iter(found.values())):
        row(name, *(_exponent(found[axis][name]) for axis in _USUAL))


def _seconds(axis: str, workers: Workers) -> dict[str, list[float]]:
    """Give seconds by size, the least of rounds: other work only adds to them."""
    found: dict[str, list[float]] = {}
    for size in _SIZES:
        problem = _problem({**_USUAL, axis: size})
        for name in workers:
            forward(name, problem, workers)  # compiles
        rounds = [_round(problem, workers) for _ in range(_ROUNDS)]
        for name in rounds[0]:
            found.setdefault(name, []).append(min(of[name] for of in rounds))
    return found


def _problem(size: dict[str, int]) -> Problem:
    sizes = f"B{size['B']}-T{size['T']}-D64-H{size['H']}"
    return catalogue.build(catalogue.case_from_id(f"lstm-dynamic-{sizes}-f32-s9"))


def _round(problem: Problem, workers: Workers) -> dict[str, float]:
    """Run everything once."""
    took, outcomes = {}, {}
    for name in workers:
        outcomes[name], took[name] = forward(name, problem, workers)
    accuracy = workers[name][0].accuracy_for(problem.case)
    start = time.perf_counter()
    certify_steps(problem, outcomes[name], accuracy)
    took["certificate"] = time.perf_counter() - start
    return took


def _exponent(seconds: list[float]) -> str:
    """Give the slope of a straight line through logarithms."""
    points = [(log(size), log(of)) for size, of in zip(_SIZES, seconds, strict=True)]
    x, y = (sum(each) / len(points) for each in zip(*points, strict=True))
    spread = sum((a - x) ** 2 for a, _ in points)
    return f"{sum((a - x) * (b - y) for a, b in points) / spread:.2f}"


if __name__ == "__main__":
    main()
