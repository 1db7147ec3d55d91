"""What every screen needs: a console, a progress bar, styles, counts, headings."""

import os
import re
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from harness.errors import clean
from harness.folder import Entry

STYLES = {
    "pass": ("✓", "green"),
    "fail": ("✗", "red"),
    "gap": ("gap", "yellow"),
    "error": ("error", "magenta"),
    "absent": ("absent", "dim"),
}
LABEL_STYLES = {"verdict": "bold", "odd one": "bold red", "weak data": "yellow"}
CELL_WIDTH = 6
_WIDTH_OFF_TERMINAL = 140


def console(*, stderr: bool = False) -> Console:
    """Give a console that is wide enough for a table where no terminal sets a width."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _WIDTH_OFF_TERMINAL
    return made


class RunProgress:
    """A bar while backends compute, and what failed already; silent off a terminal."""

    def __init__(self, console: Console, total: int) -> None:
        self._progress = Progress(
            TextColumn("[bold]computing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting workers", total=total)
        self._trouble = 0

    def __enter__(self) -> "RunProgress":
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()

    def entry(self, entry: Entry) -> None:
        """Take one more result into the bar."""
        self._trouble += entry.status == "error"
        words = escape(clean(f"{entry.backend} {entry.case}"))
        if self._trouble:
            words += f" [bold magenta]{self._trouble} errors[/]"
        self._progress.update(self._task, advance=1, description=words)


def count(things: Iterable[object], noun: str) -> str:
    """Say how many of something there are."""
    number = len(list(things))
    return f"{number} {noun}" + ("" if number == 1 else "s")


def header(backend: str) -> Text:
    """Put a mode or label below its framework, so that six fit in 80 columns."""
    return Text(re.sub("(?<=.)(?=[:#])", "\n", clean(backend), count=1))
