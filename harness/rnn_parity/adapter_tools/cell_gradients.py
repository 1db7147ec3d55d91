"""Gradients of a cell by its tape, held to differences of the float64 network."""

from dataclasses import replace

import numpy as np

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.certify import reference
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import CELLS, Array, Case, Problem
from rnn_parity_fixtures import catalogue

_STEP = 2.0**-10
_DIRECTIONS = 3
_SMOOTH = 1e-3
"""Relative to what it is of, an extrapolation moves a smooth function by less."""


def apart(cell: str) -> dict[str, float]:
    """Return how far gradients are from finite differences, relative to their size.

    Differences of two steps are extrapolated. Where that moves them much, as where a
    kink lies between, no more is asked for.
    """
    case = Case(
        cell=cell,
        variant="dynamic",
        batch=2,
        steps=3,
        features=3,
        units=4,
        projection=2 if "projection" in CELLS[cell].weights else 0,
        dtype="float64",
        task="gradient",
        seed=1,
    )
    problem = catalogue.build(case)
    found = reference(problem)
    random = np.random.default_rng(0)
    worst: dict[str, float] = {}
    for full, gradient in found.items():
        if not full.startswith("gradient_"):
            continue
        name = full.removeprefix("gradient_")
        for _ in range(_DIRECTIONS):
            along = random.choice([-1.0, 1.0], gradient.shape)
            own = _apart(problem, name, along, gradient)
            worst[name] = max(own, worst.get(name, 0.0))
    return worst


def _apart(problem: Problem, name: str, along: Array, gradient: Array) -> float:
    wide, narrow = (
        (_loss(problem, name, along * h) - _loss(problem, name, -along * h)) / (2 * h)
        for h in (_STEP, _STEP / 4)
    )
    moved = (narrow - wide) / 15  # of the second order, a sixteenth is left
    size = float(np.abs(gradient).sum()) + abs(narrow)
    off = abs(float((gradient * along).sum()) - (narrow + moved))
    if abs(moved) > _SMOOTH * size:
        off = max(off - abs(moved), 0.0)
    return off / size if size else 0.0


def _loss(problem: Problem, name: str, by: Array) -> float:
    """Return the loss where one array is moved."""
    moved = {**problem.arrays, name: problem[name] + by}
    made = trajectory(Float64(), replace(problem, arrays=moved))
    finals = {f"final_{state}": np.stack(of) for state, of in made.finals.items()}
    parts = {"outputs": made.outputs, **finals}
    return float(sum((problem[f"cotangent_{n}"] * a).sum() for n, a in parts.items()))
