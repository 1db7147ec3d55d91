"""Kinds of networks that are hard on bounds: what each makes of drawn arrays."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnn_parity.adversary.formats import Format
from rnn_parity_core import CELLS, Array, Case


class Draw(NamedTuple):
    """A network while it is drawn."""

    case: Case
    arrays: dict[str, Array]
    """float64, as trained networks have them; changed in place."""
    rng: np.random.Generator


class Sizes(NamedTuple):
    """The sizes of a family's networks: the least and the most."""

    batch: tuple[int, int] = (1, 3)
    steps: tuple[int, int] = (1, 16)
    features: tuple[int, int] = (1, 10)
    units: tuple[int, int] = (1, 8)


class Family(NamedTuple):
    """Networks of one kind."""

    arrays: Callable[[Draw], None]
    sizes: Sizes = Sizes()
    tied: tuple[int, ...] = ()
    """Axes of the inputs along which they stay the same."""
    cells: tuple[str, ...] = ()
    """Of which they are; none: of any."""
    is_plain: bool = False
    """Whether they have one layer and one direction."""


def _trained(drawn: Draw) -> None:
    """Leave heavy-tailed weights, biases up to 20, gates at their ends."""


def _hot(drawn: Draw) -> None:
    """Scale inputs by 100, as if somebody forgot to normalise them."""
    arrays = drawn.arrays
    arrays["inputs"] *= 100


def _static(drawn: Draw) -> None:
    """Let all features but one stay the same through all steps, of one sign.

    The sums are near zero, so that they are made of cancelling parts and are not
    saturated.
    """
    arrays, rng = drawn.arrays, drawn.rng
    x = np.abs(arrays["inputs"])
    last = arrays["inputs"][..., -1:]
    x[:] = x[:, :1]
    x[..., -1:] = last
    arrays["inputs"] = x
    for name in arrays:
        if name.endswith(".kernel"):
            kernel = arrays[name]
            kernel[:-1] = np.abs(rng.standard_normal(kernel[:-1].shape))
            kernel /= np.sqrt(len(kernel))
            bias = name.replace(".kernel", ".bias")
            if bias not in arrays:
                continue
            usual = x[0, 0, :-1] @ kernel[:-1] * float(rng.choice([0.5, 1, 1]))
            arrays[bias] = rng.uniform(-0.5, 0.5, kernel.shape[1]) - usual
        elif name.endswith(".recurrent_kernel"):
            shape = arrays[name].shape
            arrays[name] = rng.standard_normal(shape) / np.sqrt(shape[0]) / 2


def _equal(drawn: Draw) -> None:
    """Make all terms of a sum the same number."""
    arrays, rng = drawn.arrays, drawn.rng
    arrays["inputs"] = np.full(arrays["inputs"].shape, rng.uniform(0.5, 1))
    for name in arrays:
        if name.endswith(".kernel"):
            arrays[name][:] = rng.uniform(0.01, 0.1, arrays[name].shape[1])
        elif name.endswith("recurrent_kernel"):
            arrays[name] *= 0.01
        elif name.endswith("bias") or name.startswith("initial"):
            arrays[name][:] = rng.choice([0.0, 0.01])


def _unequal(drawn: Draw) -> None:
    """Put many products below half an ulp beside a large one, of one sign."""
    case, arrays, rng = drawn.case, drawn.arrays, drawn.rng
    half = Format(case.dtype).eps / 2
    x = rng.uniform(0.9, 1, arrays["inputs"].shape)
    arrays["inputs"] = x
    for name in arrays:
        if name.endswith(".kernel"):
            shape = arrays[name].shape
            small = half * rng.choice([0.3, 0.4, 0.9]) * rng.uniform(0.8, 1.1, shape)
            small[rng.integers(2) * (shape[0] - 1)] = rng.uniform(0.5, 0.55)
            arrays[name] = small
        elif name.endswith("recurrent_kernel"):
            arrays[name] *= 0.01
        elif name.endswith("bias"):
            arrays[name] = rng.uniform(0.01, 0.02, arrays[name].shape)
        elif name.startswith("initial"):
            arrays[name] *= 0.05


def _subnormal(drawn: Draw) -> None:
    """Put subnormal weights beside large inputs, or the other way around."""
    case, arrays, rng = drawn.case, drawn.arrays, drawn.rng
    tiny = Format(case.dtype).tiny
    small = [n for n in arrays if n.endswith(("kernel", "projection", "peephole"))]
    size = rng.choice([1, 30, 1000])
    if rng.integers(2):
        arrays["inputs"] *= tiny / 4
        for name in small:
            arrays[name] *= size
    else:
        arrays["inputs"] *= size
        for name in small:
            arrays[name] *= tiny / 4
    for name in arrays:
        if name.endswith("bias") or name.startswith("initial"):
            arrays[name] *= rng.choice([0, tiny, 1e-3])


def _silent(drawn: Draw) -> None:
    """Put zeros in the inputs, in whole weights, and at the start."""
    arrays, rng = drawn.arrays, drawn.rng
    silent = [name for name in arrays if rng.random() < 1 / 3]
    for name in [*silent, "inputs"]:
        arrays[name] *= rng.random(arrays[name].shape) < rng.choice([0, 0.5])


def _cancelling(drawn: Draw) -> None:
    """Let large products cancel, so that no gate is known well."""
    case, arrays, rng = drawn.case, drawn.arrays, drawn.rng
    half = Format(case.dtype).eps / 2
    size = rng.uniform(0.01, 0.3) / half
    x = arrays["inputs"]
    for name in arrays:
        if name.endswith("layer0.forward.kernel") and x.shape[-1] > 1:
            kernel, units = arrays[name], case.units
            kernel /= np.abs(kernel).max(axis=0) + 1e-3
            kernel[1] = -kernel[0]
            # o alone, or all gates.
            kernel[:2, -units if rng.integers(2) else 0 :] *= size
    if x.shape[-1] > 1:
        x[..., 1] = x[..., 0]
    for name in arrays:
        if name.startswith("initial"):
            arrays[name] *= rng.choice([1e-3, 0.03, 1])


def _latched(drawn: Draw) -> None:
    """Let c cancel in the first step, and be only kept from then on."""
    case, arrays, rng = drawn.case, drawn.arrays, drawn.rng
    units, x = case.units, arrays["inputs"]
    x[..., 0] = -1
    x[:, 0, 0] = 1
    kernel, bias = arrays["layer0.forward.kernel"], arrays["layer0.forward.bias"]
    i, f, g, o = (slice(k * units, (k + 1) * units) for k in range(4))
    # i opens in the first step alone; f and o stay open.
    kernel[0, i], kernel[0, f], kernel[0, o] = rng.uniform(10, 30), 0, 0
    kernel[1:, i] *= 0.1
    bias[f], bias[o] = rng.uniform(1, 4, units), rng.uniform(1, 4, units)
    candidate = x[:, 0] @ kernel[:, g] + bias[g]
    target = np.tanh(candidate) / (1 / (1 + np.exp(-bias[f])))
    arrays["initial_c"][0] = -target * (1 + rng.normal(size=target.shape) * 1e-3)
    arrays["initial_h"] *= 0.01


def _vague(drawn: Draw) -> None:
    """Leave o unknown in the first step, and keep a small c after it."""
    case, arrays, rng = drawn.case, drawn.arrays, drawn.rng
    units, x, once = case.units, arrays["inputs"], 2 / Format(case.dtype).eps
    x[:] = 0
    x[..., 0] = -1
    x[:, 0, 0] = 1
    x[:, 0, 1:3] = rng.uniform(0.5, 1)
    kernel, bias = arrays["layer0.forward.kernel"], arrays["layer0.forward.bias"]
    i, f, g, o = (slice(k * units, (k + 1) * units) for k in range(4))
    kernel[:] = 0
    # What either is at first, and after it.
    for gate, usual, after in ((i, -7, -20), (f, 5, 5), (g, 0.1, 0.1), (o, -2, 2)):
        first = usual * rng.uniform(0.5, 1.2, units)
        kernel[0, gate], bias[gate] = (first - after) / 2, (first + after) / 2
    kernel[1, g] = once * 2 ** rng.uniform(-5, -2, units)
    kernel[1, o] = once * 2 ** rng.uniform(-2, 4, units)
    kernel[2] = -kernel[1]
    arrays["layer0.forward.recurrent_kernel"] *= 0.01
    arrays["initial_c"] *= 0
    arrays["initial_h"] *= 0


_HIDING_C = tuple(
    name
    for name in CELLS.built_in
    if CELLS[name].gates == ("i", "f", "g", "o")
    and CELLS[name].weights.keys() == {"kernel", "recurrent_kernel", "bias"}
)
"""Cells of which h alone tells c."""

_WIDE = Sizes((1, 2), (1, 2), (32, 512), (1, 4))
FAMILIES: dict[str, Family] = {
    "trained": Family(_trained),
    "hot": Family(_hot),
    "static": Family(
        _static, Sizes((1, 2), (64, 512), (8, 40), (1, 6)), tied=(1,), is_plain=True
    ),
    "equal": Family(_equal, Sizes((1, 1), (1, 2), (64, 1024), (1, 4)), tied=(0, 1, 2)),
    "unequal": Family(_unequal, _WIDE),
    "subnormal": Family(_subnormal),
    "silent": Family(_silent),
    "cancelling": Family(
        _cancelling, Sizes(features=(2, 4), units=(1, 4)), is_plain=True
    ),
    "latched": Family(
        _latched, Sizes(steps=(2, 6), units=(1, 6)), cells=_HIDING_C, is_plain=True
    ),
    "vague": Family(
        _vague, Sizes((1, 3), (2, 4), (3, 3), (1, 8)), cells=_HIDING_C, is_plain=True
    ),
}
"""Name → what it is; the first is what networks mostly are."""
