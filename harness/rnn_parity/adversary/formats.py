"""Numbers of a dtype, held in a wider one, and how they are rounded to it."""

from typing import Any

import ml_dtypes
import numpy as np

from rnn_parity_core import Array

_TYPES: dict[str, Any] = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
}


class Format:
    """A dtype, and a wider one that products of its numbers are exact in.

    Long doubles hold float64's products but for 2^-64 of them, which its bounds have
    room for: they count the reference's own rounding too.
    """

    def __init__(self, dtype: str) -> None:
        info = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
        self.name, self.type = dtype, np.dtype(_TYPES[dtype])
        self.wide: Any = np.longdouble if dtype == "float64" else np.float64
        self.tiny, self.eps = float(info.smallest_normal), float(info.eps)

    def narrow(self, value: Array) -> Array:
        """Return a wide array rounded to nearest, in the dtype itself."""
        if self.name == "bfloat16":
            return _odd(np.asarray(value, np.float64)).astype(self.type)
        with np.errstate(over="ignore"):  # an infinite result is one
            return np.asarray(value).astype(self.type)

    def rounded(self, value: Array, *, flush: bool = False) -> Array:
        """Return a wide array of numbers that the dtype has."""
        found = self.narrow(value).astype(self.wide)
        return self.flushed(found) if flush else found

    def flushed(self, value: Array) -> Array:
        """Return what it is where subnormal numbers are zero."""
        return np.where(np.abs(value) < self.tiny, 0 * value, value)

    def spacing(self, value: Array) -> Array:
        """Return the unit in the last place at wide values; never a subnormal one's."""
        size = np.maximum(np.abs(value).astype(np.float64), self.tiny)
        return np.asarray(np.ldexp(self.eps, np.frexp(size)[1] - 1))


def _odd(value: Array) -> Array:
    """Round to float32 such that rounding once more errs as rounding once does.

    What is inexact gets an odd last bit (Boldo and Melquiond, IEEE Trans. Comput.
    57(4), 2008).
    """
    near = np.asarray(value.astype(np.float32))
    back = near.astype(np.float64)
    even = (near.view(np.int32) & 1) == 0
    inexact = (back != value) & even & np.isfinite(near)
    up = np.where(value > back, np.float32(np.inf), np.float32(-np.inf))
    return np.where(inexact, np.nextafter(near, up), near)
