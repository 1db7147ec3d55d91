"""Bounds of gradients of operations, against the backward passes of frameworks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnn_parity.judge.adjoint import RoundedAdjoint
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.tape import Tape
from rnn_parity_core import Accuracy, Array, Error
from rnn_parity_core import functions as f
from rnn_parity_core.functions import Function


def accuracy(dtype: str) -> Accuracy:
    ulp = {"exp": 1.5, "softplus": 4.0, "silu": 6.0, "gelu": 6.0, "sqrt": 0.51}
    stated = {name: Error(of, absolute=1e-7) for name, of in ulp.items()}
    stated |= {"tanh": Error(2.0), "sigmoid": Error(3.0)}
    return Accuracy(dtype, stated)


def cotangent(shape: tuple[int, ...], number: int = 0) -> Array:
    return np.random.default_rng([8, number]).normal(size=shape)


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


def next_to_kinks() -> float:
    """Let what float32 computes of arguments that are known decide for a side."""
    worst, ops = 0.0, RoundedAdjoint(accuracy("float32"))
    one, half, fifth = np.float32(1), np.float32(0.5), np.float32(0.2)
    for kink in (-2.5, 2.5):
        x = np.float32(kink) + np.arange(-64, 65).astype(np.float32) * np.float32(
            2**-22
        )
        known = Bounded(x.astype(float), np.full(x.shape, 1e-12))
        bound = ops.slope(f.HARD_SIGMOID_5, known)
        for y in (x * fifth + half, x / np.float32(5) + half):
            got = np.where((y > 0) & (y < one), fifth, np.float32(0))
            worst = max(worst, over(got, bound))
    return worst


def test_a_side_of_a_kink_is_where_roundings_put_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert next_to_kinks() <= 1
    right = RoundedAdjoint.slope

    def where_it_is(self: Any, function: Function, x: Any) -> Any:
        return right(self, replace(function, roundings=0, name="sigmoid"), x)

    monkeypatch.setattr(RoundedAdjoint, "slope", where_it_is)
    assert next_to_kinks() > 1


FLOAT32: dict[Function, Callable[[Array], Array]] = {
    f.EXP: lambda x: np.exp(x) * np.float32(1 + 2.0**-23),  # an ulp more
    f.SOFTSIGN: lambda x: 1 / ((1 + np.abs(x)) * (1 + np.abs(x))),
    f.SILU: lambda x: (y := 1 / (1 + np.exp(-x))) * (1 + x * (1 - y)),
    f.COMPLEMENT: lambda x: -np.ones_like(x),
}


def rounded_slopes(function: Function) -> float:
    x = np.random.default_rng(5).uniform(-20, 20, 4000).astype(np.float32)
    ops = RoundedAdjoint(accuracy("float32"))
    bound = ops.slope(function, Bounded(x.astype(float), np.zeros(x.shape)))
    return over(FLOAT32[function](x), bound)


@pytest.mark.parametrize("function", FLOAT32, ids=lambda of: of.name)
def test_float32_slopes_are_within_the_bound_by_their_roundings(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rounded_slopes(function) <= 1
    if function is f.COMPLEMENT:
        return  # exact
    right = RoundedAdjoint.slope

    def rounded_once(self: Any, of: Function, x: Any) -> Any:
        made = right(self, of, x)
        return made._replace(error=2.0**-26 * np.abs(made.value))

    monkeypatch.setattr(RoundedAdjoint, "slope", rounded_once)
    assert rounded_slopes(function) > 1
