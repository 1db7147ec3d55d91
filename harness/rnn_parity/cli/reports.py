"""Commands about what was run: compare, report."""

from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from rnn_parity.cli.options import interruptible, split, whole
from rnn_parity.cli.output import Quiet, Verbose, finish, no_file, write_out


def compare(
    old: Annotated[
        Path,
        typer.Argument(
            metavar="OLD", help="Folder of a saved run; with NEW, or its report."
        ),
    ],
    new: Annotated[
        Path | None,
        typer.Argument(
            metavar="NEW", help="A later run's folder or report: say what moved."
        ),
    ] = None,
    between: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Say what moved from backend A to B of OLD."),
    ] = None,
    form: Annotated[
        Literal["table", "markdown", "html", "json"],
        typer.Option("--format", metavar="FORM", help="table, markdown, html or json."),
    ] = "table",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to write what moved, not to print it."
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            parser=whole(0),
            metavar="N",
            help="Processes that judge; 0: one a processor.",
        ),
    ] = 0,
    *,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Judge a saved run again, or say what moved.

    OLD NEW says what moved between two runs, OLD --between A,B between two backends.

    Needs no framework. Exit status: that of a run; of what moved 0 nothing regressed,
    1 a regression, 2 wrong usage or nothing in common.
    """
    from rnn_parity_core import UsageError

    if new or between is not None:
        if jobs:
            raise UsageError("--jobs is for judging one run again; leave it out here")
        _say_what_moved(old, new, between, form, out)
    if form in {"markdown", "html"} or out:
        raise UsageError(
            "--out, markdown and html are for what moved; give two runs, OLD NEW, or "
            f"print this one: rnn-parity report {old} --format {form}"
        )
    from rnn_parity.runs.engine import default_jobs
    from rnn_parity.runs.run import judge_and_write
    from rnn_parity.store.folder import RunFolder
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.progress import RunProgress

    with interruptible(), RunProgress(console(stderr=True), {}) as progress:
        run = RunFolder(old)
        report = judge_and_write(run, jobs or default_jobs(), progress)
    finish(report, old, form, verbose=verbose, quiet=quiet)


def _say_what_moved(
    old: Path, new: Path | None, between: str | None, form: str, out: Path | None
) -> NoReturn:
    from rnn_parity.runs.upgrade import between_backends, between_runs
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.moved import show_moved
    from rnn_parity_core import UsageError
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
    path: Annotated[
        Path, typer.Argument(metavar="REPORT", help="A report.json, or its folder.")
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORM",
            help="table, html, markdown, csv, json, junit or parquet.",
        ),
    ] = "table",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write it; Parquet needs one."),
    ] = None,
    *,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Print a report again, in another form."""
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.report import show_report
    from rnn_parity_core import UsageError, unknown_name
    from rnn_parity_reports.formats import formats
    from rnn_parity_reports.results import read_report_document

    known = formats()
    if form != "table" and form not in known:
        raise unknown_name("format", form, ["table", *known])
    if form != "table" and known[form].is_binary and not out:
        raise UsageError(f"{form} is binary; name a file: --out results.{form}")
    document = read_report_document(path)
    if form == "table":
        no_file(out, ", ".join(known))
        show_report(console(), document, str(path), verbose=verbose, quiet=quiet)
        return
    write_out(known[form].render(document), out)
