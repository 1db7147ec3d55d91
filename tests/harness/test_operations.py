"""Operations of cells: their values, and bounds that every legal form is within."""

import inspect
import math
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from rnn_parity.judge import along_axis, rounded
from rnn_parity.judge.arithmetic import Float64, inverse_deviation
from rnn_parity.judge.bounded import Bounded, unit
from rnn_parity.judge.rounded import Rounded
from rnn_parity_core import Accuracy, Array, Error
from rnn_parity_core import functions as f

DTYPES: dict[str, Any] = {
    "float32": np.float32,
    "float64": np.float64,
    "bfloat16": ml_dtypes.bfloat16,
}
EVERY_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
EPSILON = 1e-5
STATED = {"exp": Error(2.0), "sqrt": Error(1.0), "softplus": Error(4.0)}

Form = Callable[..., Array]


def ops(dtype: str, accumulator: str | None = None) -> Rounded:
    return Rounded(Accuracy(dtype, STATED, accumulator=accumulator))


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


# -- inputs that are hard on bounds


def hard(rng: np.random.Generator, size: int) -> Iterator[Array]:
    """Give rows: usual, cancelling, huge, next to nothing, constant and of one unit."""
    usual = rng.standard_normal((40, size))
    yield usual
    yield usual * 10.0 ** rng.uniform(-6, 6, (40, 1))
    for apart in (1.0, 1e-2, 1e-4):  # a mean that is far larger than a deviation
        yield rng.uniform(1, 100, (40, 1)) * (1 + apart * usual)
    yield np.broadcast_to(rng.uniform(-9, 9, (40, 1)), (40, size))
    yield usual * 1e-30
    yield usual * 1e12
    yield usual[:, :1] * np.ones(1)
    spiked = usual * 1e-3
    spiked[:, 0] = 50
    yield spiked


def given(dtype: str, size: int, seed: int = 0) -> Iterator[tuple[Array, Bounded]]:
    """Give numbers of a dtype, and values with errors that these are within."""
    rng = np.random.default_rng([seed, size])
    for wide in hard(rng, size):
        seen = wide.astype(DTYPES[dtype])
        error = np.abs(wide) * 2 * unit(dtype) * rng.integers(0, 2)
        value = seen.astype(np.float64)
        off = error * rng.choice([-1.0, 1.0], error.shape)
        moved = value + off
        last = np.where(error > 0, np.spacing(np.abs(moved)), 0.0)
        yield seen, Bounded(moved, error + last)


def in_order(terms: Array, how: str) -> Array:
    """Sum up along the last axis in the dtype, one after the other."""
    dtype = terms.dtype
    if how == "backwards":
        terms = terms[..., ::-1]
    if how == "pairwise":
        while terms.shape[-1] > 1:
            if terms.shape[-1] % 2:
                none = np.zeros((*terms.shape[:-1], 1), dtype)
                terms = np.concatenate([terms, none], axis=-1)
            terms = (terms[..., ::2] + terms[..., 1::2]).astype(dtype)
        return terms[..., 0]
    if how == "wide":
        return terms.astype(np.float64).sum(axis=-1).astype(dtype)
    total = terms[..., 0]
    for k in range(1, terms.shape[-1]):
        total = (total + terms[..., k]).astype(dtype)
    return total


ORDERS = ("forwards", "backwards", "pairwise", "wide")


def mean_of(a: Array, how: str, divided: bool) -> Array:
    total, count = in_order(a, how)[..., np.newaxis], a.dtype.type(a.shape[-1])
    return total / count if divided else total * (a.dtype.type(1) / count)


def inverse(of: Array, *, divided: bool) -> Array:
    one, epsilon = of.dtype.type(1), of.dtype.type(EPSILON)
    given = np.where(of + epsilon > 0, of + epsilon, epsilon).astype(of.dtype)
    if divided:
        return one / np.sqrt(given)
    return (1 / np.sqrt(given.astype(np.float64))).astype(of.dtype)


def by_distances(a: Array, how: str, divided: bool) -> Array:
    apart = a - mean_of(a, how, divided)
    variance = mean_of(apart * apart, how, divided)
    return apart * inverse(variance, divided=divided)


def by_squares(a: Array, how: str, divided: bool) -> Array:
    mean = mean_of(a, how, divided)
    variance = mean_of(a * a, how, divided) - mean * mean
    return (a - mean) * inverse(variance, divided=divided)


def scaled_first(a: Array, how: str, divided: bool) -> Array:
    mean = mean_of(a, how, divided)
    apart = a - mean
    inv = inverse(mean_of(apart * apart, how, divided), divided=divided)
    return a * inv - mean * inv


def by_updates(a: Array, how: str, divided: bool) -> Array:
    """Welford (1962)."""
    del how
    dtype = a.dtype
    mean, squares = a[..., :1] * dtype.type(0), a[..., :1] * dtype.type(0)
    for k in range(a.shape[-1]):
        apart = a[..., k : k + 1] - mean
        mean = (mean + apart / dtype.type(k + 1)).astype(dtype)
        squares = (squares + apart * (a[..., k : k + 1] - mean)).astype(dtype)
    variance = squares / dtype.type(a.shape[-1])
    return (a - mean) * inverse(variance.astype(dtype), divided=divided)


STANDARDIZED: dict[str, Form] = {
    of.__name__: of for of in (by_distances, by_squares, scaled_first, by_updates)
}


def standardized(dtype: str, form: str, accumulator: str | None = None) -> float:
    """Give the worst error over bound."""
    worst = 0.0
    for seed in range(6):
        for size in (1, 2, 3, 4, 9, 33):
            for seen, bounded in given(dtype, size, seed):
                bound = ops(dtype, accumulator).standardize(bounded, EPSILON)
                for how in ORDERS if accumulator is None else ("wide",):
                    for divided in (True, False):
                        got = STANDARDIZED[form](seen, how, divided)
                        worst = max(worst, over(got, bound))
    return worst


def over(got: Array, bound: Bounded, usual: list[Array] | None = None) -> float:
    """Give the worst error over bound, of what is a number in a dtype."""
    assert not np.isnan(bound.error).any()
    wide = got.astype(np.float64)
    fine = np.isfinite(wide) & np.isfinite(bound.error)
    ratio = np.abs(wide - bound.value)[fine] / bound.error[fine]
    if usual is not None:
        usual.append(ratio)
    return float(ratio.max(initial=0))


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


# -- other operations


def two(dtype: str, seed: int) -> Iterator[tuple[Array, Bounded, Array, Bounded]]:
    rng = np.random.default_rng(seed)
    for seen, bounded in given(dtype, 8, seed):
        turn = rng.permutation(seen.shape[-1])
        yield (
            seen,
            bounded,
            seen[..., turn],
            Bounded(*(of[..., turn] for of in bounded)),
        )


def divided(dtype: str) -> float:
    worst = 0.0
    for seed in range(20):
        for a, of_a, b, of_b in two(dtype, seed):
            bound = ops(dtype).divide(of_a, of_b)
            one, up = b.dtype.type(1), b.dtype.type(2 * unit(dtype))
            right = a / b
            # Once rounded, by a reciprocal, and by an instruction of 2 ulp.
            for got in (right, a * (one / b), right * (one + up)):
                worst = max(worst, over(got, bound))
    return worst


def shifted(dtype: str) -> float:
    worst = 0.0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for seen, bounded in given(dtype, 8, seed):
            near = rng.choice([-1, 1, 1e3], seen.shape[-1]) * seen[0]
            w = near.astype(seen.dtype)
            bound = ops(dtype).shift(bounded, w.astype(np.float64))
            # At once, or with a part that was taken from the weight, rounded, before.
            part = (w * seen.dtype.type(0.3)).astype(np.float64)
            apart = (w.astype(np.float64) - part).astype(w.dtype).astype(np.float64)
            got = (seen.astype(np.float64) + part + apart).astype(w.dtype)
            worst = max(worst, over(seen + w, bound), over(got, bound))
    return worst


def summed(dtype: str) -> float:
    worst = 0.0
    for seed in range(12):
        for size in (1, 2, 9, 64):
            for seen, bounded in given(dtype, size, seed):
                bound = ops(dtype).total(bounded)
                for how in ORDERS:
                    worst = max(worst, over(in_order(seen, how), bound))
    return worst


def hard_sigmoids(x: Array) -> Iterator[Array]:
    dtype = x.dtype.type
    zero, one, half, slope = dtype(0), dtype(1), dtype(0.5), dtype(1 / 6)
    yield np.minimum(np.maximum(x * slope + half, zero), one)
    yield np.minimum(np.maximum(x / dtype(6) + half, zero), one)
    yield np.minimum(np.maximum(x + dtype(3), zero), dtype(6)) * slope
    yield np.minimum(np.maximum(x + dtype(3), zero), dtype(6)) / dtype(6)


def softsigns(x: Array) -> Iterator[Array]:
    one = x.dtype.type(1)
    yield x / (one + np.abs(x))
    yield x * (one / (one + np.abs(x)))


COMPUTED = {f.HARD_SIGMOID: hard_sigmoids, f.SOFTSIGN: softsigns}


def computed(dtype: str, seeds: int = 12) -> float:
    worst = 0.0
    for seed in range(seeds):
        for seen, bounded in given(dtype, 9, seed):
            for function, forms in COMPUTED.items():
                bound = ops(dtype).function(function, bounded)
                worst = max([worst, *(over(got, bound) for got in forms(seen))])
    return worst


def stated(dtype: str) -> float:
    """Give how near functions come that err by the stated ulps."""
    worst = 0.0
    for seed in range(8):
        for seen, bounded in given(dtype, 9, seed):
            fine = np.abs(bounded.value).max() + bounded.error.max() < 80
            if not fine:
                continue
            for function in (f.EXP, f.SOFTPLUS):
                bound = ops(dtype).function(function, bounded)
                exact = function.value(seen.astype(np.float64))
                # Half of it is left for the rounding to the dtype.
                ulps = STATED[function.name].ulp - 0.5
                off = ulps * 2 * unit(dtype) * 2.0 ** np.floor(np.log2(exact))
                for sign in (-1, 0, 1):
                    got = (exact + sign * off).astype(seen.dtype)
                    worst = max(worst, over(got, bound))
    return worst


OPERATIONS = {of.__name__: of for of in (divided, shifted, summed, computed, stated)}


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


# -- each allowance taken back


def taken_back(
    patch: pytest.MonkeyPatch, where: type, name: str, old: str, new: str
) -> None:
    """Put a method in place that has something else in one place."""
    source = textwrap.dedent(inspect.getsource(getattr(where, name)))
    assert source.count(old) == 1, source
    found: dict[str, Any] = {}
    given = vars(inspect.getmodule(where))
    exec(source.replace(old, new), dict(given), found)  # noqa: S102 - our own text
    patch.setattr(where, name, found[name])


AXIS, PLAIN = along_axis.AlongAxis, rounded.Rounded
ALLOWED: dict[str, tuple[Callable[[], float], type, str, str, str]] = {
    "roundings of a mean": (
        lambda: standardized("float32", "by_distances"),
        AXIS,
        "standardize",
        "keepdims=True) + rounded\n",
        "keepdims=True)\n",
    ),
    "an error of the middle": (
        lambda: one_off("middle"),
        AXIS,
        "standardize",
        "a.error + a.error.mean(axis=-1, keepdims=True)",
        "a.error",
    ),
    "a variance by squares": (
        lambda: directed_variance("float32", FAR_OUT, None),
        AXIS,
        "inverse_deviation",
        "self._of_sum(squares,",
        "self._of_sum(mean(np.square(apart)),",
    ),
    "the mean's roundings in a variance": (
        lambda: directed_variance("float32", FAR_OUT, None),
        AXIS,
        "inverse_deviation",
        "off += rounded * (2 * np.abs(center) + rounded)",
        "",
    ),
    "an error of what varies": (
        lambda: one_off("varies"),
        AXIS,
        "inverse_deviation",
        "mean(2 * np.abs(apart) * a.error + np.square(a.error))",
        "np.zeros_like(center)",
    ),
    "ulps of a root": (
        lambda: directed_variance("float32", ONE_DEVIATION, None),
        AXIS,
        "inverse_deviation",
        "_ROOT * 2 * self._both",
        "self._both",
    ),
    "scaled before the difference": (
        lambda: directed("float32"),
        AXIS,
        "standardize",
        "worst_case(2, self._both) * (np.abs(center) + rounded)",
        "0",
    ),
    "narrow results of wide sums": (
        lambda: directed("bfloat16", "float32"),
        AXIS,
        "_of_center",
        "apart=3",
        "apart=1",
    ),
    "narrow results in a variance": (
        lambda: directed_variance("bfloat16", [0, 2, 0, 2], "float32"),
        AXIS,
        "inverse_deviation",
        "apart=6",
        "apart=1",
    ),
    "what errs in a sum": (
        lambda: summed("float32"),
        AXIS,
        "total",
        "a.error.sum(axis=axis) + ",
        "",
    ),
    "roundings of a sum": (
        lambda: summed("float32"),
        AXIS,
        "_of_sum",
        "worst_case(terms, self._inside)",
        "self._inside",
    ),
    "2 ulp of a quotient": (
        lambda: divided("float32"),
        PLAIN,
        "divide",
        "carried += 3 * self._both * (np.abs(value) + carried)",
        "",
    ),
    "an error of a divisor": (
        lambda: divided("float32"),
        PLAIN,
        "divide",
        " + np.abs(value) * b.error",
        "",
    ),
    "a divisor that is less": (
        lambda: one_off("divisor"),
        PLAIN,
        "divide",
        "np.maximum(np.abs(b.value) - b.error, 0.0)",
        "np.abs(b.value)",
    ),
    "a part of a weight": (
        lambda: shifted("float32"),
        PLAIN,
        "shift",
        "a.error + self._both * np.abs(weight)",
        "a.error",
    ),
    "roundings of a function": (
        lambda: computed("float32"),
        PLAIN,
        "function",
        "function.roundings * (",
        "1 * (",
    ),
    "what a function rounds on the way": (
        lambda: computed("float32"),
        PLAIN,
        "function",
        " + function.around",
        "",
    ),
    "an error of an argument": (
        lambda: computed("float32"),
        PLAIN,
        "function",
        "np.where(x.error > 0, slopes * x.error, 0.0)",
        "0 * x.error",
    ),
    "stated ulps": (
        lambda: stated("float32"),
        PLAIN,
        "function",
        "2 * (self._unit * stated.ulp",
        "2 * (self._unit / 2",
    ),
}


def one_off(which: str) -> float:
    """Move exact operands to where an error lets them be, in float64."""
    rng, worst = np.random.default_rng(4), 0.0
    plain, wide = Float64(), ops("float64")
    for _ in range(300):
        a = rng.standard_normal((1, 4)) + rng.choice([0, 3, 30])
        e = 10.0 ** rng.uniform(-6, -2)
        error = np.zeros(a.shape)
        if which == "middle":
            error[0, 0] = e
        elif which in {"varies", "divisor"}:
            error[:] = e
        if which == "divisor":
            b = Bounded(a, np.abs(a) * rng.uniform(0.1, 0.9))
            bound = wide.divide(Bounded(a * 0 + 1, 0 * a), b)
            for sign in (-1, 1):
                got = 1 / (b.value + sign * b.error * (1 - 1e-9))
                worst = max(worst, over(got, bound))
            continue
        bounds = (
            wide.standardize(Bounded(a, error), EPSILON),
            wide.inverse_deviation(Bounded(a, error), EPSILON),
        )
        for sign in (-1, 1):
            moved = a + sign * np.sign(a - a.mean()) * error
            apart = moved - moved.mean(-1, keepdims=True)
            got = plain.standardize(moved, EPSILON), inverse_deviation(apart, EPSILON)
            worst = max([worst, *map(over, got, bounds)])
    return worst


def directed(dtype: str, accumulator: str | None = None) -> float:
    """Scale first, all roundings to where they do most harm, in the middle of a row."""
    u, a = unit(dtype), np.array([[29.0, 30.0, 31.0]])
    a = a / 32 if dtype == "bfloat16" else a
    epsilon = 1.0  # so that a deviation is known
    bound = ops(dtype, accumulator).standardize(Bounded(a, 0 * a), epsilon)
    mean, inv = a.mean(), 1 / np.sqrt(a.var() + epsilon)
    # A sum of 3, each in the dtype or all wide; the reciprocal of 3; their product.
    moved = mean * (1 + u) ** (3 if accumulator else 4)
    got = a * inv * (1 - u) - moved * inv * (1 + u) ** 2
    return float(np.abs(got - bound.value)[0, 1] / bound.error[0, 1])


def directed_variance(dtype: str, row: list[float], accumulator: str | None) -> float:
    """Subtract squares: all roundings to where they do most harm."""
    u, a, n = unit(dtype), np.array([row]), len(row)
    wide = ops(dtype, accumulator)
    bound = wide.inverse_deviation(Bounded(a, 0 * a), 0.0)
    summed = 1 if accumulator else n - 1
    # A square, a sum, 1 / n and a product; of a mean all but the first.
    mean = a.mean() * (1 - u) ** (summed + 2)
    squares = np.square(a).mean() * (1 + u) ** (summed + 3)
    variance = squares - mean**2 * (1 - u)
    return over(np.array([[rooted(variance * (1 + u), u)]]), bound)


def rooted(variance: float, u: float) -> float:
    """Take a reciprocal root that errs by 3 ulp, and what epsilon and its sum round."""
    return float(1 / np.sqrt(variance) * (1 - 7 * u))


ONE_DEVIATION = [-1.0, 1.0]
FAR_OUT = [5 + 0.5 * (-1) ** k for k in range(9)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("which", ALLOWED)
def test_each_allowance_is_needed(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    worst, *where = ALLOWED[which]
    assert worst() <= 1
    taken_back(monkeypatch, *where)
    assert worst() > 1
