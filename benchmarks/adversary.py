"""How near legal implementations come to the bounds, and that none is beyond them.

`python -m benchmarks.adversary [--networks N] [--search S] [--tries K] [--long L]
[--keep FILE]` draws N networks of all cells, each with an implementation of its own,
and holds what that returns to its bounds; each of the first S is then made worse K
times, by a choice or by its data. L more are 4,096 steps long, and searched too. What
FILE has is not computed again. It prints a Markdown table, and every network that is
beyond a bound; the exit status is 1 if there is one.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import tables
from rnn_parity.adversary.suite import Nearness, judged
from rnn_parity_core import CELLS

_LONG_TRIES = 10
_TITLES = (
    "cell",
    "dtype",
    "networks",
    "worst error / bound",
    "of what",
    "median of those drawn",
    "searched",
    "median of these",
    "of one layer, one way",
)


def main() -> None:
    """Print the table, and what is beyond its bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("networks", 2000), ("search", 40), ("tries", 60)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--long", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    rows = list(_rows(given))
    tables.head(*_TITLES)
    for cell in CELLS:
        for dtype in dict.fromkeys(row.dtype for row in rows):
            of = [row for row in rows if (row.cell, row.dtype) == (cell, dtype)]
            if of:
                tables.row(cell, dtype, *_summary(of))
    beyond = [row for row in rows if not row.ratio <= 1]
    for row in sorted(beyond, key=lambda row: -row.ratio):
        print(f"{row.ratio:.3g} times the bound: {row.part}, {row.family}, {row.case}")
        print(f"  number {row.number}{', searched' if row.is_searched else ''}")
    sys.exit(1 if beyond else 0)


def _rows(given: argparse.Namespace) -> Iterator[Nearness]:
    """Give what became of each network, of a file or computed now."""
    asked = [
        *((number, 0, False) for number in range(given.search, given.networks)),
        *((number, given.tries, False) for number in range(given.search)),
        *((number, _LONG_TRIES, True) for number in range(given.long)),
    ]
    known: dict[tuple[int, int, bool], Nearness] = {}
    if given.keep and given.keep.exists():
        for line in given.keep.read_text().splitlines():
            key, row = json.loads(line)
            known[tuple(key)] = Nearness(*row)
    yield from (known[key] for key in asked if key in known)
    left = [key for key in asked if key not in known]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process for each processor
    with ProcessPoolExecutor() as pool:
        for key, row in zip(left, pool.map(_judged, left, chunksize=4), strict=True):
            if given.keep:
                with given.keep.open("a") as file:
                    file.write(json.dumps((key, row)) + "\n")
            yield row


def _judged(key: tuple[int, int, bool]) -> Nearness:
    number, tries, is_long = key
    return judged(number, tries, is_long=is_long)


def _summary(rows: list[Nearness]) -> list[str]:
    worst = max(rows, key=lambda row: row.ratio)
    searched = [row for row in rows if row.is_searched]
    return [
        str(len(rows)),
        f"{worst.ratio:.2f}",
        worst.part,
        _median([row.ratio for row in rows if not row.is_searched]),
        str(len(searched)),
        _median([row.ratio for row in searched]),
        _median([row.ratio for row in searched if row.is_plain]),
    ]


def _median(ratios: list[float]) -> str:
    return f"{np.median(ratios):.2f}" if ratios else ""


if __name__ == "__main__":
    main()
