"""Commands about runs: run, compare, report."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.options import NONE_NAMED, Cases, Jobs, finish, split

INTERRUPTED = 130  # what shells expect after Ctrl-C


def run(
    cases: Cases = "notebook",
    backends: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help=f"Backends, with settings as in torch+threads=1; {NONE_NAMED}",
        ),
    ] = "",
    variants: Annotated[
        str, typer.Option(metavar="A,B,…", help="Keep only these variants.")
    ] = "",
    dtypes: Annotated[
        str,
        typer.Option(metavar="A,B,…", help="float32 or float64; a suite has its own."),
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(
        "parity-report"
    ),
    jobs: Jobs = 0,
    timeout: Annotated[
        float, typer.Option(help="Seconds for one case on one backend.")
    ] = 300.0,
) -> None:
    """Run cases on backends, judge what they return, and write the report.

    Exit status: 0 all pass, 1 a difference, 2 wrong usage or nothing compared, 3 a
    backend crashed or hung.
    """
    from fixtures import catalogue
    from harness.run.engine import check_timeout, default_jobs
    from harness.run.registry import select_backends
    from harness.screen.common import console
    from harness.screen.progress import RunProgress
    from harness.session import compute, judge_and_write

    selected = catalogue.select(
        split(cases, "--cases", "notebook"), split(variants), split(dtypes)
    )
    infos = select_backends(split(backends))
    check_timeout(timeout)
    jobs = jobs or default_jobs()
    totals = {info.name: len(selected) for info in infos}
    try:
        with RunProgress(console(stderr=True), totals) as progress:
            folder = compute(
                selected,
                infos,
                out,
                jobs=jobs,
                timeout=timeout,
                watch=progress,
            )
            document = judge_and_write(folder, jobs, progress)
    except KeyboardInterrupt:
        sys.stderr.write(f"rnn-parity: interrupted; outcomes so far are in {out}\n")
        raise typer.Exit(INTERRUPTED) from None
    finish(document, out)


def compare(
    folder: Annotated[Path, typer.Argument(help="Folder of a saved run.")],
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes at a time; 0: one a processor.")
    ] = 0,
) -> None:
    """Judge saved outcomes again; needs no framework."""
    from harness.folder import RunFolder
    from harness.run.engine import default_jobs
    from harness.screen.common import console
    from harness.screen.progress import RunProgress
    from harness.session import judge_and_write

    with RunProgress(console(stderr=True), {}) as progress:
        run = RunFolder(folder)
        report = judge_and_write(run, jobs or default_jobs(), progress)
    finish(report, folder)


def report(
    path: Annotated[Path, typer.Argument(help="A report.json, or its folder.")],
    form: Annotated[
        Literal["table", "html", "markdown", "csv", "json"],
        typer.Option("--format", help="What to print."),
    ] = "table",
) -> None:
    """Print a report again, in another form."""
    from harness.results import encode, read_report_document
    from harness.screen.common import console
    from harness.screen.report import show_report
    from reports.html import to_html
    from reports.markdown import to_markdown
    from reports.write import to_csv

    document = read_report_document(path)
    if form == "table":
        show_report(console(), document, str(path))
    else:
        views = {"html": to_html, "markdown": to_markdown, "csv": to_csv}
        text = views[form](document) if form in views else encode(document).decode()
        sys.stdout.write(text)
