"""Each allowance in the bounds of operations is needed: taken back, one is exceeded."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from legal import (
    EPSILON,
    computed,
    divided,
    ops,
    over,
    shifted,
    standardized,
    stated,
    summed,
)
from rnn_parity.judge import along_axis, rounded
from rnn_parity.judge.arithmetic import Float64, inverse_deviation
from rnn_parity.judge.bounded import Bounded, unit


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
