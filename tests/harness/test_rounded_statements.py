"""What backends state of their products and functions widens bounds, and no more."""

import ml_dtypes
import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.judge.adjoint import RoundedAdjoint, Rows
from rnn_parity.judge.bounded import Bounded, logistic_of, tanh_of
from rnn_parity.judge.conventions.precision import _of_dtype, nearest_tf32
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.scatter import Scatter
from rnn_parity_backends.on_jax import INFO_CUDA as JAX_CUDA
from rnn_parity_backends.on_torch import INFO, INFO_CUDA
from rnn_parity_core import TF32_UNIT, Accuracy, Array, BackendInfo, Error
from rnn_parity_fixtures import catalogue

BF16 = np.dtype(ml_dtypes.bfloat16)
CASE = catalogue.case_from_id("lstm-dynamic-B3-T7-D4-H5-f32-s1")


def factors(dtype: str) -> tuple[Array, Array]:
    random = np.random.default_rng(3)
    x, w = random.uniform(-1, 1, (50, 64)), random.uniform(-1, 1, (64, 20))
    return x.astype(dtype), w.astype(dtype)


def bound(accuracy: Accuracy, x: Array, w: Array) -> Bounded:
    ops = Rounded(accuracy)
    return ops.affine([(ops.constant(x), w.astype(float))], np.zeros(w.shape[1]))


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
    assert on.accuracy_for(CASE).factor_unit == TF32_UNIT
    assert info.accuracy_for(CASE).factor_unit == 0
    assert on.accuracy_for(replace(CASE, dtype="float64")).factor_unit == 0


def test_the_cpu_heeds_no_tensorfloat_32() -> None:
    on = replace(INFO, options={**INFO.options, "tf32": True})
    assert on.accuracy_for(CASE).factor_unit == 0


def test_results_that_are_zero_too_early_are_right_by_as_much_as_is_stated() -> None:
    x = np.array([-50.0])
    for absolute, allowed in ((0.0, False), (2e-22, True)):
        ops = Rounded(Accuracy("float32", {"sigmoid": Error(1.0, absolute=absolute)}))
        of = ops.sigmoid(ops.constant(x))
        assert of.value[0] == pytest.approx(1.93e-22, rel=1e-2)
        assert (of.value[0] <= of.error[0]) == allowed


_NEAR_0 = Error(6.0, near=((1.0, 1.5), (4.0, 2.5)))
NEAR = Accuracy("float32", {"tanh": _NEAR_0, "sigmoid": _NEAR_0})
# Magnitude of an argument, its error, and the ulp stated for all that it may be.
STATED = [
    (0.0, 0.0, 1.5),
    (0.997, 0.0, 1.5),  # a limit is certainly kept a little below it
    (-0.997, 0.0, 1.5),
    (0.9999, 0.0002, 2.5),
    (0.99, 0.02, 2.5),
    (-0.99, 0.02, 2.5),
    (1.01, 0.0, 2.5),
    (3.997, 0.0, 2.5),
    (4.01, 0.0, 6.0),
    (0.5, 4.0, 6.0),
    (-30.0, 0.0, 6.0),
    (0.5, np.inf, 6.0),
]


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
@pytest.mark.parametrize("many", [True, False], ids=["at once", "one by one"])
def test_the_fewer_ulp_near_0_count_where_they_cover_all_that_may_be(
    function: str, many: bool
) -> None:
    x, error, ulp = np.array(STATED).T
    places = [slice(None)] if many else [slice(n, n + 1) for n in range(len(x))]
    for at in places:
        given = Bounded(x[at], error[at])
        found = getattr(Rounded(NEAR), function)(given).error
        for single in sorted(set(ulp[at])):
            plain = Rounded(Accuracy("float32", {function: Error(single)}))
            same = ulp[at] == single
            wanted = getattr(plain, function)(given).error
            assert found[same].tolist() == wanted[same].tolist()


def test_what_is_not_a_number_is_held_to_what_is_stated_of_all_arguments() -> None:
    x = np.array([0.5, np.nan, 0.5])
    for function in (tanh_of, logistic_of):
        for error in ([0.0, 0.0, np.nan], [0.0, 0.0, 1e-4], [0.0, 0.0, 0.2]):
            covered = function(Bounded(x, np.array(error))).within(0.6)
            assert covered.tolist() == [True, False, error[2] == 1e-4]


def test_a_function_off_by_more_than_is_stated_near_0_is_caught_there_alone() -> None:
    x = np.array([0.3, -0.9, 1.5, 3.0, 6.0])
    ops = Scatter(NEAR)
    right = ops.tanh(ops.known(ops.constant(x)))
    ulp = np.spacing(np.abs(right.value).astype(np.float32)).astype(float)
    off = 2.0 * ulp > right.error
    assert off.tolist() == [True, True, False, False, False]
    assert (right.steady == right.error).all()


GATES = {"f": 0.5, "i": 0.5, "g": 0.0}


def told(ops: Rounded, o: Bounded, h: Array, **gates: float) -> Bounded:
    """Read c off h, beside exact gates."""
    values = {
        name: Bounded(np.full(h.shape, value), np.zeros(h.shape))
        for name, value in {**GATES, **gates}.items()
    }
    with np.errstate(all="ignore"):
        return ops.infer_c(o, h, **values)


def test_c_is_read_off_h_by_the_ulp_stated_for_c_and_not_for_its_tanh() -> None:
    o, c = np.full(3, 0.5), np.array([0.5, 1.2, 0.99])  # within 0.05 of 1 at last
    given, h = Bounded(o, np.zeros(3)), o * np.tanh(c)
    found = Rounded(NEAR).told_by(given, h).error
    for ulp, at in ((1.5, 0), (2.5, 1), (2.5, 2)):
        plain = Rounded(Accuracy("float32", {"tanh": Error(ulp)}))
        assert found[at] == plain.told_by(given, h).error[at]


def test_a_lower_dtype_inside_is_not_held_to_what_suffices_near_0() -> None:
    plain = replace(NEAR, functions={"tanh": Error(6.0), "sigmoid": Error(6.0)})
    x = Bounded(np.array([0.3]), np.array([1e-3]))
    guesses = [_of_dtype("float16", stated).tanh(x).error for stated in (NEAR, plain)]
    assert guesses[0] == guesses[1]


def test_what_earlier_steps_were_off_by_is_steady_for_later_ones() -> None:
    given = Bounded(np.ones((2, 3)), np.full((2, 3), 1e-6))
    old = Scatter(Accuracy("float32", {})).known(given)
    assert (old.steady == given.error).all()
    assert not np.any(old.sigma)
    assert (old.value == given.value).all()


OPS = Rounded(Accuracy("float32", {"tanh": Error(2.0), "sigmoid": Error(2.0)}))


def test_c_is_read_off_h_where_h_tells_it() -> None:
    random = np.random.default_rng(4)
    c = random.uniform(-2.5, 2.5, (40, 30))
    o = random.uniform(0.2, 0.9, c.shape)
    near = Bounded(o, np.full_like(o, 1e-7))
    h = ((o + 1e-7) * np.tanh(c)).astype(np.float32).astype(float)
    found = told(OPS, near, h)
    assert np.isfinite(found.error).all()
    assert (np.abs(found.value - c) <= found.error).all()
    assert (np.abs(found.value - (c + 1e-4)) > found.error).mean() > 0.9


@pytest.mark.parametrize(
    ("o", "h"), [(0.5, 0.5), (0.5, 0.6), (1e-9, 1e-10), (0.5, -0.5)]
)
def test_c_is_not_read_off_an_h_that_hides_it(o: float, h: float) -> None:
    size = np.full((1, 1), o)
    found = told(OPS, Bounded(size, np.full((1, 1), 1e-7)), np.full((1, 1), h))
    assert np.isinf(found.error).all()
    assert OPS.tighten(found, Bounded(size, size)).error[0, 0] == o


@pytest.mark.parametrize("share", [0.03, 0.3, 0.5, 0.99, 1.0])
def test_what_o_may_be_is_all_allowed_for(share: float) -> None:
    """An h of 0 says nothing of c where o may be 0, as some engines' sigmoid is."""
    o, c = 0.1, np.linspace(-0.2, 0.2, 41)
    given = Bounded(np.full(41, o), np.full(41, share * o))
    for was in (o * (1 - share), o * (1 + share)):
        found = told(OPS, given, (was * np.tanh(c)).astype(np.float32).astype(float))
        assert (np.abs(found.value - c) <= found.error).all()
        hidden = np.isinf(found.error)
        assert not hidden.any() if share < 0.1 else hidden[np.abs(c) > 0.18].any()


def test_a_c_that_is_computed_twice_may_be_rounded_twice() -> None:
    """Where -1 + 1 cancel, a fused and a plain sum leave another c each."""
    f, c, i, g = (np.float32(of) for of in (0.99999994, 1.0000001, 0.99999994, -1.0))
    fused = np.array([[float(f) * float(c) + float(i * g)]])
    plain = np.array([[float(f * c + i * g)]])
    assert fused != plain
    o = Bounded(np.full((1, 1), 0.5), np.zeros((1, 1)))
    found = told(OPS, o, 0.5 * np.tanh(fused), f=float(f), i=float(i), g=float(g))
    assert (np.abs(found.value - plain) <= found.error).all()
    once = OPS.told_by(o, 0.5 * np.tanh(fused))
    assert (np.abs(once.value - plain) > once.error).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_half_precision_may_go_on_from_what_it_rounded_to_return(dtype: str) -> None:
    h = np.linspace(-0.9, 0.9, 7).astype(dtype)
    found = Rounded(Accuracy(dtype, {})).observe(h, None)
    wide = h.astype(float)
    kept = wide * (1 + float(ml_dtypes.finfo(dtype).eps) / 2)
    is_half = dtype != "float32"
    assert (np.abs(kept - wide) <= found.error).all() == is_half
    assert found.error.any() == is_half


def test_what_a_layer_hands_on_may_be_computed_once_more_by_compilers_alone() -> None:
    h, again = np.array([0.5, -0.25]), Bounded(np.zeros(2), np.array([1e-7, 2e-7]))
    for recomputes, allowed in ((True, [2e-7, 4e-7]), (False, [0.0, 0.0])):
        ops = Rounded(Accuracy("float32", {}, recomputes=recomputes))
        assert ops.handed_on(h, again).error.tolist() == allowed


def test_a_bias_that_is_the_rounded_sum_of_two_is_off_at_every_step_alike() -> None:
    random = np.random.default_rng(6)
    x, w = random.standard_normal((500, 3)), random.standard_normal((3, 2))
    one, other = np.float32([8.1, -5.3]), np.float32([0.7, -0.0031])
    ops, bias = Scatter(Accuracy("float32", {})), (one + other).astype(float)
    off = np.abs(one.astype(float) + other - bias)
    assert off.all()
    found = ops.affine([(ops.known(ops.constant(x)), w)], bias)
    assert (found.steady >= off).all()
    assert (found.steady >= 0.999 * 2.0**-24 * np.abs(bias)).all()


def test_a_subnormal_weight_may_be_read_as_zero_where_it_scales() -> None:
    ops, weight = Rounded(Accuracy("float32", {})), np.array([1e-39, 0.5])
    made = ops.scale(ops.constant(np.array([1e6, 1e6])), weight)
    assert made.error[0] >= 0.999 * 1e6 * 1e-39
    assert made.error[1] < 1e-7 * 5e5 * 2


def test_the_slope_of_the_logistic_function_may_be_y_less_its_square() -> None:
    """Beside 1 that rounds the square, by more than three roundings of the slope."""
    y = np.float32(1 - np.arange(1, 2000) * 2.0**-22)
    slope = RoundedAdjoint(Accuracy("float32", {}))
    bound = slope.sigmoid_slope(slope.constant(y))
    off = np.abs((y - y * y).astype(float) - bound.value)
    assert (off <= bound.error).all()
    assert (off > 3 * 2.0**-24 * bound.value).any()


def test_gradients_of_many_steps_may_be_lost_beside_one() -> None:
    """Added one by one to 1, none of them changes it in float32."""
    g = np.concatenate([[1.0], np.full(4096, 2.5e-8)])[:, np.newaxis]
    assert all(np.float32(1) + np.float32(of) == 1 for of in g[1:, 0])
    ops = RoundedAdjoint(Accuracy("float32", {}))
    rows = Rows(ops.constant(g))
    assert ops.of_weight((1,), [rows]).error[0] >= g[1:].sum()


def test_a_rounding_of_the_same_number_comes_again_at_every_step() -> None:
    ops, random = Scatter(Accuracy("float32", {})), np.random.default_rng(7)
    half = ops.known(ops.constant(np.full((100, 1), 0.3)))
    same = ops.mul(half, half).sigma
    varying = ops.known(ops.constant(random.uniform(0.29, 0.31, (100, 1))))
    assert (same > 8 * ops.mul(varying, half).sigma).all()
