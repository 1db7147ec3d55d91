"""What backends state of their products and functions widens bounds, and no more."""

import ml_dtypes
import numpy as np
import pytest
from msgspec.structs import replace

from backends.on_jax import INFO_CUDA as JAX_CUDA
from backends.on_torch import INFO, INFO_CUDA
from fixtures import catalogue
from harness.backend import TF32_UNIT, Accuracy, BackendInfo
from harness.judge.bounded import Bounded
from harness.judge.conventions.precision import nearest_tf32
from harness.judge.rounded import Rounded
from harness.spec import Array

BF16 = np.dtype(ml_dtypes.bfloat16)
CASE = catalogue.case_from_id("lstm-dynamic-B3-T7-D4-H5-f32-s1")


def factors(dtype: str) -> tuple[Array, Array]:
    random = np.random.default_rng(3)
    x, w = random.uniform(-1, 1, (50, 64)), random.uniform(-1, 1, (64, 20))
    return x.astype(dtype), w.astype(dtype)


def bound(accuracy: Accuracy, x: Array, w: Array) -> Bounded:
    ops = Rounded(accuracy)
    return ops.affine([(ops.exactly(x), w.astype(float))], np.zeros(w.shape[1]))


def in_the_dtype(x: Array, w: Array) -> Array:
    """Sum up one product after the other, rounding each time."""
    total = np.zeros((len(x), w.shape[1]), x.dtype)
    for k in range(x.shape[1]):
        total = (total + x[:, k, np.newaxis] * w[k]).astype(x.dtype)
    return total.astype(np.float64)


def test_sums_in_float32_are_held_to_one_rounding_of_halves() -> None:
    x, w = factors("bfloat16")
    wide = (x.astype(np.float32) @ w.astype(np.float32)).astype(BF16).astype(float)
    narrow = in_the_dtype(x, w)
    stated = bound(Accuracy("bfloat16", {}, accumulator="float32"), x, w)
    silent = bound(Accuracy("bfloat16", {}), x, w)
    assert (np.abs(wide - stated.value) <= stated.error).all()
    assert (np.abs(narrow - silent.value) <= silent.error).all()
    assert (np.abs(narrow - stated.value) > stated.error).any()
    assert (stated.error < silent.error / 4).all()


def test_factors_of_fewer_bits_are_right_where_they_are_stated() -> None:
    x, w = factors("float32")
    short = nearest_tf32(x).astype(float) @ nearest_tf32(w).astype(float)
    stated = bound(Accuracy("float32", {}, factor_unit=TF32_UNIT), x, w)
    silent = bound(Accuracy("float32", {}), x, w)
    assert (np.abs(short - stated.value) <= stated.error).all()
    assert (np.abs(short - silent.value) > silent.error).mean() > 0.9


@pytest.mark.parametrize("info", [INFO_CUDA, JAX_CUDA], ids=["torch", "jax"])
def test_tensorfloat_32_is_stated_while_it_is_on_and_of_float32_alone(
    info: BackendInfo,
) -> None:
    on = replace(info, options={**info.options, "tf32": True})
    assert on.accuracy(CASE).factor_unit == TF32_UNIT
    assert info.accuracy(CASE).factor_unit == 0
    assert on.accuracy(replace(CASE, dtype="float64")).factor_unit == 0


def test_the_cpu_heeds_no_tensorfloat_32() -> None:
    on = replace(INFO, options={**INFO.options, "tf32": True})
    assert on.accuracy(CASE).factor_unit == 0


def test_results_that_are_zero_too_early_are_right_by_as_much_as_is_stated() -> None:
    x = np.array([-50.0])
    for absolute, allowed in ((0.0, False), (2e-22, True)):
        ops = Rounded(Accuracy("float32", {"sigmoid": 1.0}, {"sigmoid": absolute}))
        of = ops.sigmoid(ops.exactly(x))
        assert of.value[0] == pytest.approx(1.93e-22, rel=1e-2)
        assert (of.value[0] <= of.error[0]) == allowed


def test_what_earlier_steps_were_off_by_is_steady_for_later_ones() -> None:
    value, error, some = np.ones((2, 3)), np.full((2, 3), 1e-6), np.full((2, 3), 1e-7)
    given = Bounded(value, error, some, some)
    old = Rounded(Accuracy("float32", {}), apart=True).past(given)
    assert (old.steady == error).all()
    assert not np.any(old.sigma)
    assert (old.value == value).all()
    assert (old.error == error).all()


def test_c_is_read_off_h_where_h_tells_it() -> None:
    ops = Rounded(Accuracy("float32", {"tanh": 2.0, "sigmoid": 2.0}))
    random = np.random.default_rng(4)
    c = random.uniform(-2.5, 2.5, (40, 30))
    o = random.uniform(0.2, 0.9, c.shape)
    near = Bounded(o, np.full_like(o, 1e-7))
    h = ((o + 1e-7) * np.tanh(c)).astype(np.float32).astype(float)
    told = ops.rebuilt(near, h)
    assert np.isfinite(told.error).all()
    assert (np.abs(told.value - c) <= told.error).all()
    assert (np.abs(told.value - (c + 1e-4)) > told.error).mean() > 0.9


@pytest.mark.parametrize(
    ("o", "h"), [(0.5, 0.5), (0.5, 0.6), (1e-9, 1e-10), (0.5, -0.5)]
)
def test_c_is_not_read_off_an_h_that_hides_it(o: float, h: float) -> None:
    ops = Rounded(Accuracy("float32", {"tanh": 2.0}), apart=True)
    size = np.full((1, 1), o)
    given = Bounded(size, 1e-7 * np.ones((1, 1)), 0 * size, 0 * size)
    with np.errstate(all="ignore"):
        told = ops.rebuilt(given, np.full((1, 1), h))
    assert np.isinf(told.error).all()
    better = ops.nearer(told, Bounded(size, size, size, 0 * size))
    assert better.error[0, 0] == o
