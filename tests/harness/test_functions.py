"""Elementwise functions: their values, and what is said of them for bounds."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rnn_parity_core import Array
from rnn_parity_core import functions as f
from rnn_parity_core.functions import Function


def cut(low: float, x: float, high: float) -> float:
    return max(low, min(x, high))


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


DEFINED: dict[Function, Callable[[float], float]] = {
    f.TANH: math.tanh,
    f.SIGMOID: sigma,
    f.RELU: lambda x: x if x > 0 else 0.0,
    f.LINEAR: lambda x: x,
    f.HARD_SIGMOID: lambda x: cut(0, x / 6 + 0.5, 1),
    f.HARD_SIGMOID_5: lambda x: cut(0, x / 5 + 0.5, 1),
    f.HARD_SIGMOID_4: lambda x: cut(0, x / 4 + 0.5, 1),
    f.SOFTSIGN: lambda x: x / (1 + abs(x)),
    f.HARD_TANH: lambda x: cut(-1, x, 1),
    f.RELU6: lambda x: cut(0, x, 6),
    f.COMPLEMENT: lambda x: 1 - x,
    f.EXP: lambda x: math.exp(x) if x < 709 else math.inf,
    f.SOFTPLUS: lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    f.ABS: lambda x: -x if x < 0 else x,
    f.SQRT: lambda x: math.sqrt(max(x, 0.0)),
    f.SILU: lambda x: x * sigma(x),
    f.GELU: lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
    f.PADE_TANH: lambda x: (
        cut(-1, x * (27 + x**2) / (27 + 9 * x**2), 1)
        if abs(x) < 1e3
        else math.copysign(1, x)
    ),
    f.clipped(2.5): lambda x: cut(-2.5, x, 2.5),
    f.leaky_relu(-0.25): lambda x: x if x > 0 else -0.25 * x,
}
ALL = pytest.mark.parametrize("function", DEFINED, ids=lambda of: of.name)
SLOPED = [of for of in DEFINED if of.slope is not f._no_slope]
STEP = 1e-6


def samples(of: Function) -> Array:
    """Give arguments near 0 densely, and large ones, but none at a kink."""
    far = np.geomspace(12, 1e12, 200)
    x = np.concatenate([np.linspace(-12.003, 12.004, 4001), far, -far])
    if of.name == "sqrt":
        x = np.abs(x)
    if of.name == "exp":
        x = x[x < 600]
    for kink in of.kinks:
        x = x[np.abs(x - kink) > 2 * STEP]
    return x


def differences(of: Function, x: Array) -> Array:
    """Differentiate by what the definition gives on either side."""
    step = STEP * np.maximum(np.abs(x), 1e-3)
    low, high = (
        np.array([DEFINED[of](float(v)) for v in x + sign * step]) for sign in (-1, 1)
    )
    return np.asarray((high - low) / ((x + step) - (x - step)))


def wrong_claims(of: Function) -> set[str]:
    """Name what of a function's description is not so."""
    x, found = samples(of), set()
    y = of.value(x)
    if of.is_share and not ((y >= 0) & (y <= 1)).all():
        found.add("is_share")
    if of.is_bounded != bool((y <= 1 + 1e-12).all()):
        found.add("is_bounded")
    rng = np.random.default_rng(1)
    other = x + rng.standard_normal(x.shape) * rng.choice([1e-3, 1, 30], x.shape)
    low, high = np.minimum(x, other), np.maximum(x, other)
    if of.name == "sqrt":
        low = np.maximum(low, 0)
    moved = np.abs(of.value(high) - of.value(low))
    least = 1e-9 * (np.abs(of.value(high)) + np.abs(of.value(low)))
    with np.errstate(all="ignore"):
        if (moved > of.slopes(low, high) * (high - low) * (1 + 1e-9) + least).any():
            found.add("steepest_between" if of.steepest_between else "steepest")
    for side in [math.nextafter(k, 99 * s) for k in of.kinks for s in (-1, 1)]:
        x = np.append(x, side)
    return found | _wrong_slopes(of, x)


def _wrong_slopes(of: Function, x: Array) -> set[str]:
    if of.slope is f._no_slope:
        return set()
    found, slope = set(), of.slope(x)
    if (np.abs(slope) > of.steepest * (1 + 1e-12)).any():
        found.add("steepest")
    if np.isfinite(of.steepest) and np.abs(slope).max() < 0.9 * of.steepest:
        found.add("steepest is far too steep")
    # Between kinks the slope changes by at most the bend times the way.
    order = np.argsort(x)
    x, slope = x[order], slope[order]
    apart, changed = np.diff(x), np.abs(np.diff(slope))
    jumps = np.zeros(apart.shape, dtype=bool)
    for kink in of.kinks:
        jumps |= (x[:-1] <= kink) & (kink <= x[1:])
    if np.isfinite(of.bend):
        if (changed > of.bend * apart * (1 + 1e-6) + 1e-12)[~jumps].any():
            found.add("bend or kinks")
    else:
        signs = np.sign(np.diff(slope))
        if len(set(signs[signs != 0].tolist())) > 1:
            found.add("bend is none, and the slope rises and falls")
    if of.kinks and not (changed[jumps] > 0.1 * of.steepest).any():
        found.add("kinks")
    return found


@ALL
def test_a_value_is_that_of_the_definition(function: Function) -> None:
    x = samples(function)
    want = np.array([DEFINED[function](float(v)) for v in x])
    largest = 8 if function.name != "exp" else 2
    got = function.value(x)
    size = np.abs(want) + function.around
    assert (np.abs(got - want) <= largest * 2.0**-53 * size + 1e-307).all()


@pytest.mark.parametrize("function", SLOPED, ids=lambda of: of.name)
def test_a_slope_is_that_of_differences(function: Function) -> None:
    x = samples(function)
    x = x[np.abs(x) < 1e6]
    if function.name == "sqrt":
        x = x[x > 1e-2]
    want = differences(function, x)
    size = 1 + np.abs(want) if function.name == "exp" else np.ones(x.shape)
    assert (np.abs(function.slope(x) - want) <= 1e-6 * size).all()


@ALL
def test_what_is_said_of_a_function_is_so(function: Function) -> None:
    assert wrong_claims(function) == set()


@pytest.mark.parametrize(
    ("function", "claim", "value"),
    [
        (f.SILU, "steepest", 1.05),
        (f.GELU, "steepest", 1.3),
        (f.HARD_SIGMOID, "kinks", (-3.0, 2.5)),
        (f.SOFTSIGN, "bend", 1.0),
        (f.SOFTPLUS, "is_bounded", True),
        (f.HARD_TANH, "is_share", True),
        (f.EXP, "steepest_between", lambda low, _high: np.exp(low)),
        (f.SOFTSIGN, "steepest_between", lambda low, _: 1 / np.square(1 + abs(low))),
        (f.SILU, "bend", math.inf),
        (f.COMPLEMENT, "kinks", (1.0,)),
    ],
)
def test_a_wrong_claim_is_found(function: Function, claim: str, value: object) -> None:
    changes = {claim: value}
    wrong = replace(function, **changes)  # type: ignore[arg-type]
    assert any(
        name.startswith(claim[:5]) or claim in name for name in wrong_claims(wrong)
    )


def test_gelu_is_right_to_the_last_places_far_to_the_left() -> None:
    # Written as 1 + erf(x) it would have none of them from -6 on.
    want = -8 * 6.220960574271786e-16  # Phi(-8), of tables
    assert f.GELU.value(np.array([-8.0]))[0] == pytest.approx(want, rel=1e-13)
