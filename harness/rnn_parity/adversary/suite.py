"""Networks by number: all cells and dtypes in turn, the same ones always."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rnn_parity.adversary.choices import Choices
from rnn_parity.adversary.families import FAMILIES
from rnn_parity.adversary.networks import Network, draw
from rnn_parity.adversary.search import searched, tried
from rnn_parity_core import CELLS, HALF_DTYPES

DTYPES = ("float32", "float64", "bfloat16")
LONG = 4096

_MOSTLY = 0.6
_SELDOM = {"static": 0.2}  # takes a hundred times as long as others
_TASKS = {"forward": 0.8, "gradient": 0.16, "sgd": 0.02, "adam": 0.02}


class Nearness(NamedTuple):
    """What became of one network."""

    number: int
    cell: str
    dtype: str
    family: str
    case: str
    is_searched: bool
    is_plain: bool
    """Whether it has one layer and one direction."""
    ratio: float
    """The worst |error| / bound."""
    part: str
    """Of what."""


def network(
    number: int, cells: Sequence[str] = CELLS.in_suites, *, is_long: bool = False
) -> Network:
    """Return the network of a number, of one of some cells."""
    rng = np.random.default_rng([18, number])
    cell = cells[number % len(cells)]
    dtype = DTYPES[number // len(cells) % len(DTYPES)]
    if is_long:
        family = ("static", "trained", "hot")[rng.integers(3)]
        return draw(
            rng,
            cell,
            dtype,
            family,
            variant="dynamic",
            batch=1,
            steps=LONG,
            features=24,
            units=4,
            projection=2 if "projection" in CELLS[cell].weights else 0,
            layers=1,
            direction="forward",
        )
    fitting = [
        name for name, of in FAMILIES.items() if not of.cells or cell in of.cells
    ]
    weights = np.array([_SELDOM.get(name, 1.0) for name in fitting])
    weights[0] = _MOSTLY / (1 - _MOSTLY) * weights[1:].sum()
    family = str(rng.choice(fitting, p=weights / weights.sum()))
    task = str(rng.choice(list(_TASKS), p=list(_TASKS.values())))
    if dtype in HALF_DTYPES or family in _SELDOM:
        task = "forward"
    if CELLS[cell].grows and task == "sgd":
        task = "adam"  # nothing bounds a rectifier's gradients: it can end in NaN
    return draw(rng, cell, dtype, family, task=task)


def judged(
    number: int,
    tries: int = 0,
    cells: Sequence[str] = CELLS.in_suites,
    *,
    is_long: bool = False,
) -> Nearness:
    """Run the network of a number by the implementation of it, and search on."""
    found = tried(network(number, cells, is_long=is_long), Choices(number))
    if tries:
        found = searched(found, tries, number)
    case = found.network.problem.case
    return Nearness(
        number,
        case.cell,
        case.dtype,
        found.network.family,
        case.id,
        bool(tries),
        case.layers == 1 and len(case.directions) == 1,
        found.ratio,
        found.part,
    )
