"""What a person sees in a terminal: progress, the table of verdicts, the words."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from harness.backend import BackendInfo, Gap, Scalar
from harness.errors import clean
from harness.folder import Entry
from harness.relations_run import Trial, table
from harness.results import Report, Result
from harness.spec import CELLS, VARIANTS, Case

_STYLES = {
    "pass": ("✓", "green"),
    "fail": ("✗", "red"),
    "gap": ("gap", "yellow"),
    "error": ("error", "magenta"),
    "absent": ("absent", "dim"),
}
_LABEL_STYLES = {"verdict": "bold", "odd one": "bold red", "weak data": "yellow"}
_MOST_WORDS = 10
_MOST_CASES = 8
_CELL_WIDTH = 6
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


def show_report(console: Console, report: Report, where: str) -> None:
    """Print the table, what differs, what else there is to know, and where."""
    console.print(_matrix(report))
    troubled = [r for r in report.results if r.verdict in {"fail", "error"}]
    for result in troubled[:_MOST_WORDS]:
        _show_trouble(console, result)
    if len(troubled) > _MOST_WORDS:
        console.print(f"… and {len(troubled) - _MOST_WORDS} more in the report")
    console.print()
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for label, text in _facts(report):
        style = _LABEL_STYLES.get(label, "dim")
        facts.add_row(Text(label, style), text)
    console.print(facts)
    path = Text.assemble(("report     ", "dim"), (clean(where), "bold"))
    console.print(path, soft_wrap=True)


def _count(things: Iterable[object], noun: str) -> str:
    number = len(list(things))
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _matrix(report: Report) -> Table:
    """Cases down, backends across, in each cell the verdict and the headroom."""
    by_case: dict[str, dict[str, Result]] = {}
    for result in report.results:
        by_case.setdefault(result.case, {})[result.backend] = result
    backends = list(dict.fromkeys(result.backend for result in report.results))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("case", overflow="fold", vertical="bottom")
    for backend in backends:
        table.add_column(_header(backend), overflow="fold", min_width=_CELL_WIDTH)
    for case, results in by_case.items():
        cells = [_cell(results[b]) if b in results else Text() for b in backends]
        table.add_row(Text(clean(case)), *cells)
    return table


def _header(backend: str) -> Text:
    """Put a mode below its framework, so that six of them fit in 80 columns."""
    name, _, mode = clean(backend).partition(":")
    return Text(f"{name}\n:{mode}" if mode else name)


def _cell(result: Result) -> Text:
    mark, style = _STYLES[result.verdict]
    if result.headroom is None:
        return Text(mark, style)
    number = f"{result.headroom:.2f}"
    if len(number) > len("9.99"):
        number = f"{result.headroom:.0e}"
    return Text(f"{mark} {number}", style)


def _facts(report: Report) -> Iterator[tuple[str, Text]]:
    """Give what stands below the table, as labels and words."""
    yield "verdict", _counts(report)
    yield (
        "numbers",
        Text("headroom: worst error / its bound, by step or summed; above 1 fails"),
    )
    if published := [r for r in report.results if r.published]:
        yield "published", _published(published)
    if judged := [r for r in report.results if r.peers]:
        yield "peers", _peers(judged)
    every = (c for r in report.results for c in r.smallest_changes.values())
    changes = [change for change in every if change is not None]
    if changes:
        words = f"a weight changed by {median(changes):.1g} of itself would fail "
        words += f"(median; from {min(changes):.1g} to {max(changes):.1g})"
        yield "sees", Text(words)
    if report.pairs:
        far = max(report.pairs, key=lambda pair: pair.outputs.max_abs or 0.0)
        words = f"{far.first} and {far.second} differ most, by "
        words += f"{far.outputs.max_abs or 0:.1e} in {far.case}"
        yield "pairs", Text(clean(words))
    for case, backend in list(report.odd_one_out.items())[:_MOST_WORDS]:
        words = f"{backend} differs from all others, which agree, in {case}"
        yield "odd one", Text(clean(words))
    absent = {r.backend: r.detail for r in report.results if r.verdict == "absent"}
    for backend, detail in absent.items():
        yield "absent", Text(clean(f"{backend}: {detail.partition(' [')[0]}"))
    for note in dict.fromkeys(note for r in report.results for note in r.weak):
        cases = {r.case for r in report.results if note in r.weak}
        whole = cases == {r.case for r in report.results}
        some = "" if whole else f" (in {_count(cases, 'case')})"
        yield "weak data", Text(clean(f"{note}{some}"))


def _peers(results: list[Result]) -> Text:
    """Say what fixed tolerances would have called broken."""
    said = []
    for name in results[0].peers:
        broken = sum(not result.peers[name] for result in results)
        said.append(f"{name} {broken}")
    words = f"fixed tolerances would fail, of {len(results)}: {', '.join(said)}"
    return Text(words)


def _counts(report: Report) -> Text:
    summary = report.summary
    counts = {
        "pass": summary.passed,
        "fail": summary.failed,
        "gap": summary.gap,
        "error": summary.error,
        "absent": summary.absent,
    }
    said = [
        Text(f"{number} {verdict}", f"bold {_STYLES[verdict][1]}")
        for verdict, number in counts.items()
        if number
    ]
    return Text(", ").join(said) + f" of {summary.expected}"


def _published(results: list[Result]) -> Text:
    """Count the printed tables that were reproduced, and name the farthest."""
    tables = within = 0
    worst = (0.0, "")
    for result in results:
        if published := result.published:
            deviation = math.inf if published.max_abs is None else published.max_abs
            tables += published.tables
            within += published.tables * (deviation <= published.allowed)
            worst = max(worst, (deviation, f"{result.backend}, {result.case}"))
    words = f"{within} of {tables} printed tables within 1e-06; farthest {worst[0]:.1e}"
    return Text(clean(f"{words} ({worst[1]})"))


def _show_trouble(console: Console, result: Result) -> None:
    mark, style = _STYLES[result.verdict]
    words = Text.assemble((f"{mark} ", style), clean(result.detail))
    console.print(words, soft_wrap=True)
    again = Text(clean(f"  again: {result.reproduce}"), "dim")
    console.print(again, soft_wrap=True)


def show_backends(
    console: Console, infos: Iterable[tuple[BackendInfo, str, bool]]
) -> None:
    """Print every backend: what is installed, or how to; and what it calls."""
    for info, state, present in infos:
        style = "green" if present else "yellow"
        console.print(
            Text.assemble((clean(info.name), "bold"), "  ", (clean(state), style)),
            soft_wrap=True,
        )
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        for means in info.means:
            what = [", ".join(means.variants), *means.cells]
            table.add_row(Text(clean(" ".join(what)), "dim"), Text(clean(means.api)))
        for gap in info.gaps:
            reason = Text(clean(f"{gap.kind}: {gap.reason}"))
            table.add_row(Text(clean(f"gap: {_scope(gap)}"), "yellow"), reason)
        settings = ", ".join(f"+{k}={_setting(info.options[k])}" for k in info.settings)
        if settings:
            table.add_row(Text("settings", "dim"), Text(clean(settings)))
        console.print(table)


def _setting(value: Scalar) -> str:
    """Write a setting's value as it can be given."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _scope(gap: Gap) -> str:
    """Say which cases a gap covers."""
    parts = [*gap.cells, *gap.variants, *gap.directions, *gap.dtypes, *gap.tasks]
    parts += ["zerolength"] * gap.zero_length + ["P >= H"] * gap.full_projection
    return " ".join(parts) or "everything"


def show_matrix(console: Console, infos: list[BackendInfo]) -> None:
    """Print for each cell and variant what each backend calls, and why it does not."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("cell")
    table.add_column("variant")
    reasons: dict[str, list[str]] = {}
    for info in infos:
        table.add_column(_header(info.name), min_width=_CELL_WIDTH)
    for cell in CELLS:
        for number, variant in enumerate(VARIANTS):
            row = [_means(info, cell, variant, reasons) for info in infos]
            table.add_row(Text("" if number else cell, "bold"), Text(variant), *row)
    console.print(table)
    for reason, backends in reasons.items():
        words = clean(f"{', '.join(dict.fromkeys(backends))}: {reason}")
        console.print(Text.assemble(("never ", "yellow"), words), soft_wrap=True)


def _means(
    info: BackendInfo, cell: str, variant: str, reasons: dict[str, list[str]]
) -> Text:
    """Say how a backend computes a cell in a variant, and keep why it does not."""
    for gap in info.gaps:
        in_cell = not gap.cells or cell in gap.cells
        if in_cell and (not gap.variants or variant in gap.variants):
            kept = f"{gap.reason} ({_scope(gap)})"
            reasons.setdefault(kept, []).append(info.name)
            if not gap.is_partial:
                return Text(gap.kind, "yellow")
    means = info.means_for(cell, variant)
    if means is None:
        return Text("undeclared", "red")
    return Text("by hand", "dim") if means.by_hand else Text("native", "green")


def show_audit(
    console: Console,
    tables: list[tuple[list[str], list[list[str]]]],
    alive: list[str],
    notes: list[str],
    *,
    markdown: bool,
) -> None:
    """Print who killed what; then the faults that live, and what else there is."""
    for number, (titles, rows) in enumerate(tables):
        if number:
            console.print()
        console.print(
            _as_markdown(titles, rows) if markdown else _scores(titles, rows),
            soft_wrap=markdown,
        )
    for words in alive:
        console.print(Text.assemble(("✗ ", "red"), clean(words)), soft_wrap=True)
    for words in notes:
        console.print(Text(clean(words), "dim"), soft_wrap=True)


def _as_markdown(titles: list[str], rows: list[list[str]]) -> Text:
    lines = [titles, ["---"] * len(titles), *rows]
    return Text("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _scores(titles: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(clean, row))
    return table


def show_relations(console: Console, trials: list[Trial], backends: list[str]) -> None:
    """Print relations down and backends across; then what is violated, and where."""
    grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("relation", overflow="fold", vertical="bottom")
    for backend in backends:
        grid.add_column(_header(backend), overflow="fold", min_width=_CELL_WIDTH)
    for name, *cells in table(trials, backends):
        grid.add_row(name, *(Text(cell, _relation_style(cell)) for cell in cells))
    console.print(grid)
    troubled = [trial for trial in trials if trial.status in {"violated", "error"}]
    for trial in troubled:
        mark, style = _STYLES["fail" if trial.status == "violated" else "error"]
        words = Text.assemble((f"{mark} ", style), clean(trial.words))
        console.print(words, soft_wrap=True)
        console.print(Text(clean(f"  again: {trial.reproduce}"), "dim"), soft_wrap=True)
    console.print()
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for label, text in _relation_facts(trials):
        facts.add_row(Text(label, _LABEL_STYLES.get(label, "dim")), clean(text))
    console.print(facts)


def _relation_style(cell: str) -> str:
    return dict(_STYLES.values()).get(cell.partition(" ")[0], "dim")


def _relation_facts(trials: list[Trial]) -> Iterator[tuple[str, str]]:
    """Give what stands below the table of relations, as labels and words."""
    counts = Counter(trial.status for trial in trials)
    named = (
        (counts["holds"], "hold"),
        (counts["violated"], "violated"),
        (counts["error"], "error"),
    )
    said = [f"{number} {word}" for number, word in named if number]
    yield "verdict", f"{', '.join(said) or 'nothing checked'} of {len(trials)}"
    words = "cases, then the worst difference / what both bounds allow: above 1 fails; "
    words += "bits: the same to the last bit; none: no case that it applies to"
    yield "numbers", words
    if counts["vacuous"]:
        yield "vacuous", f"{counts['vacuous']} show nothing: the bounds are too wide"
    absent = {t.backend: t.detail for t in trials if t.status == "absent"}
    for backend, detail in absent.items():
        yield "absent", f"{backend}: {detail}"


def show_cases(console: Console, suites: dict[str, list[Case]], *, whole: bool) -> None:
    """Print the cases of each suite with their sizes; of a long one the first few."""
    for name, cases in suites.items():
        console.print(Text.assemble((name, "bold"), f"  {_count(cases, 'case')}"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        for case in cases if whole else cases[:_MOST_CASES]:
            sizes = f"B {case.batch}, T {case.steps}, D {case.features}, H {case.units}"
            table.add_row(case.id, Text(f"{sizes}, {case.dtype}", "dim"))
        console.print(table)
        if not whole and len(cases) > _MOST_CASES:
            console.print(f"  … all of them: rnn-parity cases {name}", highlight=False)
    if not whole:
        console.print(Text.assemble(("random:N:SEED", "bold"), "  N cases of any kind"))
