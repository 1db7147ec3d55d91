"""How a sweep scales: the same one with one local Dask worker a backend and with two.

`python -m benchmarks.scaling [SUITE] [BACKENDS] [ROUNDS]` runs whole commands, a round
each way in turn, so that what else the machine does falls on both alike, and prints a
Markdown table. Processor seconds are those of all processes: where they stay the same,
it is the machine that has no second processor free.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

_SUITE, _BACKENDS, _ROUNDS = "random:2000:1", "numpy", "1"
_WORKERS = (1, 2)


def main() -> None:
    """Print the table."""
    words = (*sys.argv[1:], *(_SUITE, _BACKENDS, _ROUNDS)[len(sys.argv) - 1 :])
    suite, backends, rounds = words
    seconds: dict[int, list[float]] = {workers: [] for workers in _WORKERS}
    processors: dict[int, list[float]] = {workers: [] for workers in _WORKERS}
    for _ in range(int(rounds)):
        for workers in _WORKERS:
            taken, used = _swept(suite, backends, workers)
            seconds[workers].append(taken)
            processors[workers].append(used)
    print("| workers a backend | seconds | processor seconds |")
    print("| --- | --- | --- |")
    for workers in _WORKERS:
        taken, used = median(seconds[workers]), median(processors[workers])
        print(f"| {workers} | {taken:.1f} | {used:.1f} |")
    one, two = (median(seconds[workers]) for workers in _WORKERS)
    print(f"\n{suite} on {backends}: {one / two:.2f} times as quick with two")


def _swept(suite: str, backends: str, workers: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = ("--out", str(Path(folder) / "sweep"))
        begun, before = time.perf_counter(), _processor_seconds()
        subprocess.run(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "rnn_parity", "sweep", suite),
                *("--backends", backends, "--workers", str(workers), *out),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - begun, _processor_seconds() - before


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
