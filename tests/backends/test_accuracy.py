"""What a backend states of its functions holds: the verdict's bound rests on it."""

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

from harness.arrays import unpack
from harness.judge.bounds import spacing
from harness.run.process import Worker
from harness.spec import DTYPES, Array, Case, Problem
from support import BACKENDS, installed

SAMPLES = 100_000

every_backend = pytest.mark.parametrize("backend", BACKENDS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
long_double = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant,
    reason="this machine's long double is no wider than float64",
)


def arguments(dtype: str, largest: float) -> Array:
    """Draw half by magnitude, half evenly over where the function bends most."""
    random = np.random.default_rng(7)
    by_magnitude = 10 ** random.uniform(-12, np.log10(largest), SAMPLES // 2)
    evenly = random.uniform(0, largest / 2, SAMPLES // 2)
    drawn = np.concatenate([by_magnitude, evenly]) * random.choice([-1, 1], SAMPLES)
    return drawn.astype(dtype)


def errors_in_ulp(got: Array, exact: Array) -> Array:
    """Measure against extended precision, what may be flushed to zero apart."""
    dtype = got.dtype.name
    error = np.abs(got.astype(np.float64) - exact)
    flushed = float(ml_dtypes.finfo(dtype).smallest_normal)
    return np.maximum(error - flushed, 0) / spacing(exact.astype(np.float64), dtype)


def case_of(cell: str, dtype: str) -> Case:
    return Case(
        cell=cell,
        variant="dynamic",
        batch=SAMPLES,
        steps=1,
        features=1,
        units=1,
        dtype=dtype,
        seed=0,
    )


def outcome(worker: Worker, backend: str, problem: Problem) -> dict[str, Array]:
    info = installed(backend)
    worker.load(info)
    kind, data, _ = worker.run(info.name, problem, 120)
    assert kind == "outcome", data
    return unpack(data, backend)[0]


def assert_as_stated(worst: float, stated: float) -> None:
    assert worst <= stated
    # A statement ten times too generous would hide faults.
    assert worst > stated / 10


@long_double
@every_dtype
@every_backend
def test_tanh_is_as_accurate_as_stated(
    backend: str, dtype: str, workers: Callable[[str], Worker]
) -> None:
    # A network that computes tanh(1 * x + 0 * 0 + 0), which rounds nowhere else.
    case, x = case_of("rnn_tanh", dtype), arguments(dtype, 20)
    arrays = {
        "inputs": x.reshape(-1, 1, 1),
        "initial_h": np.zeros((1, SAMPLES, 1), dtype),
        "layer0.forward.kernel": np.ones((1, 1), dtype),
        "layer0.forward.recurrent_kernel": np.zeros((1, 1), dtype),
        "layer0.forward.bias": np.zeros(1, dtype),
    }
    stated = installed(backend).accuracy(case)["tanh"]
    made = outcome(workers(backend), backend, Problem(case, arrays))
    exact = np.tanh(x.astype(np.longdouble))
    worst = errors_in_ulp(made["outputs"].reshape(-1), exact).max()
    assert_as_stated(float(worst), stated)


@long_double
@every_dtype
@every_backend
def test_the_logistic_function_is_as_accurate_as_stated(
    backend: str, dtype: str, workers: Callable[[str], Worker]
) -> None:
    # A network whose c is sigmoid(f) * 0 + sigmoid(1 * x) * tanh(25), gates i, f, g, o.
    case, x = case_of("lstm", dtype), arguments(dtype, 86)
    x[0] = 40.0  # where the logistic function is 1
    arrays = {
        "inputs": x.reshape(-1, 1, 1),
        "initial_h": np.zeros((1, SAMPLES, 1), dtype),
        "initial_c": np.zeros((1, SAMPLES, 1), dtype),
        "layer0.forward.kernel": np.array([[1, 0, 0, 0]], dtype),
        "layer0.forward.recurrent_kernel": np.zeros((1, 4), dtype),
        "layer0.forward.bias": np.array([0, 0, 25, 0], dtype),
    }
    stated = installed(backend).accuracy(case)["sigmoid"]
    made = outcome(workers(backend), backend, Problem(case, arrays))
    got = made["final_c"].reshape(-1)
    assert got[0] == 1.0  # so that the tanh which it is multiplied with is 1
    exact = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    worst = errors_in_ulp(got, exact).max()
    assert_as_stated(float(worst), stated)
