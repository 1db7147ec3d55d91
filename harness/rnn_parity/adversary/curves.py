"""How an elementwise function errs: a fixed curve of its argument, as it is stated."""

from collections.abc import Callable

import numpy as np

from rnn_parity.adversary.formats import Format
from rnn_parity_core import Accuracy, Array

_MIXED = np.uint64(0x9E3779B97F4A7C15)


def _hashed(x: Array, seed: int, keep: int) -> Array:
    """Return signs that follow from the first bits of an argument."""
    bits = np.ascontiguousarray(x, np.float64).view(np.uint64) >> np.uint64(64 - keep)
    mixed = (bits + np.uint64(seed)) * _MIXED
    mixed ^= mixed >> np.uint64(29)
    mixed *= _MIXED
    return np.where(mixed >> np.uint64(63), 1.0, -1.0)


def _columns(x: Array, seed: int) -> Array:
    """Return signs of columns: a kernel may treat its last ones otherwise."""
    number = np.arange(x.shape[-1], dtype=np.float64) + 1
    return np.broadcast_to(_hashed(number, seed, 64), x.shape)


CURVES: dict[str, Callable[[Array, Array, int], Array]] = {
    "nearest": lambda _x, y, _seed: np.zeros(y.shape),
    "up": lambda _x, y, _seed: np.ones(y.shape),
    "down": lambda _x, y, _seed: -np.ones(y.shape),
    "outward": lambda x, _y, _seed: np.where(x > 0, 1.0, -1.0),
    "inward": lambda x, _y, _seed: np.where(x > 0, -1.0, 1.0),
    "in bands": lambda x, _y, seed: _hashed(x, seed, 15),
    "in places": lambda x, _y, seed: _hashed(x, seed, 64),
    "in waves": lambda x, _y, seed: np.sign(np.sin(x.astype(float) * (seed % 97 + 1))),
    "by columns": lambda x, _y, seed: _columns(x, seed),
}
"""Name → argument, exact value and a seed → -1, 0 or 1: which way it errs, in full."""


def exact(name: str, x: Array) -> Array:
    """Return a function of wide values."""
    if name == "tanh":
        return np.asarray(np.tanh(x))
    small = np.exp(-np.abs(x))  # so that nothing overflows
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def erring(
    name: str, x: Array, accuracy: Accuracy, form: Format, curve: tuple[str, int]
) -> Array:
    """Return a function's values, as far off as is stated, and in its range.

    Args:
        name: `tanh` or `sigmoid`.
        x: Arguments, wide.
        accuracy: What may be off.
        form: Of the results.
        curve: Which of `CURVES`, and its seed.

    """
    y = exact(name, x)
    sign = CURVES[curve[0]](x, y, curve[1])
    allowed = _allowed(name, x, y, accuracy, form)
    plain = form.narrow(y)
    found = form.narrow(y + sign * allowed)
    for _ in range(2):
        beyond = np.abs(found.astype(form.wide) - y) > allowed
        if not beyond.any():
            break
        found = np.where(beyond, np.nextafter(found, plain), found)
    # What comes out normal is held to ulps, whatever it should have been.
    normal = (np.abs(y) < form.tiny) & (np.abs(found.astype(form.wide)) >= form.tiny)
    found = np.where(normal, plain, found)
    least = -1 if name == "tanh" else 0
    return np.asarray(np.clip(found.astype(form.wide), least, 1))


def _allowed(name: str, x: Array, y: Array, accuracy: Accuracy, form: Format) -> Array:
    """Return how far off it may be: a little less than stated, as y itself errs."""
    stated = accuracy.functions[name]
    ulps: Array = np.asarray(stated.ulp)
    for limit, fewer in reversed(stated.near):
        ulps = np.where(np.abs(x) <= limit, fewer, ulps)
    # It never reaches 1, where an ulp is twice as large.
    below = np.minimum(np.abs(y), 1 - 2.0**-60)
    below = np.where(below >= 1, 1 - form.eps / 2, below).astype(np.float64)
    below = np.minimum(below, 1 - 2.0**-53)
    allowed = (ulps - 2.0**-9) * form.spacing(below) + stated.absolute
    # Of subnormal results ulps say nothing.
    return np.where(np.abs(y) < form.tiny, np.maximum(allowed, form.tiny), allowed)
