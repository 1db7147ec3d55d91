"""What the command line and pytest do, as functions: a run, a comparison, a test."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rnn_parity.processes.guard import read_memory
from rnn_parity.runs.engine import check_timeout, default_jobs
from rnn_parity.runs.equivalence import Layer, Parity
from rnn_parity.runs.registry import select_backends
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.runs.upgrade import between_runs
from rnn_parity_core import Case, Cell
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.moved import Moved
from rnn_parity_reports.results import Report, Result


def run(  # noqa: PLR0913 - as many as a run has
    cases: str | Sequence[str] = "notebook",
    backends: str | Sequence[str] = (),
    out: str | Path | None = None,
    *,
    jobs: int = 0,
    timeout: float = TIMEOUT,
    memory: str = "",
    strict: bool = False,
    require_bound: bool = False,
) -> Report:
    """Run cases on backends, judge what they return, and write the report.

    Args:
        cases: Names of suites, or IDs of cases.
        backends: Names of backends, with settings as in `torch+threads=1`; without
            them all that are installed and need no request.
        out: Folder for the results; they are not kept without it.
        jobs: Workers at a time; 0: one a processor.
        timeout: Seconds for one case on one backend.
        memory: What a worker may hold: `4G`; any number of bytes without.
        strict: Whether what is inconclusive counts in suites, too.
        require_bound: Whether what an estimate alone finds consistent counts as
            inconclusive.

    Returns:
        The report. Its `exit_status` is 0 if nothing is wrong.

    Raises:
        UsageError: A name is unknown, or a backend cannot run here.
        FileError: The folder cannot be used.

    Example:
        >>> import rnn_parity as rp
        >>> report = rp.run("notebook", "numpy")
        >>> [result.verdict for result in report.results]
        ['pass', 'pass', 'pass', 'pass']

    """
    names = [cases] if isinstance(cases, str) else [*cases]
    selected = catalogue.select(names, [], [])
    infos = select_backends([backends] if isinstance(backends, str) else [*backends])
    check_timeout(timeout)
    by_id = not any(map(catalogue.is_suite, names))
    jobs, most = jobs or default_jobs(), read_memory(memory)
    with TemporaryDirectory(prefix="rnn-parity-") as path:
        folder = compute(
            *(selected, infos, Path(path if out is None else out)),
            jobs=jobs,
            timeout=timeout,
            memory=most,
            strict=strict or require_bound or by_id,
            require_bound=require_bound,
        )
        return judge_and_write(folder, jobs)


def compare(old: str | Path, new: str | Path) -> Moved:
    """Say what moved between two runs: verdicts, and the numbers themselves.

    Args:
        old: The folder of a run, or its report.json.
        new: That of a later one.

    Returns:
        What moved. Its `exit_status` is 1 if something regressed.

    Raises:
        FileError: One of them is no whole report, or its run is broken.
        UsageError: They have no case on a backend in common.

    """
    return between_runs(Path(old), Path(new))


def assert_equivalent(
    layer: Layer,
    *,
    case: str | Case | None = None,
    reference: str | Layer | None = None,
    cell: Cell | None = None,
    weights: Mapping[str, Any] | None = None,
    ulp: Mapping[str, float] | None = None,
) -> Result:
    """Run a layer of yours on a case; see that every step is right but for rounding.

    In pytest the fixture `parity` does the same, and keeps a reference's process for
    all tests.

    Args:
        layer: Called once, in this process, with the case's `Problem`; it returns
            `outputs` `[B, T, R * directions]` and final states `[L * directions, B, R
            or H]` by name, NumPy's or any framework's arrays.
        case: A `Case`, or the ID of one; of a cell that is given it may be left out.
        reference: A backend, or another layer, that must be right about the same
            problem, too.
        cell: One that is neither built in nor of a package.
        weights: Every weight of `Case.weight_shapes` by its full name; seeded ones
            without it.
        ulp: Function of the cell → by how many ulp that of the layer may err.

    Raises:
        AssertionError: The layer, or the reference, is not right, or nothing is shown.
        UsageError: A name or a weight is wrong, or the reference cannot run here.

    """
    __tracebackhide__ = True
    with Parity() as parity:
        return parity.assert_equivalent(
            layer, case=case, reference=reference, cell=cell, weights=weights, ulp=ulp
        )
