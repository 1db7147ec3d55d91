"""Known mistakes: each is recognised from the numbers alone, and none is invented."""

import numpy as np
import pytest

from fixtures import catalogue
from harness.judge.certify import certify
from harness.judge.diagnose import MISTAKES, explain
from harness.spec import Problem
from support import honest, with_arrays

ULP = {"tanh": 2.0}
SQUARE = ("B3-T5-D6-H6-f32-s4", "B6-T6-D6-H6-f64-s5", "B2-T9-D2-H2-f32-s6")
OBLONG = ("B3-T7-D4-H5-f32-s1", "B2-T3-D6-H4-f64-s2")


def seeded(sizes: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(f"rnn_tanh-dynamic-{sizes}"))


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("sizes", SQUARE)
def test_a_mistake_that_was_made_is_the_one_explanation(
    sizes: str, mistake: str
) -> None:
    problem = seeded(sizes)
    outcome = honest(with_arrays(problem, **MISTAKES[mistake](problem)))
    assert certify(problem, outcome, ULP).headroom > 1
    assert explain(problem, outcome, ULP) == [mistake]


@pytest.mark.parametrize("sizes", OBLONG)
def test_mistakes_that_fit_are_told_apart_where_a_kernel_is_not_square(
    sizes: str,
) -> None:
    problem = seeded(sizes)
    for mistake in MISTAKES.keys() - {"kernel transposed"}:
        outcome = honest(with_arrays(problem, **MISTAKES[mistake](problem)))
        assert explain(problem, outcome, ULP) == [mistake]


@pytest.mark.parametrize("sizes", [*SQUARE, *OBLONG])
def test_another_network_has_no_explanation(sizes: str) -> None:
    problem = seeded(sizes)
    stranger = seeded(sizes[: sizes.rindex("s")] + "s99")
    assert explain(problem, honest(stranger), ULP) == []


def test_the_mistakes_are_the_ones_they_are_named_after() -> None:
    problem = seeded(SQUARE[0])
    made = {name: mistake(problem) for name, mistake in MISTAKES.items()}
    assert made.keys() == {
        "recurrent kernel transposed",
        "kernel transposed",
        "bias dropped",
        "bias added twice",
        "initial state dropped",
        "recurrent kernel dropped",
        "steps in reverse order",
        "rows in reverse order",
    }
    transposed = made["recurrent kernel transposed"]["recurrent_kernel"]
    assert transposed[1, 2] == problem["recurrent_kernel"][2, 1]
    assert made["kernel transposed"]["kernel"][1, 2] == problem["kernel"][2, 1]
    assert not made["bias dropped"]["bias"].any()
    assert made["bias added twice"]["bias"] == pytest.approx(
        problem["bias"] + problem["bias"]
    )
    assert not made["initial state dropped"]["initial_h"].any()
    assert not made["recurrent kernel dropped"]["recurrent_kernel"].any()
    for name, at in (("steps", (1, -1)), ("rows", (-2, 0))):
        swapped = made[f"{name} in reverse order"]["inputs"]
        assert np.array_equal(swapped[at], problem["inputs"][1, 0])


def test_two_mistakes_that_come_to_the_same_are_both_named() -> None:
    problem = seeded("B1-T1-D3-H4-f32-s8")
    problem = with_arrays(problem, initial_h=np.zeros((1, 4), np.float32))
    bare = with_arrays(problem, bias=np.zeros(4, np.float32))
    assert explain(problem, honest(bare), ULP) == ["bias dropped"]
    started = with_arrays(problem, initial_h=np.full((1, 4), 0.5, np.float32))
    outcome = honest(with_arrays(started, initial_h=problem["initial_h"]))
    assert explain(started, outcome, ULP) == [
        "initial state dropped",
        "recurrent kernel dropped",
    ]
