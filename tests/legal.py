"""Operations of cells as libraries compute them, in any legal form, on hard inputs."""

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

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
