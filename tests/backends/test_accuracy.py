"""What a backend states of its functions holds: the verdict's bound rests on it.

As `rnn-parity measure` does, with fewer arguments.
"""

from collections.abc import Callable
from itertools import product

import pytest

from rnn_parity.adapter_tools.accuracy import FUNCTIONS, ways
from rnn_parity.runs.registry import known_backends
from rnn_parity.workers.process import Worker
from rnn_parity_core import DTYPES, Error
from support import BACKENDS, KERAS, LAYERS_ON_JAX, assert_as_stated, installed, stating

NAMES = [*BACKENDS, *LAYERS_ON_JAX, *KERAS, "openvino", "mlx"]
CASES = [
    (name, dtype, function)
    for name, dtype, function in product(NAMES, DTYPES, FUNCTIONS)
    if ways(known_backends()[name], function, dtype)
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_too_few_ulp_stated_near_0_are_caught(
    function: str, workers: Callable[[str], Worker]
) -> None:
    near = {function: Error(4.0, near=((1.0, 0.75),))}
    info = stating(installed("numpy"), "float32", **near)
    with pytest.raises(AssertionError, match=r"Stated\(ulp=0.75, .* upto=1.0"):
        assert_as_stated(info, workers("numpy"), function, "float32")


@pytest.mark.parametrize(("backend", "dtype", "function"), CASES)
def test_functions_are_as_accurate_as_stated(
    backend: str, dtype: str, function: str, workers: Callable[[str], Worker]
) -> None:
    assert_as_stated(installed(backend), workers(backend), function, dtype)
