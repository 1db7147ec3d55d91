"""What a backend states of its functions holds: the verdict's bound rests on it.

As `rnn-parity measure` does, with fewer arguments.
"""

from collections.abc import Callable
from itertools import product

import pytest

from harness.accuracy import FUNCTIONS
from harness.run.process import Worker
from harness.spec import DTYPES
from support import BACKENDS, LAYERS_ON_JAX, assert_as_stated, installed

CASES = [*product([*BACKENDS, *LAYERS_ON_JAX, "mlx"], DTYPES, FUNCTIONS)]


@pytest.mark.parametrize(("backend", "dtype", "function"), CASES)
def test_functions_are_as_accurate_as_stated(
    backend: str, dtype: str, function: str, workers: Callable[[str], Worker]
) -> None:
    assert_as_stated(installed(backend), workers(backend), function, dtype)
