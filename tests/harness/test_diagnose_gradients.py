"""Gradients that are wrong where the steps are right: what became of them is named."""

from collections.abc import Callable

import numpy as np
import pytest

from rnn_parity.judge.certify import certify
from rnn_parity.judge.diagnose import explain
from rnn_parity.judge.gradients import bounded_gradients
from rnn_parity_core import Array, Outcome, Problem
from rnn_parity_fixtures import catalogue
from support import allowing, honest

Alter = Callable[[Problem, dict[str, Array]], None]

ULP = {"tanh": 2.0, "sigmoid": 4.0}
CASES = (
    "gru-dynamic-B3-T7-D4-H5-gradient-f64-s1",
    "lstm-variable_input-B3-T7-D4-H5-gradient-f64-s1",
    "rnn_tanh-dynamic-B3-T7-D4-H5-L2-bidirectional-gradient-f64-s1",
)


def differentiated(problem: Problem) -> Outcome:
    """Give a right outcome, gradients too."""
    outcome = dict(honest(problem))
    observed = outcome["outputs"].astype(np.float64)
    found = bounded_gradients(problem, allowing(problem, ULP), observed)
    return outcome | {name: of.value.copy() for name, of in found.items()}


def explained(case: str, alter: Alter) -> list[str]:
    problem = catalogue.build(catalogue.case_from_id(case))
    outcome = dict(differentiated(problem))
    assert certify(problem, outcome, allowing(problem, ULP)).bound_ratio <= 1
    alter(problem, outcome)
    assert certify(problem, outcome, allowing(problem, ULP)).bound_ratio > 1
    return explain(problem, outcome, allowing(problem, ULP))


def every(change: Callable[[Array], Array], part: str = "") -> Alter:
    """Change all gradients whose names end so."""

    def alter(_: Problem, outcome: dict[str, Array]) -> None:
        for name, array in outcome.items():
            if name.startswith("gradient_") and name.endswith(part):
                outcome[name] = change(array)

    return alter


def mean_over_rows(problem: Problem, outcome: dict[str, Array]) -> None:
    every(lambda a: a / problem.case.batch)(problem, outcome)


def without_final_states(problem: Problem, outcome: dict[str, Array]) -> None:
    silent = {
        n: np.zeros_like(a) if n.startswith("cotangent_final") else a
        for n, a in problem.arrays.items()
    }
    outcome |= differentiated(Problem(problem.case, silent))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("name", "alter"),
    [
        ("mean over rows instead of sum", mean_over_rows),
        ("final states left out of the loss", without_final_states),
        ("gradient of bias zero", every(np.zeros_like, ".bias")),
        ("gradient of inputs negated", every(np.negative, "_inputs")),
        (
            "gradient of inputs with rows shifted by one",
            every(lambda a: np.roll(a, 1, axis=0), "_inputs"),
        ),
        ("gradient of initial h doubled", every(lambda a: a * 2, "initial_h")),
        (
            "all gradients rounded to float32",
            every(lambda a: a.astype(np.float32).astype(np.float64)),
        ),
    ],
)
def test_what_became_of_gradients_is_named(case: str, name: str, alter: Alter) -> None:
    assert name in explained(case, alter)


@pytest.mark.parametrize("case", CASES)
def test_gradients_without_a_pattern_are_not_explained(case: str) -> None:
    rng = np.random.default_rng(5)
    noisy = every(lambda a: a + 1e-3 * rng.standard_normal(a.shape))
    assert explained(case, noisy) == []


def test_a_scale_that_is_no_mean_is_given_as_a_number() -> None:
    words = explained(CASES[0], every(lambda a: 0.25 * a))
    assert len(words) == 1
    assert words[0].startswith("all gradients scaled by 0.25, to a norm of ")
