"""A table of named rows that no width of a terminal makes unreadable.

Names are never cut or folded: they are copied into commands.
"""

from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from rnn_parity.terminal.common import header
from rnn_parity_core import clean

_LEAST = 6
"""Characters of a column: a mark and a number."""


class _Column(NamedTuple):
    lines: list[str]
    """Of its heading."""
    width: int
    number: int


def show_rows(
    console: Console,
    title: str,
    backends: list[str],
    rows: list[tuple[str, list[Text]]],
) -> None:
    """Print a row for each name, with a cell for each backend.

    Where names leave too little room, each has a line of its own above its cells;
    backends that do not fit beside one another follow below.
    """
    cells = [[of[number] for _, of in rows] for number in range(len(backends))]
    columns = [
        _column(n, *of) for n, of in enumerate(zip(backends, cells, strict=True))
    ]
    names = max(cell_len(clean(name)) for name in [title, *(name for name, _ in rows)])
    whole = names + sum(1 + column.width for column in columns)
    apart = names > console.width // 2 and whole > console.width
    indent = 1 if apart else names
    for number, fitting in enumerate(_fitting(columns, console.width - indent)):
        if number:
            console.print()
        _show_heading(console, "" if apart else title, indent, fitting)
        for name, of in rows:
            line = Text("" if apart else clean(name))
            line.pad_right(indent - line.cell_len)
            for column in fitting:
                line.append(" ").append(_padded(of[column.number], column.width))
            line.rstrip()
            if apart:
                console.print(Text(clean(name)), soft_wrap=True)
            console.print(line, soft_wrap=True)


def _column(number: int, backend: str, cells: list[Text]) -> _Column:
    lines = header(backend).plain.split("\n")
    widths = [cell_len(line) for line in lines] + [cell.cell_len for cell in cells]
    return _Column(lines, max([_LEAST, *widths]), number)


def _padded(cell: Text, width: int) -> Text:
    padded = cell.copy()
    padded.pad_right(width - cell.cell_len)
    return padded


def _fitting(columns: list[_Column], width: int) -> Iterator[list[_Column]]:
    """Give the columns that fit beside one another, then those that follow."""
    chosen: list[_Column] = []
    for column in columns:
        if chosen and sum(1 + each.width for each in (*chosen, column)) > width:
            yield chosen
            chosen = []
        chosen.append(column)
    yield chosen


def _show_heading(
    console: Console, title: str, indent: int, columns: list[_Column]
) -> None:
    """Print the names of columns, whose last lines stand beside one another."""
    for left in range(max(len(column.lines) for column in columns), 0, -1):
        line = Text((title if left == 1 else "").ljust(indent), "bold")
        for column in columns:
            said = column.lines[-left] if len(column.lines) >= left else ""
            line.append(" ").append(said.ljust(column.width))
        line.rstrip()
        console.print(line, soft_wrap=True)
