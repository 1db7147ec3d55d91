"""What every screen needs: a console, styles, counts, headings."""

import os
import re
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.text import Text

from rnn_parity_core import clean
from rnn_parity_reports.describe import MARKS, counted
from rnn_parity_reports.results import Verdict

COLOURS: dict[Verdict, str] = {
    "pass": "green",
    "consistent": "cyan",
    "fail": "red",
    "inconclusive": "yellow",
    "gap": "yellow",
    "error": "magenta",
    "absent": "dim",
}
STYLES = {verdict: (MARKS[verdict], colour) for verdict, colour in COLOURS.items()}
LABEL_STYLES = {"verdict": "bold", "outlier": "bold red", "not shown": "yellow"}
CELL_WIDTH = 6
_LEAST = 20  # characters of what is said beside a label
_WIDTH_OFF_TERMINAL = 140


def console(*, stderr: bool = False) -> Console:
    """Give a console that is wide enough for a table where no terminal sets a width."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _WIDTH_OFF_TERMINAL
    return made


def count(things: Iterable[object], noun: str) -> str:
    """Say how many of something there are."""
    number = len(list(things))
    return f"{number} {noun}" + ("" if number == 1 else "s")


def verdicts(counts: Mapping[str, int]) -> Text:
    """Count verdicts, each in its colour."""
    said = [
        Text(f"{number} {words}", f"bold {COLOURS[verdict]}")
        for words, number, verdict in counted(counts)
    ]
    return Text(", ").join(said) + f" of {sum(counts.values())}"


def header(backend: str) -> Text:
    """Put a mode or label below its framework, so that six fit in 80 columns."""
    return Text(re.sub("(?<=.)(?=[:#])", "\n", clean(backend), count=1))


def show_facts(console: Console, facts: Iterable[tuple[str, Text | str]]) -> None:
    """Print labels and what is said of each, beside one another.

    Lines end between words alone: the ID of a case, say, is copied as it is.
    """
    rows = [
        (label, Text(clean(of)) if isinstance(of, str) else of) for label, of in facts
    ]
    indent = 2 + max((len(label) for label, _ in rows), default=0)
    for label, words in rows:
        width = max(console.width - indent, _LEAST)
        for number, line in enumerate(_wrapped(words, width)):
            line.rstrip()
            start = Text("" if number else label, LABEL_STYLES.get(label, "dim"))
            start.pad_right(indent - start.cell_len)
            console.print(start.append(line), soft_wrap=True)


def _wrapped(words: Text, width: int) -> Iterable[Text]:
    begin, breaks = 0, list[int]()
    for word in re.finditer(r"\S+", words.plain):
        if word.end() - begin > width and word.start() > begin:
            begin = word.start()
            breaks.append(begin)
    return words.divide(breaks)
