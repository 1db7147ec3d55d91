"""Networks that are hard on bounds, drawn by families, and changed within these."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from harness.adversary.formats import Format
from harness.backend import TF32_UNIT, Accuracy
from harness.spec import CELLS, HALF_DTYPES, Array, Case, Problem

Generator = np.random.Generator
Arrays = dict[str, Array]

_ULPS = {
    "float64": {"tanh": 2.0, "sigmoid": 3.0},
    "float32": {"tanh": 2.0, "sigmoid": 4.0},
    "bfloat16": {"tanh": 1.0, "sigmoid": 2.0},
    "float16": {"tanh": 1.0, "sigmoid": 2.0},
}


class Sizes(NamedTuple):
    """The sizes of a family's networks: the least and the most."""

    batch: tuple[int, int] = (1, 3)
    steps: tuple[int, int] = (1, 16)
    features: tuple[int, int] = (1, 10)
    units: tuple[int, int] = (1, 8)


class Family(NamedTuple):
    """Networks of one kind."""

    arrays: Callable[[Case, Arrays, Generator], None]
    """Changes arrays that were drawn as trained ones are, float64, in place."""
    sizes: Sizes = Sizes()
    tied: tuple[int, ...] = ()
    """Axes of the inputs along which they stay the same."""
    cells: tuple[str, ...] = tuple(CELLS)


class Network(NamedTuple):
    """A network, and what its implementation states."""

    problem: Problem
    accuracy: Accuracy
    family: str


def _trained(case: Case, arrays: Arrays, rng: Generator) -> None:
    """Heavy-tailed weights, biases up to 20, gates at their ends."""


def _hot(case: Case, arrays: Arrays, rng: Generator) -> None:
    """Inputs as if somebody forgot to scale them."""
    arrays["inputs"] *= 100


def _static(case: Case, arrays: Arrays, rng: Generator) -> None:
    """Features that stay the same through all steps, one aside, of one sign.

    The sums are near zero, so that they are made of cancelling parts and are not
    saturated.
    """
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
            arrays[bias] = rng.uniform(-0.5, 0.5, kernel.shape[1])
            arrays[bias] -= (x[0, 0, :-1] @ kernel[:-1]) * rng.choice([0.5, 1, 1])
        elif name.endswith(".recurrent_kernel"):
            shape = arrays[name].shape
            arrays[name] = rng.standard_normal(shape) / np.sqrt(shape[0]) / 2


def _equal(case: Case, arrays: Arrays, rng: Generator) -> None:
    """Sums whose terms are all the same number."""
    arrays["inputs"][:] = rng.uniform(0.5, 1)
    for name in arrays:
        if name.endswith(".kernel"):
            arrays[name][:] = rng.uniform(0.01, 0.1, arrays[name].shape[1])
        elif name.endswith("recurrent_kernel"):
            arrays[name] *= 0.01
        elif name.endswith("bias") or name.startswith("initial"):
            arrays[name][:] = rng.choice([0.0, 0.01])


def _unequal(case: Case, arrays: Arrays, rng: Generator) -> None:
    """One large product and many that are below half an ulp of it, of one sign."""
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


def _subnormal(case: Case, arrays: Arrays, rng: Generator) -> None:
    """Subnormal weights beside large inputs, or the other way around."""
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


def _silent(case: Case, arrays: Arrays, rng: Generator) -> None:
    """Zeros: in the inputs, in whole weights, and at the start."""
    silent = [name for name in arrays if rng.random() < 1 / 3]
    for name in [*silent, "inputs"]:
        arrays[name] *= rng.random(arrays[name].shape) < rng.choice([0, 0.5])


def _cancelling(case: Case, arrays: Arrays, rng: Generator) -> None:
    """Large products that cancel, so that no gate is known well."""
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


def _latched(case: Case, arrays: Arrays, rng: Generator) -> None:
    """A c that cancels in the first step and is only kept from then on."""
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


def _vague(case: Case, arrays: Arrays, rng: Generator) -> None:
    """An o that may be anything in the first step, and a small c kept after it."""
    units, x, once = case.units, arrays["inputs"], 2 / Format(case.dtype).eps
    x[:] = 0
    x[..., 0] = -1
    x[:, 0, 0] = 1
    x[:, 0, 1:3] = rng.uniform(0.5, 1)
    kernel, bias = arrays["layer0.forward.kernel"], arrays["layer0.forward.bias"]
    i, f, g, o = (slice(k * units, (k + 1) * units) for k in range(4))
    kernel[:] = 0
    # What either is at first, and after it.
    for gate, first, after in ((i, -7, -20), (f, 5, 5), (g, 0.1, 0.1), (o, -2, 2)):
        first = first * rng.uniform(0.5, 1.2, units)
        kernel[0, gate], bias[gate] = (first - after) / 2, (first + after) / 2
    kernel[1, g] = once * 2 ** rng.uniform(-5, -2, units)
    kernel[1, o] = once * 2 ** rng.uniform(-2, 4, units)
    kernel[2] = -kernel[1]
    arrays["layer0.forward.recurrent_kernel"] *= 0.01
    arrays["initial_c"] *= 0
    arrays["initial_h"] *= 0


_WIDE = Sizes((1, 2), (1, 2), (32, 512), (1, 4))
FAMILIES: dict[str, Family] = {
    "trained": Family(_trained),
    "hot": Family(_hot),
    "static": Family(_static, Sizes((1, 2), (64, 512), (8, 40), (1, 6)), tied=(1,)),
    "equal": Family(_equal, Sizes((1, 1), (1, 2), (64, 1024), (1, 4)), tied=(0, 1, 2)),
    "unequal": Family(_unequal, _WIDE),
    "subnormal": Family(_subnormal),
    "silent": Family(_silent),
    "cancelling": Family(_cancelling, Sizes(features=(2, 4), units=(1, 4))),
    "latched": Family(_latched, Sizes(steps=(2, 6), units=(1, 6)), cells=("lstm",)),
    "vague": Family(_vague, Sizes((1, 3), (2, 4), (3, 3), (1, 8)), cells=("lstm",)),
}
"""Name → what it is; the first is what networks mostly are."""


def draw(
    rng: Generator,
    cell: str,
    dtype: str,
    family: str = "trained",
    **changes: Any,
) -> Network:
    """Return a network.

    Args:
        rng: What it is drawn from.
        cell: Its cell.
        dtype: Its dtype.
        family: One of `FAMILIES`.
        changes: Of the case.

    """
    kind = FAMILIES[family]
    case = _case(rng, cell, dtype, kind, changes)
    arrays = {
        name: _array(case, name, shape, rng)
        for name, shape in case.input_shapes().items()
        if name != "lengths"
    }
    kind.arrays(case, arrays, rng)
    found = {name: of.astype(Format(dtype).type) for name, of in arrays.items()}
    found = {n: of.reshape(case.input_shapes()[n]) for n, of in found.items()}
    if case.variant == "variable_input":
        found["lengths"] = rng.integers(0, case.steps + 1, case.batch).astype(np.int32)
    return Network(Problem(case, found), _accuracy(rng, case), family)


def _case(
    rng: Generator, cell: str, dtype: str, kind: Family, changes: Mapping[str, Any]
) -> Case:
    def size(least: int, most: int) -> int:
        return int(np.exp(rng.uniform(np.log(least), np.log(most + 1))))

    batch, steps, features, units = (size(*of) for of in kind.sizes)
    special = kind.arrays in (_latched, _cancelling, _static, _vague)
    plain = special or rng.random() < 0.7
    drawn: dict[str, Any] = {
        "cell": cell,
        "variant": "dynamic" if plain or rng.integers(2) else "variable_input",
        "batch": batch,
        "steps": steps,
        "features": features,
        "units": units,
        "projection": size(1, units) if "projection" in CELLS[cell].weights else 0,
        "layers": 1 if plain else int(rng.integers(1, 3)),
        "direction": "forward"
        if plain
        else str(rng.choice(["forward", "reverse", "bidirectional"])),
        "dtype": dtype,
        "seed": 1,
    }
    return Case(**{**drawn, **changes})


def _array(case: Case, name: str, shape: tuple[int, ...], rng: Generator) -> Array:
    """Draw an array as trained networks have it."""
    last = name.rpartition(".")[2]
    if last in {"bias", "recurrent_bias"}:
        return rng.uniform(-1, 1, shape) * rng.choice([0, 0.5, 5, 20])
    if last in {"kernel", "recurrent_kernel", "projection", "peephole"}:
        drawn = rng.standard_t(2.5, shape) / np.sqrt(shape[0])
        drawn *= rng.choice([0.3, 1, 3, 10])
        if case.cell == "rnn_relu" and last == "recurrent_kernel":
            drawn /= max(1.0, float(np.abs(drawn).sum(axis=0).max()))
        return np.asarray(drawn)
    if last == "initial_c":
        return rng.standard_normal(shape) * rng.choice([0, 1, 5, 30])
    if last == "initial_h":
        return rng.standard_normal(shape) * rng.choice([0, 0.3, 1])
    return rng.standard_normal(shape)


def _accuracy(rng: Generator, case: Case) -> Accuracy:
    """Draw what an implementation states."""
    dtype = case.dtype
    stated = Accuracy(dtype, _ULPS[dtype])
    if dtype in HALF_DTYPES and rng.random() < 0.7:
        return Accuracy(dtype, _ULPS[dtype], accumulator="float32")
    if dtype == "float32":
        near = {"tanh": ((1.0, 3.5),), "sigmoid": ((1.0, 2.0), (8.0, 4.5))}
        many = {"tanh": 7.0, "sigmoid": 7.0}
        options = [
            *[stated] * 7,
            Accuracy(dtype, many, near=near),
            Accuracy(dtype, many, absolute={"sigmoid": 6e-8}),
            Accuracy(dtype, _ULPS[dtype], factor_unit=TF32_UNIT),
        ]
        return options[rng.integers(len(options))]
    return stated


def altered(network: Network, rng: Generator) -> Network:
    """Return a network of the same family that differs in some elements."""
    problem = network.problem
    names = [name for name in problem.arrays if name != "lengths"]
    arrays = dict(problem.arrays)
    for _ in range(rng.integers(1, 4)):
        name = names[rng.integers(len(names))]
        array = arrays[name].copy()
        where: list[Any] = [int(rng.integers(n)) for n in array.shape]
        if name == "inputs":
            for axis in FAMILIES[network.family].tied:
                is_free = axis == 1 and where[-1] == array.shape[-1] - 1
                where[axis] = where[axis] if is_free else slice(None)
        elif network.family == "equal" and name.endswith(".kernel"):
            where[0] = slice(None)
        at = tuple(where)
        array[at] = _moved(array[at].astype(np.float64), rng).astype(array.dtype)
        arrays[name] = array
    return network._replace(problem=replace(problem, arrays=arrays))


def _moved(value: Array, rng: Generator) -> Array:
    """Return a value moved by a little, by much, or replaced."""
    way = rng.integers(4)
    if way == 0:
        return np.asarray(value * (1 + rng.normal() * 2.0 ** -rng.integers(2, 20)))
    if way == 1:
        return np.asarray(value * 2.0 ** rng.normal())
    if way == 2:
        return np.asarray(-value)
    return np.asarray(value + rng.normal() * rng.choice([1e-3, 0.1, 1]))
