"""Stacks held to how far right implementations spread: an estimate."""

import re
from dataclasses import replace as with_fields

import numpy as np
import pytest

from rnn_parity.judge.certify import reference
from rnn_parity.judge.estimate import (
    FACTOR,
    SIMULATIONS,
    Spreads,
    estimate,
    fits,
    simulated,
)
from rnn_parity.judge.in_stacks import explain_by_estimate
from rnn_parity.judge.matched import scores
from rnn_parity.judge.sensitivity import changes_by_estimate
from rnn_parity.judge.stochastic import chained
from rnn_parity.runs.registry import known_backends
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import Accuracy, Array, Outcome, Problem
from rnn_parity_fixtures import catalogue

STACK = "lstm-dynamic-B3-T24-D5-H8-L3-f32-s1"
STACKS = (
    STACK,
    "gru-dynamic-B2-T40-D4-H16-L2-f32-s2",
    "gru_reset_before-dynamic-B2-T12-D4-H7-L2-bidirectional-f32-s2",
    "rnn_tanh-dynamic-B3-T64-D4-H24-L4-f32-s3",
    "rnn_relu-dynamic-B3-T12-D4-H9-L2-f32-s4",
    "lstm_peephole-dynamic-B2-T30-D4-H6-L2-f32-s5",
    "lstm_projection-dynamic-B2-T30-D4-H8-P3-L2-f32-s6",
    "lstm-variable_input-B4-T20-D4-H6-L3-bidirectional-f32-s7",
    "lstm-dynamic-B2-T200-D4-H12-L3-G2-f32-s8",
)


def built(case_id: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(case_id))


def accuracy_of(problem: Problem) -> Accuracy:
    return known_backends()["numpy"].accuracy_for(problem.case)


def ran(problem: Problem) -> Outcome:
    return NumpyBackend().run(problem)


def changed(problem: Problem, name: str, by: float) -> Problem:
    """Give the problem with the largest element of a weight changed by a share."""
    array = problem[name].copy()
    array.flat[int(np.abs(array).argmax())] *= np.float32(1 + by)
    return with_fields(problem, arrays={**problem.arrays, name: array})


@pytest.mark.parametrize("case_id", STACKS)
def test_right_outcomes_are_consistent(case_id: str) -> None:
    problem = built(case_id)
    spread = simulated(problem, accuracy_of(problem))
    found = estimate(spread, ran(problem))
    assert found.ratio is not None
    assert 0 < found.ratio <= 1 / 2, found
    assert (found.factor, found.simulations) == (FACTOR, SIMULATIONS)


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel", "bias"])
def test_one_element_of_any_layer_that_is_off_fails(layer: int, name: str) -> None:
    problem = built(STACK)
    wrong = ran(changed(problem, f"layer{layer}.forward.{name}", 1e-2))
    alone = {"outputs": wrong["outputs"]}
    found = estimate(simulated(problem, accuracy_of(problem)), alone)
    assert found.ratio is not None
    assert found.ratio > 1, found


def test_what_no_element_shows_adds_up_and_its_unit_is_named() -> None:
    problem = built("rnn_tanh-dynamic-B8-T64-D6-H24-L2-f32-s3")
    name = "layer0.forward.bias"
    array = problem[name].copy()
    array[5] += np.float32(1e-6)
    wrong = with_fields(problem, arrays={**problem.arrays, name: array})
    outcome = {"outputs": ran(wrong)["outputs"]}
    spread = simulated(problem, accuracy_of(problem))
    assert fits(spread, outcome)
    found = estimate(spread, outcome)
    assert found.ratio is not None
    assert found.ratio > 1
    assert re.match(r"as if layer0\.forward\..*\b5\] were off", found.where)


def test_an_outcome_that_is_no_number_fails() -> None:
    problem = built(STACK)
    outputs = ran(problem)["outputs"].copy()
    outputs[1, 2, 3] = np.nan
    spread = simulated(problem, accuracy_of(problem))
    assert estimate(spread, {"outputs": outputs}).ratio is None


def test_what_passes_moves_no_output_beyond_what_is_allowed() -> None:
    problem = built(STACK)
    spread, outcome = simulated(problem, accuracy_of(problem)), ran(problem)
    changes = changes_by_estimate(spread, outcome)
    assert changes.keys() == {"kernel", "recurrent_kernel", "bias"}
    by = changes["bias"]
    assert by is not None
    for layer, fails in ((0, 2.0), (1, 2.0), (2, 2.0)):
        name = f"layer{layer}.forward.bias"
        grown = (problem[name] * (1 + fails * by)).astype(np.float32)
        other = with_fields(problem, arrays={**problem.arrays, name: grown})
        found = estimate(spread, ran(other))
        assert found.ratio is not None
        assert found.ratio > 1, name


def test_simulations_are_always_the_same() -> None:
    problem = built(STACK)
    first, second = (simulated(problem, accuracy_of(problem)) for _ in range(2))
    for name in first.errors:
        assert np.array_equal(first.errors[name], second.errors[name])


def test_a_chaotic_network_is_not_estimated() -> None:
    problem = built("rnn_tanh-dynamic-B2-T96-D4-H32-L2-G6-f32-s1")
    assert Spreads(problem)(accuracy_of(problem)) is None
    partly = built("lstm-dynamic-B2-T96-D4-H32-L2-G8-f32-s1")
    assert Spreads(partly)(accuracy_of(partly)) is None
    tame = built("rnn_tanh-dynamic-B2-T96-D4-H32-L2-f32-s1")
    assert Spreads(tame)(accuracy_of(tame)) is not None


def test_a_mistake_in_one_layer_alone_is_named() -> None:
    problem = built(STACK)
    swapped = {}
    for name in ("kernel", "recurrent_kernel", "bias"):
        full = f"layer1.forward.{name}"
        i, f, g, o = np.split(problem[full], 4, axis=-1)
        swapped[full] = np.concatenate([f, i, g, o], axis=-1)
    wrong = ran(with_fields(problem, arrays={**problem.arrays, **swapped}))
    named = explain_by_estimate(
        problem, {"outputs": wrong["outputs"]}, accuracy_of(problem)
    )
    assert named == ["gate order f, i, g, o instead of i, f, g, o in layer 1 alone"]


def test_nothing_is_named_that_does_not_explain() -> None:
    problem = built(STACK)
    wrong = ran(changed(problem, "layer0.forward.kernel", 0.5))
    assert explain_by_estimate(problem, wrong, accuracy_of(problem)) == []


@pytest.mark.parametrize("case_id", [STACK, STACKS[2], STACKS[7]])
def test_scores_are_derivatives_of_all_arrays(case_id: str) -> None:
    problem = built(case_id)
    exact, rng = reference(problem), np.random.default_rng(1)
    seeds = {name: rng.normal(size=(3, *of.shape)) for name, of in exact.items()}
    for name, found in scores(problem, seeds):
        array = problem[name].astype(np.float64)
        at = tuple(int(rng.integers(size)) for size in array.shape)
        sides = []
        for by in (1e-5, -1e-5):
            moved = array.copy()
            moved[at] += by
            other = with_fields(problem, arrays={**problem.arrays, name: moved})
            sides.append(reference(other))
        for k in range(3):
            slope = sum(
                float((seeds[n][k] * (sides[0][n] - sides[1][n])).sum()) for n in exact
            )
            assert found[(k, *at)] == pytest.approx(slope / 2e-5, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_chained_sums_err_as_is_derived(mean: float) -> None:
    rng, terms = np.random.default_rng(2), 200
    values = rng.normal(mean, 1, terms).astype(np.float32)
    errors = []
    for _ in range(4000):
        total = np.float32(0)
        for value in rng.permutation(values):
            total += value
        errors.append(float(total) - values.astype(np.float64).sum())
    wide: Array = values.astype(np.float64)
    derived = np.sqrt(chained(terms, wide.sum(), np.square(wide).sum())) * 2.0**-24
    seen = float(np.sqrt(np.mean(np.square(errors))))
    # Within a binade a rounding is 0.56 to 1 of what the unit says.
    assert 0.5 * derived < seen < derived
