"""What a person sees of measured accuracies: the table, and what is wrong in words."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.accuracy import Worst
from harness.errors import clean
from harness.measure import Row

_STYLES = {
    "kept": ("✓", "green"),
    "exceeded": ("✗ exceeded", "red"),
    "generous": ("✗ too generous", "red"),
    "unstated": ("✗ not stated", "red"),
    "wrong": ("✗ wrong", "red"),
    "gap": ("gap", "yellow"),
    "error": ("error", "magenta"),
    "absent": ("absent", "dim"),
    "unmeasured": ("not measured", "yellow"),
}
_TITLES = (
    "backend",
    "function",
    "dtype",
    "stated",
    "measured",
    "at x",
    "variant",
    "flushed",
    "at x",
    "",
)
_NUMBERS = range(_TITLES.index("stated"), _TITLES.index("at x") + 1)


def show_accuracy(console: Console, rows: list[Row]) -> None:
    """Print stated and measured errors in ulp; then what is wrong, and why."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, title in enumerate(_TITLES):
        table.add_column(title, justify="right" if number in _NUMBERS else "left")
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    for row in rows:
        if row.detail:
            mark, style = _STYLES[row.status]
            words = Text.assemble((f"{mark.split()[0]} ", style), clean(row.backend))
            console.print(words.append(f": {clean(row.detail)}"), soft_wrap=True)
    if any(row.figure for row in rows):
        said = "stated, measured: ulp; flushed: largest error of results that are zero "
        said += "or subnormal"
        console.print(Text(said, "dim"), soft_wrap=True)


def _cells(row: Row) -> list[Text]:
    what = [clean(row.backend), row.function, row.dtype]
    what.append("" if row.stated.ulp is None else f"{row.stated.ulp:g}")
    if row.figure:
        ulp, flushed = row.figure
        what += [f"{ulp.error:.2f}", f"{ulp.at:.9g}", ulp.way, *_flushed(flushed)]
    else:
        what += [""] * 5
    return [*map(Text, what), Text(*_STYLES[row.status])]


def _flushed(worst: Worst) -> list[str]:
    return [f"{worst.error:.1e}", f"{worst.at:.9g}"] if worst.error else ["", ""]
