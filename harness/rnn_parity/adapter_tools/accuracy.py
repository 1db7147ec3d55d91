"""How accurate a backend's elementwise functions are, seen through its own adapter.

A network of one unit and one step computes a function of its input and rounds nowhere
else; what comes of it is held against extended precision.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import ml_dtypes
import numpy as np

from rnn_parity.adapter_tools.statement import Figure, Stated, Worst, stated
from rnn_parity.judge.bounds import spacing
from rnn_parity_core import (
    CELLS,
    HALF_DTYPES,
    Array,
    BackendInfo,
    Case,
    Outcome,
    Problem,
)
from rnn_parity_core.validate import contract_violations

FUNCTIONS = ("tanh", "sigmoid")
VARIANTS = ("basic", "dynamic")
"""The framework's functions of tensors, and those within its layers and kernels."""

BATCH = 2**17
"""Arguments of one problem, at most."""

Compute = Callable[[Problem], Outcome]
_SEED = 7
_SMALLEST = 1e-12
# Where a function goes from one end of its values to the other, as far as dtypes see.
_BENDS = {"tanh": 10.0, "sigmoid": 40.0}
_ONE_AT = 40.0  # where both functions are 1 in every dtype
_OFF = 16  # ulp by which a backend's own may miss that, as ONNX Runtime's does


class Unmeasurable(Exception):  # noqa: N818 - an answer, not a fault
    """Raised where there is nothing to measure; the text is the reason."""


class Way(NamedTuple):
    """A cell and a variant that a function is computed by."""

    cell: str
    variant: str

    def __str__(self) -> str:
        return f"{self.variant} {self.cell}"

    def case(self, dtype: str, batch: int) -> Case:
        """Give the case of one unit and one step."""
        return Case(
            cell=self.cell,
            variant=self.variant,
            batch=batch,
            steps=1,
            features=1,
            units=1,
            dtype=dtype,
            seed=0,
        )


def ways(info: BackendInfo, function: str, dtype: str) -> list[Way]:
    """Give the ways in which a backend computes a function, but for declared gaps."""
    every = [
        Way(name, variant)
        for variant in VARIANTS
        for name in CELLS
        if function in CELLS[name].isolates
    ]
    return [way for way in every if not info.gap(way.case(dtype, 1))]


def can_measure(dtype: str) -> bool:
    """Whether this machine's extended precision is wider than the dtype."""
    return bool(np.finfo(np.longdouble).eps < ml_dtypes.finfo(dtype).eps)  # type: ignore[no-untyped-call]


def count(dtype: str, samples: int) -> int:
    """Say how many problems the arguments make."""
    return 1 if dtype in HALF_DTYPES else math.ceil(samples / BATCH)


def arguments(
    function: str, dtype: str, samples: int, limits: Sequence[float] = ()
) -> Iterator[Array]:
    """Give the arguments of one problem after the other, `[B]` each.

    Half precisions have so few numbers that all are tried. Of others half are drawn by
    magnitude, and as many evenly: a share over where the function bends, and one over
    each range that limits cut all magnitudes into, so that none of them lacks any.
    """
    largest = _largest(function, dtype)
    if dtype in HALF_DTYPES:
        every = np.arange(2**16, dtype=np.uint16).view(dtype)
        with np.errstate(invalid="ignore"):  # of a NaN that signals
            yield every[np.abs(every.astype(np.float64)) <= largest]
        return
    cuts = [limit for limit in limits if limit < largest]
    ranges = [(0.0, _BENDS[function]), *pairwise([0.0, *cuts, largest])]
    half = 2 * math.ceil(samples / count(dtype, samples) / 4)
    share = math.ceil(half / len(ranges))
    exponents = math.log10(_SMALLEST), math.log10(largest)
    for number in range(count(dtype, samples)):
        random = np.random.default_rng((_SEED, number))
        by_magnitude = 10 ** random.uniform(*exponents, half)
        evenly = [random.uniform(*ends, share) for ends in ranges]
        drawn = np.concatenate([by_magnitude, *evenly])
        yield (drawn * random.choice([-1, 1], drawn.size)).astype(dtype)


def _largest(function: str, dtype: str) -> float:
    """Give the argument beyond which a dtype has nothing but 1, -1 and 0."""
    if function == "tanh":
        return 20.0
    return -math.log(float(ml_dtypes.finfo(dtype).smallest_subnormal))  # type: ignore[no-untyped-call]


def problem_of(function: str, way: Way, x: Array) -> Problem:
    """Give the network that computes a function of `x` `[B]`.

    One more argument comes first, for which the answer is 1. Of samples it makes an odd
    number, so that some are left over by vectors, and computed by other code.
    """
    network = CELLS[way.cell].isolates[function]
    fed = np.concatenate([np.array([_ONE_AT], x.dtype), x])
    case = way.case(x.dtype.name, fed.size)
    arrays = {n: np.zeros(shape, x.dtype) for n, shape in case.input_shapes().items()}
    arrays["inputs"][:, 0, 0] = fed
    arrays["layer0.forward.kernel"][0] = network.kernel
    arrays["layer0.forward.bias"][:] = network.bias
    return Problem(case, arrays)


def _values(function: str, problem: Problem, outcome: Outcome) -> Array:
    """Take a function's values from what a backend returned.

    Raises:
        Unmeasurable: It is not what the problem asks for.

    """
    case = problem.case
    if bad := contract_violations(outcome, case.output_shapes(), case.dtype):
        raise Unmeasurable("; ".join(bad))
    values = outcome[CELLS[case.cell].isolates[function].output].reshape(-1)
    if not abs(float(values[0]) - 1) <= _OFF * ml_dtypes.finfo(case.dtype).eps:  # type: ignore[no-untyped-call]
        raise Unmeasurable(
            f"{function}({_ONE_AT:g}) is {values[0]}, expected 1: what else the "
            "network computes cannot be told from its factors"
        )
    return np.asarray(values[1:])


def exact(function: str, x: Array) -> Array:
    """Compute a function in extended precision, `[B]` to `[B]`."""
    wide = x.astype(np.longdouble)
    return np.asarray(np.tanh(wide) if function == "tanh" else 1 / (1 + np.exp(-wide)))


def errors_in_ulp(got: Array, exact: Array, absolute: float = 0.0) -> Array:
    """Give the errors of results in ulp, 0 where these are zero or subnormal.

    An absolute error that is stated is taken off, as bounds add it. What is not a
    number is as wrong as can be.
    """
    wide, dtype = got.astype(np.float64), got.dtype.name
    error = np.maximum(np.abs(wide - exact) - absolute, 0)
    error /= spacing(exact.astype(np.float64), dtype)
    error = np.where(np.isfinite(wide), error, np.inf)
    return np.where(_below_normal(got), 0.0, error).astype(np.float64)


def errors_if_flushed(got: Array, exact: Array) -> Array:
    """Give the absolute errors of results that are zero or subnormal, else 0."""
    error = np.abs(got.astype(np.float64) - exact)
    return np.where(_below_normal(got), error, 0.0).astype(np.float64)


def _below_normal(got: Array) -> Array:
    normal = float(ml_dtypes.finfo(got.dtype.name).smallest_normal)  # type: ignore[no-untyped-call]
    return np.asarray(np.abs(got.astype(np.float64)) < normal)


def measure(
    info: BackendInfo, function: str, dtype: str, samples: int, compute: Compute
) -> list[Figure]:
    """Measure a function in every way that a backend has; nothing if it has none.

    Args:
        info: The backend.
        function: One of `FUNCTIONS`.
        dtype: One that `can_measure` holds for.
        samples: Arguments; in half precisions all there are.
        compute: Asks the backend's adapter.

    Returns:
        One figure for each of what the backend has `stated`.

    Raises:
        Unmeasurable: What was computed is not what was asked for.

    """
    said = stated(info, function, dtype)
    limits = [one.upto for one in said]
    found = [
        _errors(function, way, x, said, compute)
        for way in ways(info, function, dtype)
        for x in arguments(function, dtype, samples, limits)
    ]
    return [
        Figure(
            *(max(of, key=lambda worst: worst.error) for of in zip(*one, strict=True))
        )
        for one in zip(*found, strict=True)
    ]


def _errors(
    function: str, way: Way, x: Array, said: list[Stated], compute: Compute
) -> list[Figure]:
    """Measure one problem, for each statement."""
    problem = problem_of(function, way, x)
    got, right = _values(function, problem, compute(problem)), exact(function, x)
    ulp = errors_in_ulp(got, right, said[0].absolute)
    flushed = errors_if_flushed(got, right)

    def worst(errors: Array, one: Stated) -> Worst:
        # What it is not about counts for less than any error.
        own = np.where(one.covers(x), errors, -1.0)
        number = int(own.argmax())
        return Worst(max(float(own[number]), 0.0), float(x[number]), str(way))

    return [Figure(worst(ulp, one), worst(flushed, one)) for one in said]
