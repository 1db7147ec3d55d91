"""One pass over two arrays: every figure that a report shows."""

import math
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import Any

import ml_dtypes
import numpy as np

from rnn_parity.judge.bounds import spacing
from rnn_parity_core import Array
from rnn_parity_reports.results import Figures

BLOCK = 1 << 19
"""Elements at once: few enough for a processor's caches to hold working copies of them,
and enough for threads not to wait for one another between calls of NumPy."""

_PART = 1 << 22  # elements that a thread of its own is worth its start for
_LANE = 1 << 13  # elements of one sum of squares: BLAS would start threads for more
# Integers as wide as a float, and the bits of its exponent.
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_BITS: dict[np.dtype[Any], tuple[np.dtype[Any], int]] = {
    _FLOAT32: (np.dtype(np.int32), 0x7F800000),
    _FLOAT64: (np.dtype(np.int64), 0x7FF0000000000000),
}
# Squares of errors between these are numbers of float32, and so of float64.
_SQUARED = 1e-15, 1e15
_NOWHERE = np.empty(0, np.intp)


@dataclass
class _Running:
    """Figures of the blocks seen so far; -1 stands for "no finite element yet"."""

    max_abs: float = -1.0
    max_rel: float = -1.0
    max_ulp: float = -1.0
    squares: float = 0.0
    mismatched: int = 0
    nonfinite: int = 0
    total: int = 0
    worst: int = -1
    first_nonfinite: int = -1

    def joined(self, later: "_Running") -> "_Running":
        """Give the figures of both, of which the other has the elements behind."""
        farther = later.max_abs > self.max_abs
        return _Running(
            max_abs=max(self.max_abs, later.max_abs),
            max_rel=max(self.max_rel, later.max_rel),
            max_ulp=max(self.max_ulp, later.max_ulp),
            squares=self.squares + later.squares,
            mismatched=self.mismatched + later.mismatched,
            nonfinite=self.nonfinite + later.nonfinite,
            total=later.total,
            worst=later.worst if farther else self.worst,
            first_nonfinite=(
                later if self.first_nonfinite < 0 else self
            ).first_nonfinite,
        )


def compare(got: Array, want: Array, *, dtype: str) -> Figures:
    """Give the deviations of `got` from `want`.

    Two arrays of float32 are subtracted in it: figures are then right to its last
    place, and `rms` to six digits. All others are in float64.

    Args:
        got: Any shape.
        want: The same shape; may be of higher precision.
        dtype: The dtype whose ulp is counted.

    Raises:
        ValueError: The shapes differ.

    """
    if got.shape != want.shape:
        raise ValueError(f"shapes differ: {got.shape}, {want.shape}")
    flat = got.reshape(-1), want.reshape(-1)
    if got.size < 2 * _PART:
        return _figures(_over(_blocks(*flat), dtype, 0), got.shape)
    size = max(-(-got.size // (os.cpu_count() or 1)), _PART)

    def of_part(start: int) -> _Running:
        part = (of[start : start + size] for of in flat)
        return _over(_blocks(*part), dtype, start)

    starts = range(0, got.size, size)
    with ThreadPoolExecutor(len(starts)) as pool:
        found = pool.map(of_part, starts)
        return _figures(reduce(_Running.joined, found), got.shape)


def compare_blocks(
    blocks: Iterable[tuple[Array, Array]], shape: tuple[int, ...], *, dtype: str
) -> Figures:
    """Give the deviations of arrays that come in pieces, as `compare` does.

    Args:
        blocks: Pairs of up to `BLOCK` elements of both arrays, flat, in C order.
        shape: Of either array.
        dtype: The dtype whose ulp is counted.

    """
    return _figures(_over(blocks, dtype, 0), shape)


def _over(blocks: Iterable[tuple[Array, Array]], dtype: str, start: int) -> _Running:
    """Go over blocks, before which there are so many elements."""
    running, quick = _Running(total=start), _Quick(dtype)
    with np.errstate(all="ignore"):
        for got, want in blocks:
            if not quick.add(running, got, want):
                _add_block(running, got, want, dtype)
            running.total += got.size
    return running


def _figures(running: _Running, shape: tuple[int, ...]) -> Figures:
    worst = running.first_nonfinite if running.nonfinite else running.worst
    return Figures(
        max_abs=_measure(running.max_abs),
        max_rel=_measure(running.max_rel),
        max_ulp=_measure(running.max_ulp),
        rms=_measure(_root_mean(running)),
        mismatched=running.mismatched,
        nonfinite=running.nonfinite,
        total=running.total,
        worst_at=None if worst < 0 else tuple(map(int, np.unravel_index(worst, shape))),
    )


def _blocks(got: Array, want: Array) -> Iterator[tuple[Array, Array]]:
    for start in range(0, got.size, BLOCK):
        yield got[start : start + BLOCK], want[start : start + BLOCK]


def _root_mean(running: _Running) -> float:
    finite = running.total - running.nonfinite
    return math.sqrt(running.squares / finite) if finite else -1.0


def _measure(value: float) -> float | None:
    return value if 0 <= value < math.inf else None


class _Quick:
    """Takes blocks with few passes and little new memory.

    Two of `dtype` itself, if that is float32, are taken in it, all others in float64.
    """

    def __init__(self, dtype: str) -> None:
        info = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
        self._dtype = np.dtype(dtype)
        self._eps = float(info.eps)
        self._range = float(info.smallest_normal), float(info.max)
        self._error = self._work = np.empty(0)
        self._small = np.empty(0, np.bool_)

    def add(self, running: _Running, got: Array, want: Array) -> bool:
        """Add a block; leave it, and say so, where plain steps would mislead."""
        narrow = got.dtype == want.dtype == self._dtype == _FLOAT32
        working = _FLOAT32 if narrow else _FLOAT64
        error, work = self._room(got.size, working)
        got, want = (of.astype(working, copy=False) for of in (got, want))
        np.abs(np.subtract(got, want, out=error), out=error)
        largest = float(error.max())  # NaN, if there is one
        if not (largest == 0 or _SQUARED[0] < largest < _SQUARED[1]):
            return False
        at = self._suspects(running, largest, want, work)
        if at is None:
            judged = self._ratios(running, error, want, work)
        else:
            judged = not at.size or self._ratios(
                running, error[at], want[at], work[: at.size]
            )
        if not judged:
            return False
        if largest > running.max_abs:
            running.max_abs = largest
            running.worst = running.total + int(error.argmax())
        integers, _ = _BITS[working]
        running.mismatched += int(np.count_nonzero(error.view(integers)))
        running.squares += _squares(error)
        return True

    def _room(self, size: int, working: np.dtype[Any]) -> tuple[Array, Array]:
        if len(self._error) < size or self._error.dtype != working:
            self._error, self._work = np.empty(size, working), np.empty(size, working)
            self._small = np.empty(size, np.bool_)
        return self._error[:size], self._work[:size]

    def _suspects(
        self, running: _Running, largest: float, want: Array, work: Array
    ) -> Array | None:
        """Say where an error may be a larger share of `want` than any before.

        That is nowhere in most blocks; None where it may be anywhere.
        """
        # In units of the power of two below it, an error is up to twice that share.
        known = min(running.max_rel, running.max_ulp * self._eps / 2)
        if known <= 0 or self._dtype != work.dtype:
            return None  # beyond a dtype's largest number ulp do not grow any more
        small = self._small[: want.size]
        np.less(np.abs(want, out=work), largest / known, out=small)
        return np.flatnonzero(small) if small.any() else _NOWHERE

    def _ratios(
        self, running: _Running, error: Array, want: Array, work: Array
    ) -> bool:
        """Look at errors as shares of `want`, and in ulp; say if that could be done."""
        units = bound = math.inf
        if self._dtype == work.dtype:
            units = bound = self._units(error, want, work, clipped=False)
        if not units < math.inf:
            # Zeros and subnormal numbers have the ulp of the smallest normal number.
            units, bound = self._units(error, want, work, clipped=True), math.inf
        if not units < math.inf:
            return False
        running.max_ulp = max(running.max_ulp, units / self._eps)
        # An error is no larger a share of `want` than of the power of two below it.
        if not bound <= running.max_rel:
            running.max_rel = max(running.max_rel, _relative(error, want, work))
        return True

    def _units(self, error: Array, want: Array, work: Array, *, clipped: bool) -> float:
        """Give the largest error as a share of the power of two that `want` reaches.

        Of zero there is none, unless powers are those of normal numbers of the dtype.
        """
        size = want
        if clipped:
            np.clip(np.abs(want, out=work), *self._range, out=work)
            size = work
        integers, exponent = _BITS[work.dtype]
        np.bitwise_and(size.view(integers), exponent, out=work.view(integers))
        return float(np.divide(error, work, out=work).max())


def _squares(error: Array) -> float:
    if error.size % _LANE:
        return sum(float(np.dot(p, p)) for p in _pieces(error))
    lanes = error.reshape(-1, _LANE)
    return float(np.vecdot(lanes, lanes).sum(dtype=np.float64))


def _pieces(error: Array) -> Iterator[Array]:
    return (error[at : at + _LANE] for at in range(0, error.size, _LANE))


def _relative(error: Array, want: Array, work: Array) -> float:
    """Give the largest error as a share of `want`, where that is not zero; else -1."""
    size = np.abs(want, out=work)
    if size.min() == 0:
        if not size.any():
            return -1.0
        size[size == 0] = math.inf
    return float(np.divide(error, size, out=work).max())


def _add_block(running: _Running, got: Array, want: Array, dtype: str) -> None:
    """Add a block by float64, whatever its dtypes, where elements may not be finite."""
    wide = want.astype(np.float64, copy=False)
    error = np.abs(got - wide)
    finite = np.isfinite(error)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        if running.first_nonfinite < 0:
            running.first_nonfinite = running.total + int(bad[0])
        running.nonfinite += bad.size
        running.mismatched += bad.size
        error = np.where(finite, error, 0.0)
        wide = np.where(finite, wide, 0.0)
    running.mismatched += int(np.count_nonzero(error > 0))
    if not finite.any():
        return
    at = int(error.argmax())
    if error[at] > running.max_abs:
        running.max_abs, running.worst = float(error[at]), running.total + at
    running.squares += float(np.dot(error, error))
    size = np.abs(wide)
    ulp = float((error / spacing(size, dtype)).max())
    running.max_ulp = max(running.max_ulp, ulp)
    nonzero = size > 0
    if nonzero.any():
        relative = float((error[nonzero] / size[nonzero]).max())
        running.max_rel = max(running.max_rel, relative)
