"""Operations backwards: gradients, in every arithmetic, and their bounds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnn_parity.judge.adjoint import Float64Adjoint, RoundedAdjoint
from rnn_parity.judge.matched import _Seeds, _SeedsAdjoint, _summed
from rnn_parity.judge.scores import Score, ScoreAdjoint
from rnn_parity.judge.tape import Tape
from rnn_parity_core import Accuracy, Array, Error
from rnn_parity_core import functions as f

STEP = 1e-6
EPSILON = 0.1
STATED = {
    name: Error(4.0) for name in ("exp", "softplus", "silu", "gelu", "tanh", "sigmoid")
}

Made = Callable[[Any, Any, Any, Any], Any]
"""Operations, a, b `[3, 4]` and a weight `[4]` → a result."""
FORMS: dict[str, Made] = {
    "add": lambda o, a, b, _w: o.add(a, b),
    "mul": lambda o, a, b, _w: o.mul(a, b),
    "divide": lambda o, a, b, _w: o.divide(a, b),
    "scale": lambda o, a, _b, w: o.scale(a, w),
    "shift": lambda o, a, _b, w: o.mul(o.shift(a, w), a),
    "part of a weight": lambda o, a, _b, w: o.scale(
        o.take(a, (..., slice(0, 2))), w[1:3]
    ),
    "sum of weights": lambda o, a, _b, w: o.scale(a, w + w),
    "spread": lambda o, a, b, _w: o.mul(o.spread(a, 4), o.spread(b, 4, -2)),
    "total": lambda o, a, b, _w: o.total(o.mul(a, b)),
    "total before": lambda o, a, b, _w: o.total(
        o.mul(o.spread(a, 4), o.spread(b, 4, -2)), -2
    ),
    "standardize": lambda o, a, b, _w: o.mul(o.standardize(a, EPSILON), b),
    "standardize alone": lambda o, a, _b, _w: o.standardize(a, EPSILON),
    "mix": lambda o, a, b, _w: o.mix(o.sigmoid(a), a, b),
    "where": lambda o, a, b, _w: o.where(np.arange(4) % 2 == 0, o.mul(a, b), b),
    "concatenate": lambda o, a, b, _w: o.mul(
        o.concatenate([a, b]), o.concatenate([b, b])
    ),
    "with a constant": lambda o, a, b, _w: o.mul(
        o.constant(np.full(1, 3.0)), o.mul(a, b)
    ),
} | {
    function.name: lambda o, a, _b, _w, function=function: function(o, a)
    for function in (
        f.SOFTSIGN,
        f.HARD_SIGMOID,
        f.HARD_TANH,
        f.RELU6,
        f.COMPLEMENT,
        f.EXP,
        f.SOFTPLUS,
        f.ABS,
        f.SILU,
        f.GELU,
        f.clipped(0.5),
        f.leaky_relu(0.25),
    )
}
EVERY_FORM = pytest.mark.parametrize("form", FORMS)


def arrays() -> dict[str, Array]:
    rng = np.random.default_rng(3)
    b = rng.normal(size=(3, 4))
    return {
        "a": rng.normal(size=(3, 4)) * 1.5,
        "b": b + np.sign(b) / 2,
        "w": rng.normal(size=4),
    }


def made(form: str, ops: Any, given: dict[str, Array]) -> Any:
    a, b = (ops.constant(given[name], name) for name in "ab")
    return FORMS[form](ops, a, b, ops.weight(given["w"], "w"))


def gradients(form: str, ops: Any, seed: Any) -> dict[str, Any]:
    """Go back from a result; a seed is made of its shape."""
    tape = Tape(ops)
    result = made(form, tape, arrays())
    found: dict[str, Any] = tape.backward([(result, seed(result.shape))])
    return found


def cotangent(shape: tuple[int, ...], number: int = 0) -> Array:
    return np.random.default_rng([8, number]).normal(size=shape)


def differences(form: str, number: int = 0) -> dict[str, Array]:
    """Differentiate by either side of each element."""
    found = {}
    for name, array in arrays().items():
        slope = np.empty(array.shape)
        for at in np.ndindex(array.shape):
            sides = []
            for sign in (-1, 1):
                moved = array.copy()
                moved[at] += sign * STEP
                result = made(form, Float64Adjoint(), {**arrays(), name: moved})
                sides.append((result * cotangent(result.shape, number)).sum())
            slope[at] = (sides[1] - sides[0]) / (2 * STEP)
        found[name] = slope
    return found


def apart(form: str, kind: str = "float64") -> float:
    """Give how far gradients are from differences."""
    found: list[dict[str, Array]]
    if kind == "float64":
        found = [gradients(form, Float64Adjoint(), cotangent)]
    elif kind == "bounds":
        back = gradients(form, RoundedAdjoint(Accuracy("float64", STATED)), cotangent)
        found = [{name: of.value for name, of in back.items()}]
    elif kind == "scores":

        def seed(shape: tuple[int, ...]) -> Score:
            g = cotangent(shape)
            return Score(g, np.abs(g), np.square(g), np.square(g))

        back = gradients(form, ScoreAdjoint(), seed)
        found = [{name: of.signed for name, of in back.items()}]
    else:
        back = gradients(
            form,
            _SeedsAdjoint(),
            lambda shape: _Seeds(np.stack([cotangent(shape, k) for k in range(2)])),
        )
        each = {n: _summed(of) if n == "w" else of.each for n, of in back.items()}
        none = np.zeros((2, 4))
        each["w"] = each["w"] if each["w"].shape else none
        each = {n: of if len(of) else np.zeros((2, 3, 4)) for n, of in each.items()}
        found = [{name: of[k] for name, of in each.items()} for k in range(2)]
    worst = 0.0
    for number, of in enumerate(found):
        for name, want in differences(form, number).items():
            worst = max(worst, float(np.abs(of[name] - want).max()))
    return worst


@pytest.mark.parametrize("kind", ["float64", "bounds", "scores", "seeds"])
@EVERY_FORM
def test_gradients_are_those_of_differences(form: str, kind: str) -> None:
    assert apart(form, kind) <= 1e-7


@pytest.mark.parametrize(
    ("form", "kind", "where", "method", "wrong"),
    [
        ("divide", "float64", Float64Adjoint, "negative", lambda _o, a: a),
        ("standardize", "float64", Float64Adjoint, "mean", lambda _o, a: 0 * a),
        (
            "standardize",
            "bounds",
            RoundedAdjoint,
            "scaling",
            lambda o, a, _e: o.negative(a),
        ),
        ("silu", "float64", Float64Adjoint, "slope", lambda _o, _f, x: 0 * x + 1),
        ("divide", "seeds", _SeedsAdjoint, "negative", lambda _o, a: a),
        (
            "spread",
            "seeds",
            _SeedsAdjoint,
            "total",
            lambda _o, a, _x: _Seeds(a.each[..., 0]),
        ),
        ("total before", "scores", ScoreAdjoint, "mul", lambda _o, a, _b: a),
    ],
)
def test_a_wrong_slope_is_seen(
    form: str,
    kind: str,
    where: type,
    method: str,
    wrong: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(where, method, wrong)
    assert apart(form, kind) > 1e-3


@EVERY_FORM
def test_what_errors_say_of_a_weight_is_at_least_what_they_come_to(form: str) -> None:
    """All but the signed sum is of magnitudes: none can be less than a plain one."""

    def seed(shape: tuple[int, ...]) -> Score:
        g = cotangent(shape)
        return Score(g, np.abs(g), np.square(g), np.square(g))

    for name, score in gradients(form, ScoreAdjoint(), seed).items():
        assert (np.abs(score.signed) <= score.steady * (1 + 1e-9)).all(), name
