"""How a sweep goes, and what came of it."""

from collections import Counter
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rnn_parity.sweep.messages import SweepRow, again
from rnn_parity.sweep.pages import left_out
from rnn_parity.sweep.shrink import Shrunk
from rnn_parity.sweep.summary import medians, table
from rnn_parity.sweep.sweeping import SweepObserver, Whole
from rnn_parity.terminal.common import STYLES, count, show_facts, verdicts
from rnn_parity.terminal.progress import bars
from rnn_parity_core import clean
from rnn_parity_reports.results import BAD

_MOST_WORDS = 10


class SweepProgress(SweepObserver):
    """A bar for each backend; off a terminal only what is to be done about it.

    Args:
        console: Where it is shown; the bars are cleared at the end.

    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = bars(console)
        self._start = self._bars.add_task("starts workers", name="", total=None)
        self._tasks = {"": self._start}
        self._bad: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bars.stop()

    def begins(self, totals: dict[str, int], done: dict[str, int]) -> None:
        """Show a bar for each backend."""
        self._bars.update(self._start, visible=False)
        for name, total in totals.items():
            self._tasks[name] = self._bars.add_task(
                "", name=escape(clean(name)), total=total, completed=done.get(name, 0)
            )

    def answered(self, backend: str, rows: list[SweepRow]) -> None:
        """Count results of a backend."""
        bad = [r.result.verdict in BAD for r in rows]
        self._bad[backend] += sum(bad)
        words = escape(clean(rows[-1].result.case))
        if self._bad[backend]:
            words = f"[bold red]{self._bad[backend]} differ[/] {words}"
        self._bars.update(self._tasks[backend], advance=len(rows), description=words)

    def deserted(self, backend: str, command: str) -> None:
        """Say that nobody computes a backend any more, and what to do."""
        words = f"no Dask worker offers {backend} any more; waiting: {command}"
        self._console.print(Text(clean(words), "yellow"), soft_wrap=True)

    def staffed(self, backend: str) -> None:
        """Say that it goes on."""
        words = f"a Dask worker offers {backend} again; going on"
        self._console.print(Text(clean(words), "green"), soft_wrap=True)

    def shrinks(self, kinds: int) -> None:
        """Show that failing cases are made small."""
        for task in self._tasks.values():
            self._bars.update(task, visible=False)
        if kinds:
            said = f"shrinks the smallest of {kinds} kinds of failure"
            self._bars.add_task(said, name="", total=None)


def show_sweep(console: Console, whole: Whole, where: str) -> None:
    """Print what came of each backend, then what fails and by which smallest case."""
    for rows in (table(whole.summary), medians(whole.summary)):
        console.print(_grid(rows))
        console.print()
    for each in whole.shrunk[:_MOST_WORDS]:
        _show_kind(console, each)
    if (more := len(whole.shrunk) - _MOST_WORDS) > 0:
        console.print(f"… and {count(range(more), 'more kind')} in {clean(where)}")
    numbers = (
        "right networks: computed and judged; called broken: by us, then by fixed "
        "tolerances of what passes; not shown: inconclusive, as a bound is too wide; "
        "then medians of error / bound of what passes"
    )
    facts = [("verdict", verdicts(whole.summary.verdicts)), ("numbers", Text(numbers))]
    left = [("left out", Text(of)) for of in left_out(whole.summary, whole.shrunk)]
    show_facts(console, [*facts, *left, ("results", Text(clean(where), "bold"))])


def _grid(rows: list[list[str]]) -> Table:
    titles, *rest = rows
    made = Table(box=None, header_style="bold", pad_edge=False)
    for number, title in enumerate(titles):
        made.add_column(title, justify="right" if number else "left", overflow="fold")
    for row in rest:
        made.add_row(*map(clean, row))
    return made


def _show_kind(console: Console, each: Shrunk) -> None:
    kind = each.kind
    mark, style = STYLES[kind.verdict]
    told = f"{kind.backend}, {kind.cell}, {kind.task}: {kind.what}"
    words = Text.assemble((f"{mark} ", style), clean(told))
    words.append(f", in {each.count} case{'' if each.count == 1 else 's'}")
    console.print(words, soft_wrap=True)
    said = Text(clean(f"  reproduce: {again(each.smallest, kind.backend)}"), "dim")
    console.print(said, soft_wrap=True)
