"""What a person sees of measured accuracies: the table, and what is wrong in words."""

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnn_parity.adapter_tools.measure import Measurement
from rnn_parity_core import DTYPES, clean

_STYLES = {
    "kept": ("✓", "green"),
    "exceeded": ("✗", "red"),
    "generous": ("✗", "red"),
    "unstated": ("✗", "red"),
    "wrong": ("✗", "red"),
    "gap": ("gap", "yellow"),
    "error": ("error", "magenta"),
    "absent": ("absent", "dim"),
    "unmeasured": ("none", "yellow"),
}
# With numbers aligned to the right; 80 columns in all for our own backends.
_COLUMNS = {
    "backend": "left",
    "function": "left",
    "dtype": "left",
    "stated": "right",
    "measured": "right",
    "at x": "right",
    "variant": "left",
    "flushed": "right",
}
_TOO_LARGE = 1000  # for digits behind the point


def show_accuracy(console: Console, rows: list[Measurement]) -> None:
    """Print stated and measured errors in ulp; then what is wrong, and why."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for title, side in _COLUMNS.items():
        table.add_column(title, justify="right" if side == "right" else "left")
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    for row in rows:
        if row.detail:
            words = Text.assemble(_STYLES[row.status], f" {clean(row.backend)}: ")
            console.print(words.append(clean(row.detail)), soft_wrap=True)
    if any(row.figure for row in rows):
        said = (
            "stated, measured: in ulp, where |x| is \N{LESS-THAN OR EQUAL TO} a number "
        )
        said += "or else beyond; flushed: the largest error of results that are zero "
        said += "or subnormal"
        console.print(Text(said, "dim"), soft_wrap=True)


def _cells(row: Measurement) -> list[Text]:
    mark, style = _STYLES[row.status]
    what = [clean(row.backend), row.function, DTYPES.get(row.dtype, "")]
    upto = f"\N{LESS-THAN OR EQUAL TO}{row.stated.upto:g}: "
    said = "" if row.stated.ulp is None else f"{row.stated.ulp:g}"
    what.append(said if math.isinf(row.stated.upto) else upto + said)
    if not row.figure:
        return [*map(Text, what), Text(mark, style), *[Text()] * 3]
    ulp, flushed = row.figure
    size = f"{ulp.error:.2f}" if ulp.error < _TOO_LARGE else f"{ulp.error:.0e}"
    where = [f"{ulp.at:.4g}", ulp.way]
    where.append(f"{flushed.error:.0e}" if flushed.error else "")
    return [*map(Text, what), Text(f"{mark} {size}", style), *map(Text, where)]
