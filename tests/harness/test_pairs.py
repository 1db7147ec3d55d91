"""Backends against each other, and who stands alone."""

from itertools import combinations

import numpy as np
import pytest

from rnn_parity.judge.certify import certify
from rnn_parity.judge.pairs import outlier, pairs
from rnn_parity_core import Array, Problem
from rnn_parity_reports.results import Figures, Pair
from support import allowing, honest, weight, with_arrays

ULP = {"tanh": 2.0}
NAMES = ("a", "b", "c", "d")


def outcomes(problem: Problem, **wrong: Array) -> dict[str, dict[str, Array]]:
    """Four honest outcomes that differ in the last place; some of another bias."""
    found = {}
    for index, name in enumerate(NAMES):
        bias = wrong.get(name, weight(problem, "bias"))
        outcome = honest(with_arrays(problem, bias=bias))
        outcome["outputs"].flat[index] = np.nextafter(
            outcome["outputs"].flat[index], np.float32(0)
        )
        found[name] = outcome
    return found


def compared(problem: Problem, given: dict[str, dict[str, Array]]) -> list[Pair]:
    return pairs(
        problem,
        {n: certify(problem, o, allowing(problem, ULP)) for n, o in given.items()},
    )


def test_every_two_are_compared_once_in_order(problem: Problem) -> None:
    found = compared(problem, outcomes(problem))
    assert [(pair.first, pair.second) for pair in found] == [*combinations(NAMES, 2)]
    assert {pair.case for pair in found} == {problem.case.id}
    assert all(pair.bound_ratio is not None and pair.bound_ratio <= 1 for pair in found)
    assert all(pair.outputs.mismatched == 2 for pair in found)
    assert outlier(found) is None


def test_figures_of_a_pair_take_the_first_for_what_is_wanted(problem: Problem) -> None:
    a, b = honest(problem), honest(problem)
    a["outputs"][1, 2, 3], b["outputs"][1, 2, 3] = 0.25, 0.75
    (pair,) = compared(problem, {"a": a, "b": b})
    assert pair.outputs.max_abs == 0.5
    assert pair.outputs.max_rel == 2.0
    assert pair.outputs.max_ulp == 0.5 / 2.0**-25
    assert pair.outputs.worst_at == (1, 2, 3)


@pytest.mark.parametrize("odd", NAMES)
def test_the_one_of_four_that_differs_is_named(problem: Problem, odd: str) -> None:
    found = compared(problem, outcomes(problem, **{odd: weight(problem, "bias") * 2}))
    assert outlier(found) == odd


def test_one_that_returns_nan_is_the_odd_one(problem: Problem) -> None:
    given = outcomes(problem)
    given["c"]["outputs"][0, 0, 0] = np.nan
    found = compared(problem, given)
    assert [pair.bound_ratio for pair in found if "c" in (pair.first, pair.second)] == (
        [None] * 3
    )
    assert outlier(found) == "c"


def test_of_two_that_differ_neither_is_the_odd_one(problem: Problem) -> None:
    twice, none = 2 * weight(problem, "bias"), 0 * weight(problem, "bias")
    for wrong in ({"a": twice, "c": none}, {"a": twice, "c": twice}):
        assert outlier(compared(problem, outcomes(problem, **wrong))) is None


def test_between_two_backends_there_is_no_odd_one(problem: Problem) -> None:
    given = outcomes(problem, b=2 * weight(problem, "bias"))
    found = compared(problem, {name: given[name] for name in ("a", "b")})
    assert found[0].bound_ratio is not None
    assert found[0].bound_ratio > 1
    assert outlier(found) is None
    assert outlier([]) is None


def test_a_reference_that_is_wrong_for_all_makes_none_odd(problem: Problem) -> None:
    given = outcomes(problem, **dict.fromkeys(NAMES, 2 * weight(problem, "bias")))
    assert all(
        certify(problem, o, allowing(problem, ULP)).bound_ratio > 1
        for o in given.values()
    )
    assert outlier(compared(problem, given)) is None


@pytest.mark.parametrize(
    "apart", [{("a", "b"), ("a", "c")}, {("a", "b"), ("c", "d"), ("a", "c")}]
)
def test_who_differs_from_some_but_not_from_all_is_not_odd(
    apart: set[tuple[str, str]],
) -> None:
    nothing = Figures(None, None, None, None, 0, 0, 0, None)
    found = [
        Pair("case", *names, 2.0 if names in apart else 1.0, nothing)
        for names in combinations(NAMES, 2)
    ]
    assert outlier(found) is None
