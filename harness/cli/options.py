"""What commands share: options, lists of names, how a run ends."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.results import Report

NONE_NAMED = "if none is named, all that are installed and need no request."

Cases = Annotated[str, typer.Option(metavar="A,B,…", help="Suites or case IDs.")]
Backends = Annotated[str, typer.Option(metavar="A,B,…", help=f"Backends; {NONE_NAMED}")]
Jobs = Annotated[
    int, typer.Option(min=0, help="Workers at a time; 0: one a processor.")
]


def split(names: str, option: str = "", example: str = "") -> list[str]:
    """Give the names of a list with commas.

    Raises:
        UsageError: There are none, and `option` may not be empty.

    """
    found = [name.strip() for name in names.split(",") if name.strip()]
    if option and not found:
        raise UsageError(f"{option} names nothing; for example: {option} {example}")
    return found


def finish(document: "Report", out: Path) -> None:
    """Show a report and exit with its status."""
    from harness.screen.common import console
    from harness.screen.report import show_report

    files = f"{out / 'report.html'} (also report.json, report.md, results.csv)"
    show_report(console(), document, files)
    raise typer.Exit(document.exit_status)
