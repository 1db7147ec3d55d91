"""What comparing two saved runs takes, however large they are.

`python -m benchmarks.large_runs [GIB]` writes two runs of so many outcomes of a GiB
into a temporary folder, one number of the second moved, compares them by
`rnn-parity compare OLD NEW`, and prints what its process held at most. The outcomes
are written here, not computed: what is compared is files.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rnn_parity.runs.run import begin, new_record
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry, JournalLine
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import Case
from rnn_parity_core.arrays import pack
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Report, Result, encode, summarize

_GIB = 2**30

# What waiting for a process says of its memory counts that of its parent, too, from
# before it became another program.
_PROGRAM = """
import atexit, pathlib, runpy, sys
def tell():
    status = pathlib.Path("/proc/self/status").read_text()
    print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
atexit.register(tell)
runpy.run_module("rnn_parity", run_name="__main__", alter_sys=True)
"""


def main() -> None:
    """Print one line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    cases = [
        catalogue.case_from_id(f"rnn_tanh-dynamic-B64-T4096-D1-H1024-f32-s{seed}")
        for seed in range(1, count + 1)
    ]
    with tempfile.TemporaryDirectory(prefix="rnn-parity-") as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        write_run(old, cases)
        write_run(new, cases, moved=1)
        begun = time.perf_counter()
        most, said = compared(old, new)
        seconds = time.perf_counter() - begun
        size = sum(path.stat().st_size for path in old.rglob("*.safetensors"))
    print(said.strip())
    print(
        f"two runs of {size / _GIB:.1f} GiB: {most / 2**20:.0f} MiB at most, "
        f"{seconds:.1f} s"
    )


def write_run(path: Path, cases: list[Case], moved: int = 0) -> None:
    """Write a run of cases that all pass, with the same numbers every time.

    Args:
        path: Folder to write it to.
        cases: What it is of.
        moved: Outcomes, the first ones, in which one number is another.

    """
    folder = RunFolder(path)
    begin(folder, new_record(cases, [INFO], timeout=60, memory=0))
    for number, case in enumerate(cases):
        folder.write_problem(catalogue.build(case))
        random = np.random.default_rng(number)
        arrays = {
            name: random.random(shape, np.float32)
            for name, shape in case.output_shapes().items()
        }
        arrays["outputs"][-1, -1, -1] += number < moved
        data = pack(arrays, {"case": case.id})
        folder.write_outcome(INFO.name, case.id, data)
        folder.journal.append(JournalLine(entry=Entry(case.id, INFO.name, "done")))
    record = folder.record()
    folder.finish(record)
    results = [Result(case.id, INFO.name, "pass", bound_ratio=0.1) for case in cases]
    report = Report(
        schema="rnn-parity.report/2",
        environment=record.environment,
        backends={},
        results=results,
        pairs=[],
        outliers={},
        summary=summarize(results),
        cases=cases,
    )
    folder.write("report.json", encode(report))


def compared(old: Path, new: Path) -> tuple[int, str]:
    """Compare two runs in a process; give the most bytes it held, and what it said."""
    command = [sys.executable, "-c", _PROGRAM, "compare", str(old), str(new)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return int(done.stderr.split()[-1]) * 1024, done.stdout


if __name__ == "__main__":
    main()
