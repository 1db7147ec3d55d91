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
from rnn_parity_core.functions import Function

STEP = 1e-6
EPSILON = 0.1

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
        back = gradients(form, RoundedAdjoint(accuracy("float64")), cotangent)
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


# -- bounds of gradients


def accuracy(dtype: str) -> Accuracy:
    ulp = {"exp": 1.5, "softplus": 4.0, "silu": 6.0, "gelu": 6.0, "sqrt": 0.51}
    stated = {name: Error(of, absolute=1e-7) for name, of in ulp.items()}
    stated |= {"tanh": Error(2.0), "sigmoid": Error(3.0)}
    return Accuracy(dtype, stated)


def samples() -> list[tuple[str, Array]]:
    """Give arguments: usual, far, in large means, next to kinks."""
    rng = np.random.default_rng(11)
    usual = rng.standard_normal((60, 7))
    kinks = rng.choice([0, 0.5, -0.5, 1, -1, 3, -3, 6], (60, 7))
    near = kinks * (1 + rng.integers(-4, 5, (60, 7)) * 2.0**-24)
    given = [
        ("usual", usual),
        ("far", usual * 8),
        ("far out", usual * 200),
        ("large means", 30 + usual),
        ("larger means", 300 + usual),
        ("small", usual * 1e-4),
        ("near kinks", near),
    ]
    return [(name, of.astype(np.float32)) for name, of in given]


def bounded(form: Any, x: Array, g: Array) -> Any:
    """Give the gradient by x, with its bound."""
    tape = Tape(RoundedAdjoint(accuracy("float32")))
    with np.errstate(all="ignore"):  # what may be 0 is divided by
        return tape.backward([(form(tape, tape.constant(x, "x")), g)])["x"]


def by_torch(form: Any, x: Array, g: Array) -> Array:
    torch = pytest.importorskip("torch")
    leaf = torch.tensor(x, requires_grad=True)
    form(torch, leaf).backward(torch.tensor(g))
    return np.asarray(leaf.grad.numpy())


def by_jax(form: Any, x: Array, g: Array) -> Array:
    jax = pytest.importorskip("jax")
    _, back = jax.vjp(lambda of: form(jax, of), x)
    return np.asarray(back(g)[0])


def over(got: Array, bound: Any) -> float:
    assert not np.isnan(bound.error).any()
    assert np.isfinite(got).all()
    known = np.isfinite(bound.error)
    return float((np.abs(got - bound.value)[known] / bound.error[known]).max(initial=0))


def _normed_by_jax(jax: Any, x: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = jax.numpy.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-3)


def _normed_by_squares(jax: Any, x: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = (x * x).mean(-1, keepdims=True) - mean * mean
    inv = jax.lax.rsqrt(jax.numpy.maximum(variance, 0) + 1e-3)
    return x * inv - mean * inv


STANDARDIZED = {
    "torch": (
        by_torch,
        lambda torch, x: torch.nn.functional.layer_norm(x, x.shape[-1:], eps=1e-3),
    ),
    "jax": (by_jax, _normed_by_jax),
    "jax by squares": (by_jax, _normed_by_squares),
}


def standardized(which: str) -> tuple[float, float]:
    back, form = STANDARDIZED[which]
    found = []
    for number, (_, x) in enumerate(samples()):
        g = cotangent(x.shape, number).astype(np.float32)
        bound = bounded(lambda o, of: o.standardize(of, 1e-3), x, g)
        found.append(over(back(form, x, g), bound))
    return max(found), found[0]


@pytest.mark.parametrize("which", STANDARDIZED)
def test_frameworks_gradients_of_layer_norm_are_within_the_bound(which: str) -> None:
    worst, usual = standardized(which)
    assert worst <= 1
    assert usual > 0.02


FUNCTIONS: dict[Function, list[tuple[Any, Any]]] = {
    f.SILU: [
        (by_torch, lambda t, x: t.nn.functional.silu(x)),
        (by_jax, lambda j, x: j.nn.silu(x)),
    ],
    f.GELU: [
        (by_torch, lambda t, x: t.nn.functional.gelu(x)),
        (by_jax, lambda j, x: j.nn.gelu(x, approximate=False)),
    ],
    f.SOFTPLUS: [
        (by_torch, lambda t, x: t.nn.functional.softplus(x)),
        (by_jax, lambda j, x: j.nn.softplus(x)),
    ],
    f.SOFTSIGN: [
        (by_torch, lambda t, x: t.nn.functional.softsign(x)),
        (by_jax, lambda j, x: j.nn.soft_sign(x)),
    ],
    f.HARD_SIGMOID: [
        (by_torch, lambda t, x: t.nn.functional.hardsigmoid(x)),
        (by_jax, lambda j, x: j.nn.hard_sigmoid(x)),
    ],
    f.HARD_TANH: [(by_torch, lambda t, x: t.nn.functional.hardtanh(x))],
    f.RELU6: [
        (by_torch, lambda t, x: t.nn.functional.relu6(x)),
        (by_jax, lambda j, x: j.nn.relu6(x)),
    ],
    f.EXP: [
        (by_torch, lambda _t, x: x.exp()),
        (by_jax, lambda j, x: j.numpy.exp(x)),
    ],
    f.ABS: [(by_torch, lambda _t, x: x.abs())],
}


def sloped(function: Function) -> float:
    worst = 0.0
    for number, (_, x) in enumerate(samples()):
        if function is f.EXP and np.abs(x).max() > 80:
            continue
        g = cotangent(x.shape, number).astype(np.float32)
        w = np.full(7, 1.0009765625, np.float32)  # so that an argument is rounded

        def scaled(o: Any, of: Any, w: Array = w) -> Any:
            return function(o, o.scale(of, o.weight(w, "w")))

        bound = bounded(scaled, x, g)
        for back, form in FUNCTIONS[function]:

            def by(library: Any, of: Any, form: Any = form) -> Any:
                return form(library, of * 1.0009765625)

            worst = max(worst, over(back(by, x, g), bound))
    return worst


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda of: of.name)
def test_frameworks_slopes_of_functions_are_within_the_bound(
    function: Function,
) -> None:
    assert 0.02 < sloped(function) <= 1
