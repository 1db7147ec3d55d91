"""How commands say what came of them: for people, or as JSON for programs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from rnn_parity_core import UsageError
from rnn_parity_core.files import write_named

if TYPE_CHECKING:
    from rnn_parity_reports.results import Report

Form = Annotated[
    Literal["table", "json"],
    typer.Option("--format", metavar="FORM", help="table, or json for programs."),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show every row, however many.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show what differs and the verdict alone.")
]


def print_json(value: Any) -> None:
    """Print a value as JSON that a person can read, too."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(_plain(value)), indent=2)
    write_out(text + b"\n", None)


def _plain(value: Any) -> Any:
    """Give named tuples as objects, not as lists."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(name): _plain(of) for name, of in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(of) for of in value]
    return value


def no_file(out: Path | None, forms: str) -> None:
    """See that no file was named for what is only shown.

    Raises:
        UsageError: One was.

    """
    if out:
        raise UsageError(f"--out {out} needs --format {forms}: a table is only shown")


def write_out(data: bytes, out: Path | None) -> None:
    """Write a view into a file, or print it.

    Raises:
        FileError: The file cannot be written.

    """
    if not out:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)  # in UTF-8, as in a file, whatever the terminal's
        return
    write_named(out, data)


def finish(
    document: "Report", out: Path, form: str, *, verbose: bool, quiet: bool
) -> NoReturn:
    """Show a report that lies in a folder, and exit with its status."""
    from rnn_parity.terminal.common import console
    from rnn_parity.terminal.report import show_report
    from rnn_parity_reports.results import encode

    if form == "json":
        write_out(encode(document), None)
    else:
        others = "report.json, report.md, results.csv, junit.xml"
        files = f"{out / 'report.html'} (also {others})"
        show_report(console(), document, files, verbose=verbose, quiet=quiet)
    raise typer.Exit(document.exit_status)
