"""What a backend states of its functions, and whether what was measured keeps it."""

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from rnn_parity_core import Array, BackendInfo

TOO_GENEROUS = 10
"""Times what is measured, from which on a statement hides faults."""

Status = Literal["kept", "exceeded", "generous", "unstated"]


class Worst(NamedTuple):
    """The largest error, at which argument, and in which way."""

    error: float
    at: float
    way: str


class Figure(NamedTuple):
    """What was measured of a function."""

    ulp: Worst
    """In units in the last place, of results that are normal numbers, of what goes
    beyond the absolute error that is stated."""
    absolute: Worst
    """Of results that are zero or subnormal, of which ulps say nothing."""


class Stated(NamedTuple):
    """What a backend states of a function in a dtype, for arguments of some sizes."""

    ulp: float | None
    """Largest error in ulp; None if nothing is stated."""
    absolute: float = 0.0
    """Error on top of the ulps; of a flushed result, beyond the smallest normal
    number."""
    beyond: float = -math.inf
    """Magnitude up to which another statement holds."""
    upto: float = math.inf
    """Largest magnitude of an argument that it is about."""

    def covers(self, x: Array) -> NDArray[np.bool_]:
        """Say which arguments it is about."""
        size = np.abs(x.astype(np.float64))
        return np.asarray((size > self.beyond) & (size <= self.upto))


def stated(info: BackendInfo, function: str, dtype: str) -> list[Stated]:
    """Give what a backend states, for the smallest arguments first."""
    error = info.accuracy.get(dtype, {}).get(function)
    if error is None:
        return [Stated(None)]
    limits = [-math.inf, *(limit for limit, _ in error.near), math.inf]
    ulps = [*(ulp for _, ulp in error.near), error.ulp]
    return [
        Stated(ulp, error.absolute, *ends)
        for ulp, ends in zip(ulps, pairwise(limits), strict=True)
    ]


def allowed_absolute(said: Stated, dtype: str) -> float:
    """Give the error that bounds allow of a result that is flushed to zero.

    It is the smallest normal number, the stated ulps there and what is stated on top.
    """
    info = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
    ulps = (said.ulp or 0.0) * float(info.eps)
    return float(info.smallest_normal) * (1 + ulps) + said.absolute


def held(figure: Figure, said: Stated, dtype: str) -> Status:
    """Hold what was measured to what a backend states."""
    if said.ulp is None:
        return "unstated"
    flushed = figure.absolute.error > allowed_absolute(said, dtype)
    if flushed or figure.ulp.error > said.ulp:
        return "exceeded"
    generous = said.ulp > 0 and figure.ulp.error * TOO_GENEROUS <= said.ulp
    return "generous" if generous else "kept"
