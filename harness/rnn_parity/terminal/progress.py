"""What is being computed, how far it is, and what already failed."""

from collections import Counter
from functools import partial
from typing import Self

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from rnn_parity.runs.observer import RunObserver
from rnn_parity.store.record import Entry, RunRecord
from rnn_parity_core import clean
from rnn_parity_reports.results import Result

_MOST_WORDS = 60
_START, _CASE = 4.0, 0.12
"""Seconds that a framework takes to start, and a small case to be computed and judged,
by one of two processors."""
_LONG = 60.0


def bars(console: Console) -> Progress:
    """Give bars that have a name each; silent off a terminal, cleared at the end."""
    return Progress(
        TextColumn("[bold]{task.fields[name]}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _say_how_long(console: Console, totals: dict[str, int], jobs: int) -> None:
    """Say how long a run of small cases takes, by experience, if that is long."""
    if not jobs:
        return
    seconds = (len(totals) * _START + sum(totals.values()) * _CASE) / jobs
    if seconds > _LONG:
        results = f"{sum(totals.values()):,} results"
        minutes = f"some {max(1, round(seconds / 60))} min"
        console.print(f"{results}, {minutes}; of large networks more", style="dim")


class RunProgress(RunObserver):
    """A bar for each backend, then one for judging; silent off a terminal.

    Args:
        console: Where it is shown; cleared at the end.
        totals: Backend → how many problems it is to compute.
        jobs: Workers at a time, where it is to be said how long that takes.

    """

    def __init__(self, console: Console, totals: dict[str, int], jobs: int = 0) -> None:
        self._how_long = partial(_say_how_long, console, totals, jobs)
        self._progress = bars(console)
        self._tasks = {
            name: self._progress.add_task(
                "[dim]waits", name=escape(clean(name)), total=total, start=False
            )
            for name, total in totals.items()
        }
        self._errors: Counter[str] = Counter()
        self._failed = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()

    def shown(self) -> RenderableType:
        """Give what is on the screen now."""
        return self._progress.get_renderable()

    def on_run_start(self, record: RunRecord) -> None:  # noqa: ARG002 - a hook
        """Say how long the run will take, now that its folder is ready."""
        self._how_long()

    def on_case_start(self, backend: str, case: str) -> None:
        """Show the case that a backend is at."""
        self._progress.start_task(self._tasks[backend])
        self._describe(self._tasks[backend], case, self._errors[backend], "error")

    def on_case_end(self, entry: Entry) -> None:
        """Count one more result of a backend."""
        self._errors[entry.backend] += entry.status == "error"
        task = self._tasks[entry.backend]
        self._progress.start_task(task)
        self._progress.advance(task)
        self._describe(task, entry.case, self._errors[entry.backend], "error")

    def on_judging_start(self, backend: str, case: str) -> None:
        """Show whose outcome is judged: of a large layer it takes long."""
        task = self._judging()
        if not self._failed:
            self._describe(task, f"{backend} {case}", 0, "differ")

    def on_judged(self, results: list[Result], total: int) -> None:
        """Count one more case of `total` that was judged, and who failed in it."""
        task = self._judging()
        self._progress.update(task, total=total)
        bad = [result for result in results if result.verdict == "fail"]
        self._failed += len(bad)
        self._progress.advance(task)
        why = bad[0].explanations[:1] if bad else []
        last = [f"{bad[0].backend} {bad[0].case}", *why] if bad else []
        if last or not self._failed:
            words = "; ".join(last) or (results[0].case if results else "")
            self._describe(task, words, self._failed, "differ")

    def _judging(self) -> TaskID:
        """Give the bar of judging, which comes when that begins."""
        if "" not in self._tasks:
            self._tasks[""] = self._progress.add_task("", name="judging", total=None)
        return self._tasks[""]

    def _describe(self, task: int, words: str, trouble: int, noun: str) -> None:
        words = escape(clean(words)[:_MOST_WORDS])
        said = f"[bold red]{trouble} {noun}[/] " if trouble else ""
        self._progress.update(task, description=said + words)  # type: ignore[arg-type]
