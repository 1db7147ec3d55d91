"""What a backend states of its tanh holds: the verdict's bound rests on it."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.arrays import unpack
from harness.run.process import Worker
from harness.spec import Array, Case, Problem
from support import BACKENDS, installed

SAMPLES = 100_000


def arguments(dtype: str) -> Array:
    """Draw half of the arguments by magnitude, half evenly, over where tanh bends."""
    random = np.random.default_rng(7)
    by_magnitude = 10 ** random.uniform(-12, np.log10(20), SAMPLES // 2)
    evenly = random.uniform(0, 10, SAMPLES // 2)
    drawn = np.concatenate([by_magnitude, evenly]) * random.choice([-1, 1], SAMPLES)
    return drawn.astype(dtype)


def errors_in_ulp(got: Array, x: Array) -> Array:
    """Measure against extended precision."""
    exact = np.tanh(x.astype(np.longdouble))
    spacing = np.spacing(np.abs(exact).astype(got.dtype)).astype(np.longdouble)
    return np.abs(got - exact) / spacing


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_tanh_is_as_accurate_as_stated(
    backend: str, dtype: str, workers: Callable[[str], Worker]
) -> None:
    if np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant:
        pytest.skip("this machine's long double is no wider than float64")
    info = installed(backend)
    worker = workers(backend)
    worker.load(info)
    # A network that computes tanh(1 * x + 0 * 0 + 0), which rounds nowhere else.
    case = Case("rnn_tanh", "dynamic", SAMPLES, 1, 1, 1, dtype, seed=0)
    x = arguments(dtype)
    arrays = {
        "inputs": x.reshape(-1, 1, 1),
        "initial_h": np.zeros((SAMPLES, 1), dtype),
        "kernel": np.ones((1, 1), dtype),
        "recurrent_kernel": np.zeros((1, 1), dtype),
        "bias": np.zeros(1, dtype),
    }
    kind, data, _ = worker.run(info.name, Problem(case, arrays), 120)
    assert kind == "outcome"
    got = unpack(data, backend)[0]["outputs"].reshape(-1)
    worst = float(errors_in_ulp(got, x).max())
    assert worst <= info.ulp(case)["tanh"]
    # A statement ten times too generous would hide faults.
    assert worst > info.ulp(case)["tanh"] / 10
