"""Who killed which fault, and which relations hold."""

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnn_parity.checks.metamorphic import RelationTrial, table
from rnn_parity.terminal.common import CELL_WIDTH, STYLES, header, show_facts
from rnn_parity_core import clean
from rnn_parity_reports.describe import MARKS


def show_mutation_scores(
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


def show_relations(
    console: Console, trials: list[RelationTrial], backends: list[str]
) -> None:
    """Print relations down and backends across; then what is violated, and where."""
    grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("relation", overflow="fold", vertical="bottom")
    for backend in backends:
        grid.add_column(header(backend), overflow="fold", min_width=CELL_WIDTH)
    for name, *cells in table(trials, backends):
        grid.add_row(name, *(Text(cell, _relation_style(cell)) for cell in cells))
    console.print(grid)
    troubled = [trial for trial in trials if trial.status in {"violated", "error"}]
    for trial in troubled:
        mark, style = STYLES["fail" if trial.status == "violated" else "error"]
        words = Text.assemble((f"{mark} ", style), clean(trial.words))
        console.print(words, soft_wrap=True)
        console.print(
            Text(clean(f"  reproduce: {trial.reproduce}"), "dim"), soft_wrap=True
        )
    console.print()
    show_facts(console, _relation_facts(trials))


def _relation_style(cell: str) -> str:
    return dict(STYLES.values()).get(cell.partition(" ")[0], "dim")


def _relation_facts(trials: list[RelationTrial]) -> Iterator[tuple[str, str]]:
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
    if unshown := counts["inconclusive"]:
        mark = MARKS["inconclusive"]
        yield "not shown", f"{mark} {unshown}: the bounds are too wide to show anything"
    absent = {t.backend: t.detail for t in trials if t.status == "absent"}
    for backend, detail in absent.items():
        yield "absent", f"{backend}: {detail}"
