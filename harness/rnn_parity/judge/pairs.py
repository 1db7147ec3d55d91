"""Every two backends against each other, and which is the outlier."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from rnn_parity.judge.bounds import ratio
from rnn_parity.judge.certify import Certificate
from rnn_parity.judge.compare import compare
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_reports.results import Pair

_OF_SUMS = {
    *("kernel", "recurrent_kernel", "bias", "recurrent_bias", "peephole", "projection"),
}
"""Weights of cells whose gates are functions of sums, no steeper than 1."""
_FEWEST = 3  # of two that differ, neither is the outlier


def pairs(problem: Problem, certificates: Mapping[str, Certificate]) -> list[Pair]:
    """Compare every two backends that returned outputs of one problem."""
    found = []
    shown = {n: of for n, of in certificates.items() if of.has_outputs}
    for (first, a), (second, b) in combinations(shown.items(), 2):
        bound_ratio = pair_bound_ratio(a, b)
        found.append(
            Pair(
                problem.case.id,
                first,
                second,
                bound_ratio if np.isfinite(bound_ratio) else None,
                compare(b.state, a.state, dtype=problem.case.dtype),
            )
        )
    return found


def outlier(pairs: list[Pair]) -> str | None:
    """Name the one backend that agrees with no other, while all others agree."""
    names = {name for pair in pairs for name in (pair.first, pair.second)}
    apart = [
        {pair.first, pair.second}
        for pair in pairs
        if pair.bound_ratio is None or pair.bound_ratio > 1
    ]
    if len(names) < _FEWEST or len(apart) != len(names) - 1:
        return None
    common = set.intersection(*apart)
    return common.pop() if len(common) == 1 else None


def pair_bound_ratio(first: Certificate, second: Certificate) -> float:
    """Say how well two backends agree, whatever the reference step is worth.

    At most 1 means that they do.
    """
    return float(ratio(*pair_difference(first, second)).max())


def pair_difference(first: Certificate, second: Certificate) -> tuple[Array, Array]:
    """Give the difference of two backends' steps and what it may be.

    The difference of their one-step errors is free of what the reference gets wrong for
    both. Their states differ a little, and a step from one is not quite a step from the
    other: by how much is taken from the reference's own two steps, and from the size of
    the recurrent kernel for where these are saturated.
    """
    with np.errstate(invalid="ignore"):
        steps_apart = (first.state - first.residual) - (second.state - second.residual)
        difference = first.residual - second.residual
        spread = 2 * np.abs(steps_apart) + 2 * _spread(first, second)
        return difference, first.bound + second.bound + spread


def _spread(first: Certificate, second: Certificate) -> Array:
    """Bound how far states apart move the next ones, gates' slopes being at most 1."""
    problem, case = first.problem, first.problem.case
    size = case.recurrent_size
    apart = np.abs(first.state - second.state)
    before = np.zeros_like(apart)
    if "h" not in CELLS[case.cell].states:
        return np.asarray(before)  # no step starts from what was returned
    for number, way in enumerate(case.directions):
        columns = slice(number * size, (number + 1) * size)
        weights = problem.weights(case.layers - 1, way)
        if not {"recurrent_kernel"} <= weights.keys() <= _OF_SUMS:
            return np.full_like(apart, np.inf)  # nobody knows how steep its steps are
        count = len(CELLS[case.cell].gates)
        kernel = np.abs(weights["recurrent_kernel"].astype(np.float64))
        kernel = np.sum(np.split(kernel, count, axis=1), axis=0)
        if "projection" in weights:
            kernel = kernel @ np.abs(weights["projection"].astype(np.float64))
        if way == "forward":
            before[:, 1:, columns] = apart[:, :-1, columns] @ kernel
        else:
            before[:, :-1, columns] = apart[:, 1:, columns] @ kernel
    return np.asarray(before)
