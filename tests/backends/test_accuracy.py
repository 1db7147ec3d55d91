"""What a backend states of its functions holds: the verdict's bound rests on it.

As `rnn-parity measure` does, with fewer arguments.
"""

from collections.abc import Callable
from itertools import product

import pytest

from harness.accuracy import FUNCTIONS
from harness.run.process import Worker
from harness.spec import DTYPES
from support import BACKENDS, assert_as_stated, installed

# oneDNN's logistic function is 0 from -86.99 on: more than the smallest normal number
# off, which is all that a bound allows where nothing else is stated.
EARLY = ("torch", "float32", "sigmoid")
CASES = [
    pytest.param(*case, marks=pytest.mark.xfail(strict=True) if case == EARLY else ())
    for case in product(BACKENDS, DTYPES, FUNCTIONS)
]


@pytest.mark.parametrize(("backend", "dtype", "function"), CASES)
def test_functions_are_as_accurate_as_stated(
    backend: str, dtype: str, function: str, workers: Callable[[str], Worker]
) -> None:
    assert_as_stated(installed(backend), workers(backend), function, dtype)
