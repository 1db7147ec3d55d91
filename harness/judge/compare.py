"""One pass over two arrays: every figure that a report shows."""

import math
from dataclasses import dataclass

import numpy as np

from harness.judge.bounds import spacing
from harness.results import Figures
from harness.spec import Array

_BLOCK = 1 << 15  # elements whose float64 working copies stay in a core's cache


@dataclass
class _Running:
    """Figures of the blocks seen so far; -1 stands for "no finite element yet"."""

    max_abs: float = -1.0
    max_rel: float = -1.0
    max_ulp: float = -1.0
    squares: float = 0.0
    mismatched: int = 0
    nonfinite: int = 0
    finite: int = 0
    worst: int = -1
    first_nonfinite: int = -1


def compare(got: Array, want: Array, *, dtype: str) -> Figures:
    """Give the deviations of `got` from `want`.

    Args:
        got: Any shape.
        want: The same shape; may be of higher precision.
        dtype: The dtype whose ulp is counted.

    Raises:
        ValueError: The shapes differ.

    """
    if got.shape != want.shape:
        raise ValueError(f"shapes differ: {got.shape}, {want.shape}")
    flat_got, flat_want = got.reshape(-1), want.reshape(-1)
    running = _Running()
    for start in range(0, got.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        with np.errstate(invalid="ignore", over="ignore"):
            _add_block(running, start, flat_got[part], flat_want[part], dtype)
    worst = running.first_nonfinite if running.nonfinite else running.worst
    return Figures(
        max_abs=_measure(running.max_abs),
        max_rel=_measure(running.max_rel),
        max_ulp=_measure(running.max_ulp),
        rms=_measure(_root_mean(running)),
        mismatched=running.mismatched,
        nonfinite=running.nonfinite,
        total=got.size,
        worst_at=None
        if worst < 0
        else tuple(map(int, np.unravel_index(worst, got.shape))),
    )


def _root_mean(running: _Running) -> float:
    if not running.finite:
        return -1.0
    return math.sqrt(running.squares / running.finite)


def _measure(value: float) -> float | None:
    return value if 0 <= value < math.inf else None


def _add_block(
    running: _Running, start: int, got: Array, want: Array, dtype: str
) -> None:
    wide = want.astype(np.float64, copy=False)
    error = np.abs(got - wide)
    finite = np.isfinite(error)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        if running.first_nonfinite < 0:
            running.first_nonfinite = start + int(bad[0])
        running.nonfinite += bad.size
        running.mismatched += bad.size
        error = np.where(finite, error, 0.0)
        wide = np.where(finite, wide, 0.0)
    running.finite += int(np.count_nonzero(finite))
    running.mismatched += int(np.count_nonzero(error > 0))
    if not finite.any():
        return
    at = int(error.argmax())
    if error[at] > running.max_abs:
        running.max_abs, running.worst = float(error[at]), start + at
    running.squares += float(np.dot(error, error))
    size = np.abs(wide)
    ulp = float((error / spacing(size, dtype)).max())
    running.max_ulp = max(running.max_ulp, ulp)
    nonzero = size > 0
    if nonzero.any():
        relative = float((error[nonzero] / size[nonzero]).max())
        running.max_rel = max(running.max_rel, relative)
