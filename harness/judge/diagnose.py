"""Which known mistake would explain a difference: "it would match if …".

Each mistake alters the problem; an outcome that fails its own problem's certificate and
passes an altered one is what that mistake computes.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from harness.judge.certify import certify
from harness.spec import Array, Outcome, Problem


def _transposed(name: str) -> Callable[[Problem], dict[str, Array]]:
    return lambda problem: {name: problem[name].T}


def _zeroed(name: str) -> Callable[[Problem], dict[str, Array]]:
    return lambda problem: {name: np.zeros_like(problem[name])}


MISTAKES: dict[str, Callable[[Problem], dict[str, Array]]] = {
    "recurrent kernel transposed": _transposed("recurrent_kernel"),
    "kernel transposed": _transposed("kernel"),
    "bias dropped": _zeroed("bias"),
    "bias added twice": lambda problem: {"bias": 2 * problem["bias"]},
    "initial state dropped": _zeroed("initial_h"),
    "recurrent kernel dropped": _zeroed("recurrent_kernel"),
    "steps in reverse order": lambda problem: {"inputs": problem["inputs"][:, ::-1]},
    "rows in reverse order": lambda problem: {"inputs": problem["inputs"][::-1]},
}
"""Mistake → the arrays that it puts in place of the problem's own."""


def explain(problem: Problem, outcome: Outcome, ulp: dict[str, float]) -> list[str]:
    """Name every mistake in the catalogue under which the outcome would pass."""
    shapes = problem.case.input_shapes()
    found = []
    for name, mistake in MISTAKES.items():
        changed = mistake(problem)
        if any(array.shape != shapes[key] for key, array in changed.items()):
            continue  # a kernel that is not square has no transposed form that fits
        altered = replace(problem, arrays={**problem.arrays, **changed})
        if certify(altered, outcome, ulp).headroom <= 1:
            found.append(name)
    return found
