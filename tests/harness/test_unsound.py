"""Right engines that a bound could call broken; each mend taken back shows its case."""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from rnn_parity.judge import scatter, scores, sums
from rnn_parity.judge.certify import certify
from rnn_parity.judge.rounded import Rounded
from rnn_parity_backends.on_jax import INFO as JAX
from rnn_parity_backends.on_numpy import INFO as NUMPY
from rnn_parity_backends.on_tensorflow import INFO as TENSORFLOW
from rnn_parity_backends.on_torch import INFO as TORCH
from rnn_parity_core import Array, BackendInfo, Case, Problem
from support import installed

Sizes = tuple[int, int, int, int]


def problem(cell: str, sizes: Sizes, **arrays: Any) -> Problem:
    """Make a problem of rows, steps, features, units; what is not given is zero."""
    batch, steps, features, units = sizes
    case = Case(
        cell=cell,
        variant="dynamic",
        batch=batch,
        steps=steps,
        features=features,
        units=units,
        dtype="float32",
        seed=1,
    )
    made = {}
    for name, shape in case.input_shapes().items():
        given = arrays.get(name.rpartition(".")[2], 0.0)
        made[name] = np.broadcast_to(np.asarray(given, np.float32), shape).copy()
    return Problem(case, made)


@cache
def adapter(name: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    """Load an adapter in this process."""
    module, _, kind = name.partition(":")
    return getattr(importlib.import_module(module), kind)(**dict(settings))


def worst(info: BackendInfo, given: Problem) -> float:
    """Certify what a real engine returns; without it the test is skipped."""
    installed(info.name)
    engine = adapter(info.adapter, tuple(info.options.items()))
    outcome = dict(engine.run(given))
    return certify(given, outcome, info.accuracy_for(given.case)).bound_ratio


def saturated(seed: int) -> Problem:
    """Heavy-tailed weights and inputs x 100: slopes of gates underflow."""
    draw = np.random.default_rng(seed)
    return problem(
        "lstm",
        (2, 8, 4, 6),
        inputs=draw.standard_normal((2, 8, 4)) * 100,
        kernel=draw.standard_t(2.5, (4, 24)) * 1.5,
        recurrent_kernel=draw.standard_t(2.5, (6, 24)) * 1.2,
        bias=draw.uniform(-5, 5, 24),
    )


def static(seed: int) -> Problem:
    """63 features that stay the same and one that varies."""
    draw = np.random.default_rng(seed)
    steps, same = 2048, np.abs(draw.standard_normal((1, 1, 63)))
    varying = draw.standard_normal((1, steps, 1))
    kernel = draw.standard_normal((64, 8)) / 8
    kernel[:63] = np.abs(kernel[:63])
    return problem(
        "rnn_relu",
        (1, steps, 64, 8),
        inputs=np.concatenate([np.tile(same, (1, steps, 1)), varying], axis=-1),
        kernel=kernel,
        recurrent_kernel=draw.standard_normal((8, 8)) / np.sqrt(8) / 2,
        bias=draw.uniform(-0.5, 0.5, 8) - 4.1,
    )


def unequal(seed: int) -> Problem:
    """One large term first, then many below half an ulp of it."""
    draw = np.random.default_rng(seed)
    x, kernel = draw.uniform(0.9, 1, 512), draw.uniform(2.2e-8, 2.9e-8, (512, 4))
    kernel[0] = 0.50005 / x[0]
    return problem(
        "rnn_tanh",
        (1, 1, 512, 4),
        inputs=x,
        kernel=kernel,
        recurrent_kernel=draw.standard_normal((4, 4)) * 0.01,
        initial_h=draw.uniform(-0.05, 0.05, 4),
        bias=draw.uniform(0.01, 0.02, 4),
    )


def subnormal(seed: int) -> Problem:
    """Weights below the smallest normal number."""
    del seed
    return problem("rnn_relu", (1, 1, 4, 2), inputs=100.0, kernel=1e-38)


def equal(seed: int) -> Problem:
    """All terms of a sum are one number."""
    draw = np.random.default_rng(seed)
    return problem(
        "rnn_relu",
        (1, 1, 3072, 4),
        inputs=draw.uniform(0.5, 1),
        kernel=draw.uniform(0.01, 0.1, (1, 4)),
        recurrent_kernel=draw.standard_normal((4, 4)) * 0.01,
        initial_h=0.01,
    )


Family = Callable[[int], Problem]
FAMILIES: list[tuple[Family, BackendInfo, int]] = [
    (saturated, NUMPY, 12),
    (static, TORCH, 3),
    (unequal, TORCH, 2),
    (subnormal, JAX, 1),
    (equal, TENSORFLOW, 3),
]
IDS = [family.__name__ for family, *_ in FAMILIES]


@pytest.mark.parametrize(("family", "info", "seeds"), FAMILIES, ids=IDS)
def test_a_right_engine_is_within_its_bound(
    family: Family, info: BackendInfo, seeds: int
) -> None:
    assert max(worst(info, family(seed)) for seed in range(seeds)) <= 1


def _slopes_as_they_are(score: Any) -> Any:
    return score


def _no_terms_lost(*_of: Any) -> Array:
    return np.zeros(())


def _none_alike(values: Array, _window: Array) -> Array:
    return np.ones(values.shape)


def _none_equal(x: Array, w: Array) -> Array:
    return np.zeros((*x.shape[:-1], w.shape[-1]), dtype=bool)


TAKEN_BACK: list[tuple[Family, BackendInfo, int, Any, dict[str, Any]]] = [
    (
        saturated,
        NUMPY,
        12,
        scores,
        {"_without_small": _slopes_as_they_are, "_LEAST_SQUARE": 0.0},
    ),
    (static, TORCH, 40, scatter, {"times_alike": _none_alike}),
    (unequal, TORCH, 2, sums, {"lost_terms": _no_terms_lost}),
    (subnormal, JAX, 1, Rounded, {"_read_as_zero": lambda _ops, _value: None}),
    (equal, TENSORFLOW, 3, sums, {"same_terms": _none_equal}),
]


@pytest.mark.parametrize(
    ("family", "info", "seeds", "where", "before"), TAKEN_BACK, ids=IDS
)
def test_the_mend_taken_back_calls_it_broken(
    monkeypatch: pytest.MonkeyPatch,
    family: Family,
    info: BackendInfo,
    seeds: int,
    where: Any,
    before: dict[str, Any],
) -> None:
    for name, value in before.items():
        monkeypatch.setattr(where, name, value)
    assert max(worst(info, family(seed)) for seed in range(seeds)) > 1
