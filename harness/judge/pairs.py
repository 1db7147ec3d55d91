"""Every two backends against each other, and who is the odd one out."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from harness.judge.certify import Certificate, pair_headroom
from harness.judge.compare import compare
from harness.results import Pair
from harness.spec import Problem

_FEWEST = 3  # of two that differ, neither is the odd one


def pairs(problem: Problem, certificates: Mapping[str, Certificate]) -> list[Pair]:
    """Compare every two backends that returned whole outcomes of one problem."""
    found = []
    for (first, a), (second, b) in combinations(certificates.items(), 2):
        headroom = pair_headroom(a, b)
        found.append(
            Pair(
                problem.case.id,
                first,
                second,
                headroom if np.isfinite(headroom) else None,
                compare(b.state, a.state, dtype=problem.case.dtype),
            )
        )
    return found


def odd_one_out(pairs: list[Pair]) -> str | None:
    """Name the one backend that agrees with no other, while all others agree."""
    names = {name for pair in pairs for name in (pair.first, pair.second)}
    apart = [
        {pair.first, pair.second}
        for pair in pairs
        if pair.headroom is None or pair.headroom > 1
    ]
    if len(names) < _FEWEST or len(apart) != len(names) - 1:
        return None
    common = set.intersection(*apart)
    return common.pop() if len(common) == 1 else None
