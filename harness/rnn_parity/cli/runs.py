"""Commands about runs: run, compare, report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from rnn_parity.cli.options import (
    NONE_NAMED,
    Cases,
    Jobs,
    Memory,
    RequireBound,
    Strict,
    Timeout,
    finish,
    interruptible,
    no_file,
    only_with_resume,
    split,
    split_backends,
    write_out,
)

_WITH_RESUME = ("resume", "python", "host", "jobs")
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
    python: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATH",
            help="Another Python for one backend's worker, as in "
            "jax#old=/venvs/old/bin/python; may be given again.",
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=ssh:HOST",
            help="Another machine for one backend's worker, as in "
            "jax=ssh:me@gpu-box:22, where --python names a path; may be given again.",
        ),
    ] = None,
    variants: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Keep only these variants.")
    ] = None,
    dtypes: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="float32 or float64; a suite has its own."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(
        "parity-report"
    ),
    jobs: Jobs = 0,
    timeout: Timeout = 300.0,
    memory: Memory = "",
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Go on with a run that was cut short; its folder says what it is.",
        ),
    ] = None,
    *,
    strict: Strict = False,
    require_bound: RequireBound = False,
) -> None:
    """Run cases on backends, judge what they return, and write the report.

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
        _go_on(context, resume, python or (), host or (), jobs)
    names = split(cases, "--cases", "notebook")
    kept = split(variants, "--variants", "basic"), split(dtypes, "--dtypes", "float32")
    selected = catalogue.select(names, *kept)
    by_id = not any(map(catalogue.is_suite, names))
    infos = select_backends(split_backends(backends), python or (), host or ())
    check_timeout(timeout)
    jobs, most = jobs or default_jobs(), read_memory(memory)
    totals = {info.name: len(selected) for info in infos}
    progress = RunProgress(console(stderr=True), totals)
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
    finish(document, out)


def _go_on(
    context: typer.Context,
    out: Path,
    python: Sequence[str],
    host: Sequence[str],
    jobs: int,
) -> NoReturn:
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
    rest, jobs = pending(begun), jobs or default_jobs()
    done = {info.name for info in begun.record().infos} - rest.keys()
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
        document = judge_and_write(folder, jobs, progress, judges)
    finish(document, out)


def compare(
    old: Annotated[
        Path, typer.Argument(help="Folder of a saved run; with NEW, or its report.")
    ],
    new: Annotated[
        Path | None,
        typer.Argument(help="A later run's folder or report: say what moved."),
    ] = None,
    between: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Say what moved from backend A to B of OLD."),
    ] = None,
    form: Annotated[
        Literal["table", "markdown", "html", "json"],
        typer.Option("--format", help="How to say what moved."),
    ] = "table",
    out: Annotated[
        Path | None, typer.Option(help="File to write that to, not to print it.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes that judge; 0: one a processor.")
    ] = 0,
) -> None:
    """Judge a saved run again, or say what moved: OLD NEW, or OLD --between A,B.

    Needs no framework. Exit status: that of a run; of what moved 0 nothing regressed,
    1 a regression, 2 wrong usage or nothing in common.
    """
    from rnn_parity_core.errors import UsageError

    if new or between is not None:
        if jobs:
            raise UsageError("--jobs is for judging one run again; leave it out here")
        _say_what_moved(old, new, between, form, out)
    if form != "table" or out:
        raise UsageError(
            "--format and --out are for what moved; give two runs, OLD NEW, or print "
            f"this one: rnn-parity report {old} --format {form}"
        )
    from rnn_parity.runs.engine import default_jobs
    from rnn_parity.runs.run import judge_and_write
    from rnn_parity.store.folder import RunFolder
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.progress import RunProgress

    with interruptible(), RunProgress(console(stderr=True), {}) as progress:
        run = RunFolder(old)
        report = judge_and_write(run, jobs or default_jobs(), progress)
    finish(report, old)


def _say_what_moved(
    old: Path, new: Path | None, between: str | None, form: str, out: Path | None
) -> NoReturn:
    from rnn_parity.runs.upgrade import between_backends, between_runs
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.moved import show_moved
    from rnn_parity_core.errors import UsageError
    from rnn_parity_reports.moved_views import to_html, to_markdown
    from rnn_parity_reports.results import encode

    names = split(between, "--between", "jax#old,jax")
    if names and (new or len(names) != len(("A", "B"))):
        raise UsageError(
            f"--between {between} needs one run and two backends of it, as in: "
            "rnn-parity compare parity-report --between jax#old,jax"
        )
    moved = between_runs(old, new) if new else between_backends(old, *names)
    views = {"markdown": to_markdown, "html": to_html}
    if form == "table":
        no_file(out, "markdown, html or json")
        show_moved(console(), moved)
    else:
        text = views[form](moved) if form in views else encode(moved).decode()
        write_out(text.encode(), out)
    raise typer.Exit(moved.exit_status)


def report(
    path: Annotated[Path, typer.Argument(help="A report.json, or its folder.")],
    form: Annotated[
        Literal["table", "html", "markdown", "csv", "json", "junit", "parquet"],
        typer.Option("--format", help="What to print."),
    ] = "table",
    out: Annotated[
        Path | None, typer.Option(help="File to write it to; Parquet needs one.")
    ] = None,
) -> None:
    """Print a report again, in another form."""
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.report import show_report
    from rnn_parity_core.errors import UsageError
    from rnn_parity_reports.html import to_html
    from rnn_parity_reports.junit import to_junit
    from rnn_parity_reports.markdown import to_markdown
    from rnn_parity_reports.results import encode, read_report_document
    from rnn_parity_reports.write import to_csv

    if form == "parquet":
        from rnn_parity_reports.table import to_parquet

        if not out:
            raise UsageError("Parquet is binary; name a file: --out results.parquet")
        write_out(to_parquet(path), out)
        return
    document = read_report_document(path)
    if form == "table":
        no_file(out, "html, markdown, csv, json, junit or parquet")
        show_report(console(), document, str(path))
        return
    views = {"json": encode, "junit": to_junit}
    texts = {"html": to_html, "markdown": to_markdown, "csv": to_csv}
    data = texts[form](document).encode() if form in texts else views[form](document)
    write_out(data, out)
