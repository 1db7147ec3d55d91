"""Operations of cells: their values, and bounds that every legal form is within."""

import math

import numpy as np
import pytest

from legal import (
    EPSILON,
    EVERY_DTYPE,
    OPERATIONS,
    STANDARDIZED,
    by_distances,
    ops,
    over,
    standardized,
)
from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.bounded import Bounded
from rnn_parity_core import Array
from rnn_parity_core import functions as f

# -- float64 values, number by number


def rows(seed: int = 1, size: int = 5) -> Array:
    return np.random.default_rng(seed).normal(size=(2, 3, size)) * 3


def test_a_quotient_a_shift_and_a_total_are_what_they_are_called() -> None:
    a, b = rows(1), rows(2)
    plain = Float64()
    for at in np.ndindex(a.shape):
        assert plain.divide(a, b)[at] == a[at] / b[at]
        assert plain.shift(a, b[0, 0])[at] == a[at] + b[0, 0, at[2]]
    for i, j in np.ndindex(2, 3):
        assert plain.total(a)[i, j] == pytest.approx(math.fsum(a[i, j]), rel=1e-15)
    for i, k in np.ndindex(2, 5):
        along = math.fsum(a[i, :, k])
        assert plain.total(a, -2)[i, k] == pytest.approx(along, rel=1e-14)


def test_to_spread_repeats_along_a_new_axis() -> None:
    a = rows()
    last, before = Float64().spread(a, 4), Float64().spread(a, 4, -2)
    assert last.shape == (2, 3, 5, 4)
    assert before.shape == (2, 3, 4, 5)
    for n in range(4):
        assert (last[..., n] == a).all()
        assert (before[..., n, :] == a).all()


def test_to_standardize_leaves_no_mean_and_a_deviation_of_1() -> None:
    a = rows(size=7)
    found = Float64().standardize(a, 0.25)
    for row, got in zip(a.reshape(-1, 7), found.reshape(-1, 7), strict=True):
        mean = math.fsum(row) / 7
        variance = math.fsum((v - mean) ** 2 for v in row) / 7
        want = [(v - mean) / math.sqrt(variance + 0.25) for v in row]
        assert got == pytest.approx(want, rel=1e-13)
    assert (Float64().standardize(np.full((1, 4), 3.0), 1e-5) == 0).all()


def test_a_function_is_its_value() -> None:
    a = rows()
    for function in (f.SOFTSIGN, f.HARD_SIGMOID, f.EXP):
        assert (Float64().function(function, a) == function.value(a)).all()


# -- bounds


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("form", STANDARDIZED)
@EVERY_DTYPE
def test_every_way_to_standardize_is_within_the_bound(dtype: str, form: str) -> None:
    assert standardized(dtype, form) <= 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("form", ["by_distances", "by_squares", "scaled_first"])
def test_so_is_every_way_with_wide_sums_and_narrow_results(form: str) -> None:
    assert standardized("bfloat16", form, "float32") <= 1


@pytest.mark.parametrize(("size", "least"), [(4, 0.02), (33, 0.008), (256, 0.0015)])
def test_the_bound_is_not_needlessly_wide(size: int, least: float) -> None:
    """By squared distances; a worst case of n roundings errs by their root of n."""
    a = np.random.default_rng(5).standard_normal((500, size)).astype(np.float32)
    bound = ops("float32").standardize(ops("float32").constant(a), EPSILON)
    usual: list[Array] = []
    over(by_distances(a, "forwards", divided=True), bound, usual)
    assert np.median(np.concatenate(usual)) > least


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("which", OPERATIONS)
@EVERY_DTYPE
def test_every_way_to_compute_an_operation_is_within_its_bound(
    dtype: str, which: str
) -> None:
    # Not too wide, either: something comes near.
    # (The reference's own ulps are as many as a float64 function's.)
    least = 0.2 if (dtype, which) == ("float64", "stated") else 0.4
    assert least < OPERATIONS[which](dtype) <= 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nothing_is_known_of_what_is_divided_by_what_may_be_0() -> None:
    a, b = (
        Bounded(np.ones(3), np.zeros(3)),
        Bounded(np.array([0.0, 0.5, 0.5]), np.array([0.1, 0.5, 0.25])),
    )
    found = ops("float32").divide(a, b)
    assert np.isinf(found.error).tolist() == [True, True, False]
    assert np.isfinite(found.value).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nothing_is_known_of_what_is_divided_by_a_deviation_that_may_be_0() -> None:
    a = np.array([[1e6, 1e6, 1e6], [1e6, 2e6, 3e6]])
    error = ops("float32").standardize(Bounded(a, 0 * a), EPSILON).error
    assert np.isinf(error).tolist() == [[True] * 3, [False] * 3]
    assert not np.isnan(error).any()
