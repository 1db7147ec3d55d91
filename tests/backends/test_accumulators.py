"""Sums of half precisions' products are kept as wide as backends state."""

from collections.abc import Callable

import numpy as np
import pytest

from rnn_parity.workers.process import Worker
from rnn_parity_core import FLOAT32_SUMS, Case, Problem
from rnn_parity_core.arrays import unpack
from support import BACKENDS, KERAS, installed

# What is added to the large number is less than half of its last place; as floats the
# many small ones come to more than ten of these.
LARGE = {"bfloat16": 256.0, "float16": 2048.0}
SMALL = 0.5


def summing(variant: str, dtype: str, features: int, batch: int) -> Problem:
    """Give a network whose every output is a large number and many small ones."""
    case = Case(
        cell="rnn_relu",
        variant=variant,
        batch=batch,
        steps=1,
        features=features,
        units=8,
        dtype=dtype,
        seed=0,
    )
    arrays = {name: np.zeros(s, dtype) for name, s in case.input_shapes().items()}
    arrays["inputs"][:] = 1
    arrays["layer0.forward.kernel"][:] = SMALL
    arrays["layer0.forward.kernel"][0] = LARGE[dtype]
    return Problem(case, arrays)


@pytest.mark.parametrize("variant", ["basic", "static", "dynamic"])
@pytest.mark.parametrize("dtype", FLOAT32_SUMS)
@pytest.mark.parametrize("backend", [*BACKENDS, *KERAS, "mlx", "tinygrad"])
def test_small_products_are_not_lost_beside_large_ones(
    backend: str, dtype: str, variant: str, workers: Callable[[str], Worker]
) -> None:
    info = installed(backend)
    if dtype not in info.arithmetic.accumulators:
        pytest.skip(f"{backend} states nothing of sums in {dtype}")
    if gap := info.gap(summing(variant, dtype, 64, 1).case):
        pytest.skip(f"{backend}: {gap.reason}")
    worker = workers(backend)
    worker.load(info)
    for features, batch in ((64, 1), (300, 32)):
        problem = summing(variant, dtype, features, batch)
        kind, data, _ = worker.run(info.name, problem, 120)
        assert kind == "outcome", data
        got = unpack(data, backend)[0]["outputs"].astype(np.float64)
        want = LARGE[dtype] + SMALL * (features - 1)
        assert (np.abs(got - want) <= want * 2.0**-8).all(), (features, got.min())


def test_what_is_stated_is_float32() -> None:
    stated = {name: installed(name).arithmetic.accumulators for name in BACKENDS}
    assert {wide for of in stated.values() for wide in of.values()} == {"float32"}
    assert all("float16" in of for of in stated.values())


def test_sums_kept_in_the_dtype_itself_lose_them() -> None:
    """The network tells the two apart: this is what it would be if they were lost."""
    for dtype, large in LARGE.items():
        total = np.array(large, dtype)
        for _ in range(63):
            total = (total + np.array(SMALL, dtype)).astype(dtype)
        assert float(total) == large
        assert large + SMALL * 63 - large > large * 2.0**-8
