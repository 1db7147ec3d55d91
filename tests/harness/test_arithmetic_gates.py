"""Error bounds of what gates do: they hold for every form, and not for much more."""

import numpy as np
import pytest

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.rounded import Rounded
from rnn_parity_core import Accuracy, Array, Error

U32 = 2.0**-24
SLOPE_UP = 1 + 2.0**-11  # slopes are bounded near by, or rounded up
ULP = {"tanh": 2.0, "sigmoid": 2.0}
OPS = Rounded(Accuracy("float32", {name: Error(ulp) for name, ulp in ULP.items()}))


def drawn(seed: int, *, low: float = -2.0, high: float = 2.0) -> Array:
    return np.random.default_rng(seed).uniform(low, high, 4000).astype(np.float32)


def exact(array: Array) -> Bounded:
    return OPS.constant(array)


def within(got: Array, bounded: Bounded) -> np.ndarray:
    assert got.dtype == np.float32
    return np.abs(got - bounded.value) <= bounded.error


def test_a_given_value_has_no_error_and_its_own_bits() -> None:
    x = drawn(0)
    value, error, *_ = exact(x)
    assert (value == x).all()
    assert value.dtype == np.float64
    assert not error.any()


def test_float32_results_of_one_operation_lie_within_their_bounds() -> None:
    a, b = drawn(1), drawn(2)
    for got, bounded in (
        (a + b, OPS.add(exact(a), exact(b))),
        (a * b, OPS.mul(exact(a), exact(b))),
        (a * b, OPS.scale(exact(a), b.astype(float))),
        (np.maximum(a, 0), OPS.relu(exact(a))),
    ):
        assert within(got, bounded).all()
        assert (bounded.error <= 1.01 * U32 * np.abs(bounded.value) + 2e-38).all()


def test_a_result_that_is_off_by_two_units_lies_outside() -> None:
    a, b = drawn(1), drawn(2)
    for got, bounded in (
        (a + b, OPS.add(exact(a), exact(b))),
        (a * b, OPS.mul(exact(a), exact(b))),
    ):
        for sign in (-1, 1):
            off = got + np.float32(sign * 2) * np.spacing(got)
            assert not within(off, bounded).any()


@pytest.mark.parametrize("size", [1e-6, 1e-2])
def test_errors_of_both_operands_are_carried(size: float) -> None:
    a, b = drawn(3), drawn(4)
    wide_a, wide_b = a.astype(float), b.astype(float)
    apart = Bounded(wide_a, np.full_like(wide_a, size))
    other = Bounded(wide_b, np.full_like(wide_b, 2 * size))
    for first in (-size, size):
        for second in (-2 * size, 2 * size):
            x, y = wide_a + first, wide_b + second
            for bounded, moved in (
                (OPS.add(apart, other), x + y),
                (OPS.mul(apart, other), x * y),
                (OPS.scale(apart, wide_b), x * wide_b),
                (OPS.relu(apart), np.maximum(x, 0)),
            ):
                away = np.abs(moved - bounded.value)
                assert (away <= bounded.error + 1e-15).all()  # relu adds no rounding
    assert (OPS.add(apart, other).error <= 3 * size + 5 * U32).all()
    assert (OPS.mul(apart, other).error <= 6.1 * size + 3 * size**2 + 5 * U32).all()


def test_a_mix_lies_within_its_bound_in_whatever_form_it_is_computed() -> None:
    z, a, b = drawn(5, low=0.0, high=1.0), drawn(6), drawn(7)
    bounded = OPS.mix(exact(z), exact(a), exact(b))
    one = np.float32(1)
    for got in (
        z * a + (one - z) * b,
        (one - z) * b + z * a,
        b + z * (a - b),
        a - (one - z) * (a - b),
    ):
        assert within(got, bounded).all()
    assert (bounded.error <= 3.1 * U32 * (np.abs(a) + np.abs(b))).all()
    assert bounded.value == pytest.approx(Float64().mix(z.astype(float), a, b))


@pytest.mark.parametrize("size", [1e-5, 1e-2])
def test_a_mix_carries_the_errors_of_all_three(size: float) -> None:
    z, a, b = (
        x.astype(float) for x in (drawn(5, low=0.0, high=1.0), drawn(6), drawn(7))
    )
    error = np.full_like(z, size)
    bounded = OPS.mix(Bounded(z, error), Bounded(a, error), Bounded(b, error))
    for sign in np.ndindex(2, 2, 2):
        dz, da, db = size * (2 * np.array(sign) - 1)
        inside = (z + dz >= 0) & (z + dz <= 1)
        moved = (z + dz) * (a + da) + (1 - z - dz) * (b + db)
        assert (np.abs(moved - bounded.value) <= bounded.error)[inside].all()
    apart = np.abs(a - b)
    assert (bounded.error <= size * (1.1 + apart) + 5 * size**2 + 13 * U32).all()


def test_the_logistic_function_may_be_off_by_the_stated_ulps_and_no_more() -> None:
    x = np.concatenate([drawn(8, low=-8, high=8), drawn(9, low=-80, high=-8)])
    bounded = OPS.sigmoid(exact(x))
    right = (1 / (1 + np.exp(-x.astype(np.longdouble)))).astype(np.float32)
    unit = np.spacing(right)
    assert within(right, bounded).all()
    inside = (np.abs(np.frexp(right)[0]) != 0.5) & (right < 1) & (right > 1e-30)
    assert inside.sum() > 6000
    for ulps, allowed in ((-1, True), (1, True), (-3, False), (3, False)):
        off = right + np.float32(ulps) * unit
        assert (within(off, bounded)[inside] == allowed).all(), ulps


@pytest.mark.parametrize("size", [1e-4, 1e-3, 0.25, 3.0])
def test_the_logistic_function_carries_the_error_of_its_argument(size: float) -> None:
    x = np.random.default_rng(3).uniform(-6, 6, 500)
    value, error, *_ = OPS.sigmoid(Bounded(x, np.full_like(x, size)))
    for shift in np.linspace(-size, size, 9):
        moved = 1 / (1 + np.exp(-(x + shift)))
        assert (np.abs(moved - value) <= error).all()
    # A slope is at most 1/4, rounded up.
    assert (error <= size / 4 * SLOPE_UP + 4.1 * U32).all()


def test_an_offset_that_is_kept_apart_from_a_bias_is_within_the_bound() -> None:
    x = drawn(10).reshape(-1, 4)
    kernel = drawn(11).reshape(-1, 4)[:4]
    bias, one = np.array([3e-3, -0.7, 0.2, 1.4], np.float32), np.float32(1)
    products = [(exact(x), kernel.astype(float))]
    wide = OPS.affine(products, bias.astype(float), offset=np.ones(4))
    plain = OPS.affine(products, bias.astype(float))
    assert (wide.value == plain.value).all()
    assert within((x @ kernel + (bias - one)) + one, wide).all()
    assert (wide.error > plain.error).all()
    # |bias - 1| + 1 in place of |bias|, and one rounding more
    room = wide.error - 7.1 / 6 * plain.error
    assert (room <= 7.1 * U32 * 2.0).all()


def test_where_take_stack_and_concatenate_keep_values_and_errors_together() -> None:
    a = Bounded(np.array([[1.0, 2.0]]), np.array([[0.1, 0.2]]))
    b = Bounded(np.array([[3.0, 4.0]]), np.array([[0.3, 0.4]]))
    chosen = OPS.where(np.array([[True, False]]), a, b)
    assert (chosen.value.tolist(), chosen.error.tolist()) == (
        [[1.0, 4.0]],
        [[0.1, 0.4]],
    )
    stacked = OPS.stack([a, b])
    assert stacked.value.tolist() == [[[1.0, 2.0], [3.0, 4.0]]]
    taken = OPS.take(stacked, (slice(None), 1))
    assert (taken.value.tolist(), taken.error.tolist()) == ([[3.0, 4.0]], [[0.3, 0.4]])
    joined = OPS.concatenate([a, b])
    assert joined.value.tolist() == [[1.0, 2.0, 3.0, 4.0]]
    assert joined.error.tolist() == [[0.1, 0.2, 0.3, 0.4]]


def test_a_recurrence_is_bounded_as_its_product_and_its_sum_are() -> None:
    ops = Rounded(Accuracy("float32", {}))
    draw = np.random.default_rng(4)

    def value() -> Bounded:
        error = draw.uniform(0, 1e-5, (3, 7, 4))
        return Bounded(draw.uniform(-2, 2, error.shape), error)

    f, a, c = value(), value(), value()
    for step in range(7):
        at = slice(None), step
        of_f, of_a, of_c = (ops.take(of, at) for of in (f, a, c))
        made = ops.recurrence(f, a)(step, of_c)
        for got, want in zip(made, ops.add(ops.mul(of_f, of_c), of_a), strict=True):
            assert got == pytest.approx(want, rel=1e-12)
        assert (made.error > 0).all()
