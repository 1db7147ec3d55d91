"""Error bounds: they hold for every right way to compute, and not for much more."""

import math
from itertools import pairwise

import numpy as np
import pytest

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.bounds import likely, worst_case
from rnn_parity.judge.rounded import Rounded
from rnn_parity_core import Accuracy, Array, Error

U32 = 2.0**-24
SMALLEST_NORMAL = 2.0**-126
STATED_ULP = 2.0
SLOPE_UP = 1 + 2.0**-11  # slopes are bounded near by, or rounded up


def rounded() -> Rounded:
    return Rounded(Accuracy("float32", {"tanh": Error(STATED_ULP)}))


def test_few_terms_take_the_worst_case() -> None:
    assert likely(3, U32, 1) == pytest.approx(3 * U32, rel=1e-6)
    assert likely(2, 0.25, 1) == 1.0  # 2/4 over 1 - 2/4
    assert likely(15, U32, 1) == pytest.approx(15 * U32, rel=1e-5)


def test_many_terms_take_the_probabilistic_bound() -> None:
    # ln(2 * 1000 / 1e-9) = ln 2 + 12 ln 10 = 28.32417, lambda = sqrt(2 * it) = 7.52651,
    # times sqrt(1000 / 3) is 137.415; a million sums: ln 2 + 18 ln 10 = 42.13968,
    # 167.610.
    assert likely(1000, U32, 1) == pytest.approx(137.415 * U32, rel=3e-5)
    assert likely(1000, U32, 10**6) == pytest.approx(167.610 * U32, rel=3e-5)
    assert likely(17, U32, 1) < 17 * U32


def test_more_terms_coarser_units_and_more_sums_never_lower_the_bound() -> None:
    terms = [likely(n, U32, 100) for n in range(1, 3000)]
    sums = [likely(500, U32, n) for n in (0, 1, 2, 10, 10**3, 10**9)]
    units = [likely(500, 2.0**-k, 10) for k in range(60, 9, -1)]
    for rising in (terms, units):
        assert all(a < b for a, b in pairwise(rising))
    assert sums == sorted(sums)
    assert sums[1] < sums[-1]


@pytest.mark.parametrize("terms", [16, 17, 10**9])
def test_more_terms_than_a_dtype_can_tell_apart_have_no_worst_case(terms: int) -> None:
    assert worst_case(terms, 1 / 16) == math.inf
    assert worst_case(15, 1 / 16) < math.inf


def test_they_still_have_a_probabilistic_bound_until_that_is_out_of_range_too() -> None:
    # lambda = 7.52651 as above; exp(7.54124 * sqrt(1000 / 3) / 512 + 0.00382) - 1
    assert likely(1000, 2.0**-9, 1) == pytest.approx(0.3136, abs=0.001)
    assert likely(10**9, 1 / 16, 1) == math.inf


def in_many_orders(terms: Array) -> dict[str, float]:
    """Add float32 terms the way that libraries and loops do."""
    halves = np.concatenate([terms[:-1], [terms[-1] / 2] * 2]).astype(np.float32)
    lanes = np.pad(terms, (0, -len(terms) % 8)).reshape(-1, 8)
    return {
        "sequential": float(np.cumsum(terms)[-1]),
        "reversed": float(np.cumsum(terms[::-1])[-1]),
        "largest first": float(np.cumsum(terms[np.argsort(-np.abs(terms))])[-1]),
        "positive first": float(np.cumsum(np.sort(terms)[::-1])[-1]),
        "pairwise": float(np.add.reduce(np.ascontiguousarray(terms))),
        "in eight lanes": float(np.cumsum(np.cumsum(lanes, axis=0)[-1])[-1]),
        "once, at the end": float(np.float32(math.fsum(terms[::-1].tolist()))),
        "bias in halves": float(np.cumsum(halves)[-1]),
    }


@pytest.mark.parametrize("size", [1, 2, 7, 40, 300, 1500])
@pytest.mark.parametrize("low", [-1.0, 0.25])
def test_sums_in_any_order_lie_within_the_bound(size: int, low: float) -> None:
    random = np.random.default_rng(size)
    x, h = (random.uniform(low, 1, (20, size)).astype(np.float32) for _ in range(2))
    w, u = (random.uniform(low, 1, (size, 1)).astype(np.float32) for _ in range(2))
    bias = np.array([0.625], np.float32)
    wide = [
        (rounded().constant(x), w.astype(np.float64)),
        (rounded().constant(h), u.astype(np.float64)),
    ]
    value, error, *_ = rounded().affine(wide, bias.astype(np.float64))
    for row in range(len(x)):
        found = {"blas": float(x[row] @ w[:, 0] + h[row] @ u[:, 0] + bias[0])}
        products = np.concatenate([x[row] * w[:, 0], h[row] * u[:, 0], bias])
        assert products.dtype == np.float32
        found |= in_many_orders(products)
        for order, got in found.items():
            assert abs(got - value[row, 0]) <= error[row, 0], order


@pytest.mark.parametrize("size", [2000, 8000])
def test_sums_of_equal_terms_lie_within_the_bound(size: int) -> None:
    x, w = np.ones((1, size), np.float32), np.full((size, 1), 0.53305084, np.float32)
    value, error, *_ = rounded().affine(
        [(rounded().constant(x), w.astype(float))], np.zeros(1)
    )
    for order, got in in_many_orders(x[0] * w[:, 0]).items():
        assert abs(got - value[0, 0]) <= error[0, 0], order


# 20 sums of 1502 terms: lambda = sqrt(2 ln(2 * 1502 * 20 / 1e-9)) = 7.966, over
# sqrt(3 * 1502) that is 0.1187 of the worst case.
@pytest.mark.parametrize(("size", "factor"), [(1, 1.001), (20, 1.001), (1500, 0.119)])
def test_the_bound_is_at_most_a_stated_part_of_the_worst_case(
    size: int, factor: float
) -> None:
    x = np.random.default_rng(1).uniform(0.25, 1, (20, size)).astype(np.float32)
    w = -np.ones((size, 1))
    error = rounded().affine([(rounded().constant(x), w)], np.ones(1)).error[:, 0]
    magnitude = x.sum(axis=1, dtype=np.float64) + 1
    assert (error <= factor * (size + 2) * U32 * magnitude / (1 - 1e-3)).all()
    assert (error >= U32 * magnitude).all()


def test_errors_of_the_inputs_are_carried_through_the_weights() -> None:
    x = Bounded(np.array([[0.5, -0.25]]), np.array([[0.125, 0.0625]]))
    w = np.array([[2.0, 0.0], [-4.0, 8.0]])
    value, error, *_ = rounded().affine([(x, w)], np.array([1.0, 1.0]))
    assert value.tolist() == [[3.0, -1.0]]
    assert error[0] == pytest.approx([0.5, 0.5], rel=1e-5)
    assert (error[0] > 0.5).all()


def test_numbers_flushed_to_zero_are_allowed_and_larger_ones_are_not() -> None:
    for size, flushed in ((1e-30, True), (1e-15, False)):
        x = np.full((1, 1), size, np.float32)
        value, error, *_ = rounded().affine(
            [(rounded().constant(x), np.full((1, 1), size))], 0 * x[0]
        )
        assert value[0, 0] == pytest.approx(size * size)
        assert (value[0, 0] <= error[0, 0]) == flushed
    for size, flushed in (
        (0.5 * SMALLEST_NORMAL, True),
        (1e4 * SMALLEST_NORMAL, False),
    ):
        value, error, *_ = rounded().tanh(
            rounded().constant(np.array([size], np.float32))
        )
        assert (value[0] <= error[0]) == flushed


def test_tanh_may_be_off_by_the_stated_ulps_and_no_more() -> None:
    x = np.random.default_rng(2).uniform(-8, 8, 2000)
    x = np.concatenate([x, x * 1e-3, x * 1e-20]).astype(np.float32)
    value, error, *_ = rounded().tanh(rounded().constant(x))
    right = value.astype(np.float32)
    unit = np.spacing(np.abs(right)).astype(np.float64)
    assert (np.abs(right - value) <= error).all()
    whole = np.frexp(right)[0]  # next to a power of two the unit changes
    inside = (np.abs(whole) != 0.5) & (np.abs(right) < 1)
    assert inside.sum() > 4000
    for ulps, allowed in ((-1, True), (1, True), (-3, False), (3, False)):
        within = np.abs(right + ulps * unit - value) <= error
        assert (within[inside] == allowed).all(), ulps


@pytest.mark.parametrize("size", [1e-4, 1e-3, 0.25, 3.0])
def test_tanh_carries_the_error_of_its_argument(size: float) -> None:
    x = np.random.default_rng(3).uniform(-6, 6, 500)
    value, error, *_ = rounded().tanh(Bounded(x, np.full_like(x, size)))
    for shift in np.linspace(-size, size, 9):
        assert (np.abs(np.tanh(x + shift) - value) <= error).all()
    # A slope is at most 1, rounded up.
    assert (error <= size * SLOPE_UP + 4 * STATED_ULP * U32).all()
    steep = np.abs(x) < 0.1
    assert (np.abs(np.tanh(x + 4 * size) - value) > error)[steep & (size < 0.3)].all()


def test_saturated_outputs_are_held_to_the_last_places_of_one() -> None:
    x = np.array([40.0, -40.0, 40.0])
    value, error, *_ = rounded().tanh(Bounded(x, np.array([0.0, 1e-3, 8.0])))
    assert np.abs(value).tolist() == [1.0, 1.0, 1.0]
    for got, allowed in ((1 - 2**-24, True), (1 + 2**-23, True), (1 - 1e-6, False)):
        assert ((np.abs(got - np.abs(value)) <= error) == allowed).all(), got


def test_float64_has_a_bound_of_its_own() -> None:
    wide = Rounded(Accuracy("float64", {"tanh": Error(1.0)}))
    error = wide.tanh(wide.constant(np.array([0.5]))).error[0]
    assert 2.0**-53 < error < 4 * 2.0**-53


def test_the_reference_adds_and_bends_without_rounding_to_the_dtype() -> None:
    ops, x = Float64(), np.array([[0.1, 0.2]])
    summed = ops.affine([(x, np.array([[3.0], [5.0]]))], np.array([-1.0]))
    assert summed == pytest.approx(np.array([[0.3]]), rel=1e-15)
    assert ops.tanh(summed)[0, 0] == pytest.approx(math.tanh(0.3), rel=1e-15)


@pytest.mark.parametrize("x", [-5.0, -37.5, -80.0, 37.5, 300.0])
def test_an_error_before_the_logistic_function_comes_through_where_it_is_tiny(
    x: float,
) -> None:
    # y (1 - y) is nothing in float64 from 37 on; y itself is 1e-17 and still moves.
    error = 1e-5
    ops = Rounded(Accuracy("float32", {"sigmoid": Error(4.0)}))
    bound = ops.sigmoid(Bounded(np.array([x]), np.array([error])))
    for moved in (x - error, x + error):
        size = math.exp(-abs(moved))
        exact = 1 / (1 + size) if moved > 0 else size / (1 + size)
        assert abs(exact - bound.value[0]) <= bound.error[0]


@pytest.mark.parametrize("x", [-0.01, 0.7, 3.0, -25.0])
@pytest.mark.parametrize("error", [1e-4, 1e-3])
def test_an_error_before_tanh_comes_through(x: float, error: float) -> None:
    ops = Rounded(Accuracy("float64", {"tanh": Error(0.0)}))
    bound = ops.tanh(Bounded(np.array([x]), np.array([error])))
    for moved in (x - error, x + error):
        assert abs(math.tanh(moved) - bound.value[0]) <= bound.error[0]
    steepest = error / math.cosh(max(abs(x) - error, 0)) ** 2
    assert steepest <= bound.error[0] <= steepest * SLOPE_UP + 1e-14


@pytest.mark.parametrize("x", [-0.01, 0.7, -3.0, 25.0])
@pytest.mark.parametrize("error", [1e-4, 1e-3])
def test_an_error_before_the_logistic_function_comes_through(
    x: float, error: float
) -> None:
    ops = Rounded(Accuracy("float64", {"sigmoid": Error(0.0)}))
    bound = ops.sigmoid(Bounded(np.array([x]), np.array([error])))
    steepest = error / (4 * math.cosh(max(abs(x) - error, 0) / 2) ** 2)
    assert steepest <= bound.error[0] <= steepest * SLOPE_UP + 1e-14
