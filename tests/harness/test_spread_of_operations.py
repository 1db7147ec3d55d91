"""What scatters, and how far right results spread, through the new operations."""

from typing import Any

import numpy as np
import pytest

from experimental import MATRIX, NORMED, experimental
from rnn_parity.adversary.choices import Choices, Plain
from rnn_parity.adversary.running import run
from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.certify import certify, reference
from rnn_parity.judge.estimate import estimate, simulated
from rnn_parity.judge.matched import scores
from rnn_parity.judge.scatter import Scatter, Scattered
from rnn_parity.judge.stochastic import Stochastic
from rnn_parity_core import CELLS, Accuracy, Array, Error, Problem
from rnn_parity_core import functions as f
from rnn_parity_fixtures import catalogue
from support import with_arrays

__all__ = ["experimental"]
pytestmark = pytest.mark.usefixtures("experimental")

ACCURACY = Accuracy("float32", {"tanh": Error(2.0), "sigmoid": Error(4.0)})
BOTH = pytest.mark.parametrize("cell", [NORMED.name, MATRIX.name])


def built(case: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(case))


# -- sums over steps


@BOTH
def test_errors_of_legal_implementations_do_not_add_up(cell: str) -> None:
    problem = built(f"{cell}-dynamic-B4-T32-D8-H8-f32-s1")
    for seed in range(4):
        outcome = run(problem, ACCURACY, Choices(seed))
        certificate = certify(problem, outcome, ACCURACY)
        assert certificate.bound_ratio <= 1
        worst = [float(of.ratio.max()) for of in certificate.systematic.values()]
        assert len(worst) == len(CELLS[cell].weights)
        assert 0 < max(worst) < 0.7


@pytest.mark.parametrize(
    ("cell", "weight"), [(NORMED.name, "cell_shift"), (MATRIX.name, "bias")]
)
def test_a_weight_that_is_off_is_told_by_how_far(cell: str, weight: str) -> None:
    problem = built(f"{cell}-dynamic-B8-T64-D8-H8-f32-s1")
    name, by = f"layer0.forward.{weight}", 1e-3
    array = problem[name].copy()
    array[3] += np.float32(by)
    wrong = with_arrays(problem, **{name.replace(".", "__"): array})
    certificate = certify(problem, run(wrong, ACCURACY, Plain()), ACCURACY)
    found = certificate.systematic[name]
    assert found.ratio[3] > 1
    # Where one weight moves many units, their slopes count as if of one sign: the
    # change is told too small, never too large.
    least = 0.9 if cell == NORMED.name else 0.1
    assert least * by < found.estimate[3] < 1.1 * by


def scattered(form: Any, width: float) -> tuple[Array, Array, Array]:
    """Give how far results scatter, what is said of that, and what is steady."""
    rng = np.random.default_rng(6)
    ops, steps, n = Scatter(ACCURACY), 4, 6
    value = rng.normal(size=(steps, n)) * 0.3
    value[:, 0] = 4.0  # far out: a deviation depends on it most of all
    sigma = width * rng.uniform(0, 1, (steps, n))
    loose = 6 * sigma
    given = Scattered(value, loose.copy(), loose, sigma)
    said = form(ops, given)
    drawn = value + sigma * rng.standard_normal((20000, 1, n))
    exact = form(FLOAT64, value)
    seen = form(FLOAT64, drawn.reshape(-1, n)).reshape(20000, steps, *exact.shape[1:])
    return (seen - exact).std(axis=0), said.sigma, said.steady


FLOAT64: Any = Float64()
W = np.array([1.0, -2.0, 0.5, 3.0, 1.0, 1.0])
SCATTERING = {
    "standardize": lambda o, a: o.standardize(a, 1e-5),
    "total": lambda o, a: o.total(a),
    "spread": lambda o, a: o.spread(a, 3),
    "shift": lambda o, a: o.shift(a, W),
    "divide": lambda o, a: o.divide(a, o.shift(o.mul(a, a), np.ones(6))),
    "function": lambda o, a: o.function(f.SOFTSIGN, a),
}


@pytest.mark.parametrize("which", SCATTERING)
def test_what_scatters_is_said_to_scatter_at_least_as_far(which: str) -> None:
    seen, said, steady = scattered(SCATTERING[which], 1e-4)
    assert (seen <= said * 1.03).all()  # of 20,000 draws
    assert (steady >= 0).all()


def test_a_deviation_that_is_not_told_to_scatter_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = Scatter.standardize

    def of_itself(self: Any, a: Scattered, epsilon: float) -> Scattered:
        made = right(self, a, epsilon)
        scale = 1 / np.sqrt(a.value.var(-1, keepdims=True) + epsilon)
        return made._replace(sigma=scale * a.sigma)

    monkeypatch.setattr(Scatter, "standardize", of_itself)
    seen, said, _ = scattered(SCATTERING["standardize"], 1e-4)
    assert (seen > said * 1.03).any()


def test_no_more_is_taken_off_a_bound_than_what_scatters_put_there() -> None:
    """A single unit that scatters: the steady part of others stays theirs."""
    ops, value = Scatter(ACCURACY), np.random.default_rng(1).normal(size=(3, 8))
    none, one = np.zeros((3, 8)), np.zeros((3, 8))
    one[:, 2] = 1e-3
    quiet = ops.standardize(Scattered(value, none, none, none), 1e-5)
    loud = ops.standardize(Scattered(value, one, one, one / 6), 1e-5)
    assert (loud.steady >= quiet.steady * (1 - 1e-9)).all()


# -- estimates


@pytest.mark.parametrize(
    "case",
    [
        "layer_norm_lstm-dynamic-B3-T20-D4-H8-L2-f32-s1",
        "layer_norm_lstm-dynamic-B2-T12-D4-H6-L2-bidirectional-f32-s2",
        "matrix_memory-dynamic-B3-T16-D4-H6-L2-f32-s1",
    ],
)
def test_legal_stacks_are_within_the_spread(case: str) -> None:
    problem = built(case)
    spread = simulated(problem, ACCURACY)
    for choices in (Plain(), *map(Choices, range(3))):
        found = estimate(spread, run(problem, ACCURACY, choices))
        assert found.ratio is not None
        # What errs as far as it may, everywhere alike, comes near.
        assert 0 < found.ratio <= (1 / 2 if isinstance(choices, Plain) else 1), found


def spreads(form: Any, simulations: int = 60) -> tuple[Array, Array]:
    """Give how far float32 is off, and how far it is said to spread."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=(40, 6)).astype(np.float32)
    ops = Stochastic(ACCURACY, 40, simulations, rng)
    many = np.tile(a.astype(float), (simulations + 1, 1))
    made = form(ops, many).reshape(simulations + 1, 40, -1)
    spread = np.sqrt(np.mean(np.square(made[1:] - made[0]), axis=0))
    return np.abs(form(FLOAT32, a).reshape(40, -1) - made[0]), spread


class _Float32:
    """Operations as NumPy has them, in float32."""

    def standardize(self, a: Array, epsilon: float) -> Array:
        apart = a - a.mean(-1, keepdims=True)
        variance = (apart * apart).mean(-1, keepdims=True)
        return np.asarray(apart / np.sqrt(variance + np.float32(epsilon)))

    def total(self, a: Array) -> Array:
        return np.asarray(a.sum(axis=-1))

    def shift(self, a: Array, w: Array) -> Array:
        return np.asarray(a + w.astype(np.float32))

    def divide(self, a: Array, b: Array) -> Array:
        return np.asarray(a / b)

    def mul(self, a: Array, b: Array) -> Array:
        return a * b

    def function(self, function: f.Function, x: Array) -> Array:
        assert function is f.SOFTSIGN
        return np.asarray(x / (1 + np.abs(x)))


FLOAT32: Any = _Float32()


@pytest.mark.parametrize("which", ["standardize", "total", "divide", "function"])
def test_float32_is_as_far_off_as_it_is_said_to_spread(which: str) -> None:
    off, spread = spreads(SCATTERING[which])
    typical = np.sqrt(np.mean(np.square(off))) / np.sqrt(np.mean(np.square(spread)))
    assert 0.1 < typical < 1.5
    assert (off <= 12 * spread.mean()).all()


def test_functions_of_matrix_states_err_along_one_curve_each_run() -> None:
    ops = Stochastic(ACCURACY, 2, 5, np.random.default_rng(1))
    states = np.tile(np.random.default_rng(2).normal(size=(2, 3, 4)), (6, 1, 1))
    made = ops.tanh(states)
    assert (made[:2] == np.tanh(states[:2])).all()
    assert made.shape == states.shape
    assert (np.abs(made - np.tanh(states))[2:].max(axis=(1, 2)) > 0).all()


# -- directions of weights


@pytest.mark.parametrize(
    "case",
    [
        "layer_norm_lstm-dynamic-B2-T4-D3-H3-L2-f64-s1",
        "matrix_memory-dynamic-B2-T4-D3-H3-L2-bidirectional-f64-s1",
    ],
)
def test_scores_are_derivatives(case: str) -> None:
    problem = built(case)
    exact, rng = reference(problem), np.random.default_rng(1)
    seeds = {name: rng.normal(size=(2, *of.shape)) for name, of in exact.items()}
    for name, found in scores(problem, seeds):
        at = tuple(int(rng.integers(size)) for size in problem[name].shape)
        sides = []
        for by in (1e-5, -1e-5):
            moved = problem[name].copy()
            moved[at] += by
            given = {name.replace(".", "__"): moved}
            sides.append(reference(with_arrays(problem, **given)))
        for k in range(2):
            slope = sum(
                float((seeds[n][k] * (sides[0][n] - sides[1][n])).sum()) for n in exact
            )
            assert found[(k, *at)] == pytest.approx(slope / 2e-5, rel=1e-5, abs=1e-6)
