"""Small faults in random networks: how many the certificate catches.

`python -m benchmarks.detection [BACKENDS] [DRAWS]` changes one element of a weight in
each of DRAWS random networks of every cell, a kernel's by 1e-4 of itself, a bias' by
1e-3, and a kernel's of two layers of both directions by 1e-4, computes the right and
the altered network on the first of BACKENDS that has the cell, holds both to the right
one, and prints a Markdown table. It does so on a seeded batch, and with the same
weights on one that shows them all, a probe.
"""

import importlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
from msgspec.structs import replace as other

from rnn_parity.judge.certify import certify_steps, reference
from rnn_parity.judge.stepwise import stepwise
from rnn_parity.runs.registry import known_backends
from rnn_parity_core import CELLS, Accuracy, Array, Backend, BackendInfo, Case, Problem
from rnn_parity_core.probing import probing
from rnn_parity_fixtures import catalogue

_GAINS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
# What may be rounding for all that anybody can tell: a change that moves no output
# further than so many ulp of it, or so many times the worst error of the right network.
_LAST_PLACES = _TIMES_SEEN = 2

_TITLES = (
    "backend",
    "cell",
    "changed",
    "caught with a probe",
    "caught without",
    "by single steps",
    "only by sums over steps",
    "of those over 2 ulp",
    "of those over twice the rounding",
    "healthy: median bound_ratio",
    "largest",
    "largest of probes",
)


class _Change(NamedTuple):
    """How one element is made wrong."""

    words: str
    names: tuple[str, ...]
    """Last parts of the names of weights that it may be in."""
    factor: np.float32
    least: float
    """Smallest magnitude of an element that is changed."""
    units: int
    """Most units and features."""
    layers: int = 1
    """Of both directions each, if there are several."""


_CHANGES = (
    _Change("a kernel element by 1e-4", ("kernel",), np.float32(1 + 1e-4), 0.0, 16),
    _Change("a bias by 1e-3", ("bias",), np.float32(1 + 1e-3), 0.01, 128),
    _Change("one of two layers", ("kernel",), np.float32(1 + 1e-4), 0.0, 16, layers=2),
)


class _Draw(NamedTuple):
    """What became of one change."""

    healthy: float
    """Headroom of the right network."""
    probe: float
    """The same on a batch that shows every weight."""
    caught: bool
    probed: bool
    """Whether that batch shows it."""
    by_steps: bool
    over_places: bool
    """Whether an exact step moves an output by more than its last places."""
    over_rounding: bool
    """Whether it moves one by more than what the right network was seen to err by."""


def main() -> None:
    """Print the table, line by line."""
    given = dict(enumerate(sys.argv[1:]))
    names, count = given.get(0, "torch,numpy").split(","), int(given.get(1, "200"))
    infos = [known_backends()[name] for name in names]
    warnings.simplefilter("ignore")
    print("|", " | ".join(_TITLES), "|")
    print("|", " | ".join(["---"] * len(_TITLES)), "|")
    for cell in CELLS:
        has = (i for i in infos if not i.gap(_case(cell, 2, _rng(0))))
        if info := next(has, None):
            adapter = _adapter(info)
            for change in _CHANGES:
                found = list(_draws(info, adapter, cell, change, count))
                row = [info.name, cell, change.words, *_summary(found)]
                print("|", " | ".join(row), "|", flush=True)


def _adapter(info: BackendInfo) -> Backend:
    module, _, name = info.adapter.partition(":")
    adapter: Backend = getattr(importlib.import_module(module), name)(**info.options)
    return adapter


def _rng(number: int) -> np.random.Generator:
    return np.random.default_rng([5, number])


def _case(cell: str, most: int, rng: np.random.Generator) -> Case:
    """Draw a case: sizes even in their logarithms."""

    def size(low: int, high: int) -> int:
        return int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))

    units = size(2, most)
    gain = float(rng.choice(_GAINS))
    return Case(
        cell=cell,
        variant="dynamic",
        batch=size(1, 32),
        steps=size(2, 128),
        features=size(1, most),
        units=units,
        projection=units // 2 if "projection" in CELLS[cell].weights else 0,
        # A rectifier lets a larger gain grow without end.
        gain=min(gain, 1.0) if cell == "rnn_relu" else gain,
        dtype="float32",
        seed=int(rng.integers(2**31)),
    )


def _draws(
    info: BackendInfo, adapter: Backend, cell: str, change: _Change, count: int
) -> Iterator[_Draw]:
    for number in range(count):
        rng = _rng(number)
        case = _case(cell, change.units, rng)
        if change.layers > 1:
            case = other(case, layers=change.layers, direction="bidirectional")
        problem, accuracy = catalogue.build(case), info.accuracy_for(case)
        name, array = _altered(problem, change, rng)
        altered = _with(problem, name, array)
        healthy, faulty = (
            certify_steps(problem, adapter.run(of), accuracy)
            for of in (problem, altered)
        )
        probe = catalogue.build(cast("Case", probing(case)))
        right, wrong = (
            certify_steps(probe, adapter.run(of), accuracy)
            for of in (probe, _with(probe, name, array))
        )
        moved, places = _moved(problem, altered, accuracy)
        yield _Draw(
            healthy.bound_ratio,
            right.bound_ratio,
            caught=not faulty.bound_ratio <= 1,
            probed=not wrong.bound_ratio <= 1,
            by_steps=not faulty.steps_pass,
            over_places=places > _LAST_PLACES,
            over_rounding=moved > _TIMES_SEEN * np.abs(healthy.residual).max(),
        )


def _altered(
    problem: Problem, change: _Change, rng: np.random.Generator
) -> tuple[str, Array]:
    """Change one element of one weight: its name, and all of it."""
    names = [n for n in problem.case.weight_shapes() if n.endswith(change.names)]
    name = names[rng.integers(len(names))]
    array = problem[name].copy()
    places = np.argwhere(np.abs(array) >= change.least)
    array[tuple(places[rng.integers(len(places))])] *= change.factor
    return name, array


def _with(problem: Problem, name: str, array: Array) -> Problem:
    """Put another array in the place of one."""
    return replace(problem, arrays={**problem.arrays, name: array})


def _moved(
    problem: Problem, altered: Problem, accuracy: Accuracy
) -> tuple[float, float]:
    """Give the most by which a step of the altered network differs, and most ulp."""
    outputs: Array = reference(altered)["outputs"]
    exact = stepwise(problem, outputs, accuracy).outputs.value
    moved = np.abs(outputs - exact)
    size = np.maximum(np.abs(outputs), np.abs(exact)).astype(np.float32)
    return float(moved.max()), float((moved / np.spacing(size)).max())


def _summary(draws: list[_Draw]) -> list[str]:
    bound_ratios = [draw.healthy for draw in draws]
    return [
        _share([draw.caught or draw.probed for draw in draws]),
        _share([draw.caught for draw in draws]),
        _share([draw.by_steps for draw in draws]),
        _share([draw.caught and not draw.by_steps for draw in draws]),
        _share([draw.caught for draw in draws if draw.over_places]),
        _share([draw.caught for draw in draws if draw.over_rounding]),
        f"{np.median(bound_ratios):.2f}",
        f"{max(bound_ratios):.2f}",
        f"{max(draw.probe for draw in draws):.2f}",
    ]


def _share(seen: list[bool]) -> str:
    return f"{sum(seen)} of {len(seen)}"


if __name__ == "__main__":
    main()
