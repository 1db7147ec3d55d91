"""The command that computes and judges: run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_parity.cli.options import (
    NONE_NAMED,
    Cases,
    Folder,
    Host,
    Jobs,
    Memory,
    Python,
    RequireBound,
    Strict,
    Timeout,
    interruptible,
    only_with_resume,
    split,
    split_backends,
)
from rnn_parity.cli.output import Form, Quiet, Verbose, finish
from rnn_parity_core.limits import TIMEOUT

if TYPE_CHECKING:
    from rnn_parity_reports.results import Report

_WITH_RESUME = ("resume", "python", "host", "jobs", "form", "verbose", "quiet")
"""Options that do not define a run, or that are given again to be held to it."""


def run(
    context: typer.Context,
    cases: Cases = "notebook",
    backends: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Backends, with settings as in torch+threads=1, or a second copy "
            f"as in jax#old; {NONE_NAMED}",
        ),
    ] = None,
    python: Python = None,
    host: Host = None,
    variants: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Keep only these variants.")
    ] = None,
    dtypes: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="float32 or float64; a suite has its own."),
    ] = None,
    out: Folder = Path("parity-report"),
    jobs: Jobs = 0,
    timeout: Timeout = TIMEOUT,
    memory: Memory = "",
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Go on with a run that was cut short; its folder says what it is.",
        ),
    ] = None,
    form: Form = "table",
    *,
    strict: Strict = False,
    require_bound: RequireBound = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Run cases on backends, and write a report.

    Exit status: 0 nothing is wrong, 1 a difference, 2 wrong usage or nothing compared,
    3 a backend crashed or hung, 4 inconclusive: nothing is shown of a case that was
    named by its ID, or with --strict of any.
    """
    from rnn_parity.processes.guard import read_memory
    from rnn_parity.runs.engine import check_timeout, default_jobs
    from rnn_parity.runs.judge_run import JudgePool
    from rnn_parity.runs.registry import select_backends
    from rnn_parity.runs.run import compute, judge_and_write
    from rnn_parity.store.folder import RunFolder
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.progress import RunProgress
    from rnn_parity_fixtures import catalogue

    if resume:
        report, out = _gone_on(context, resume, python or (), host or (), jobs), resume
        finish(report, out, form, verbose=verbose, quiet=quiet)
    names = split(cases, "--cases", "notebook")
    kept = split(variants, "--variants", "basic"), split(dtypes, "--dtypes", "float32")
    selected = catalogue.select(names, *kept)
    by_id = not any(map(catalogue.is_suite, names))
    infos = select_backends(split_backends(backends), python or (), host or ())
    check_timeout(timeout)
    jobs, most = jobs or default_jobs(), read_memory(memory)
    totals = {info.name: len(selected) for info in infos}
    told = jobs if form == "table" and not quiet else 0
    progress = RunProgress(console(stderr=True), totals, told)
    judges = JudgePool(RunFolder(out), jobs, progress)
    with interruptible(out), progress, judges:
        folder = compute(
            *(selected, infos, out),
            jobs=jobs,
            timeout=timeout,
            memory=most,
            strict=strict or require_bound or by_id,
            require_bound=require_bound,
            observer=judges,
        )
        document = judge_and_write(folder, jobs, progress, judges)
    finish(document, out, form, verbose=verbose, quiet=quiet)


def _gone_on(
    context: typer.Context,
    out: Path,
    python: Sequence[str],
    host: Sequence[str],
    jobs: int,
) -> "Report":
    """Compute what is left of a run, and judge it.

    What a folder says is run by no program that it names: --python and --host are
    given again, and must be what they were; what is done asks for none.
    """
    from rnn_parity.runs.engine import default_jobs
    from rnn_parity.runs.judge_run import JudgePool
    from rnn_parity.runs.registry import named_backends
    from rnn_parity.runs.run import judge_and_write, pending, resume
    from rnn_parity.store.folder import RunFolder
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.progress import RunProgress

    only_with_resume(context, _WITH_RESUME)
    begun = RunFolder(out)
    record = begun.record()
    rest, jobs = pending(begun, record), jobs or default_jobs()
    done = {info.name for info in record.infos} - rest.keys()
    ends = tuple(f"{name}=" for name in done)
    python, host = (
        [words for words in asked if not words.startswith(ends)]
        for asked in (python, host)
    )
    infos = named_backends(rest, python, host)
    totals = {name: len(cases) for name, cases in rest.items()}
    progress = RunProgress(console(stderr=True), totals)
    judges = JudgePool(begun, jobs, progress)
    with interruptible(out), progress, judges:
        folder = resume(out, infos, jobs=jobs, observer=judges)
        return judge_and_write(folder, jobs, progress, judges)
