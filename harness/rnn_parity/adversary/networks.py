"""Networks that are hard on bounds, drawn by families, and changed within these."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from rnn_parity.adversary.families import FAMILIES, Draw, Family
from rnn_parity.adversary.formats import Format
from rnn_parity_core import (
    CELLS,
    HALF_DTYPES,
    TF32_UNIT,
    Accuracy,
    Array,
    Case,
    Error,
    Problem,
)

Generator = np.random.Generator

_USUAL = {
    "float64": {"tanh": Error(2.0), "sigmoid": Error(3.0)},
    "float32": {"tanh": Error(2.0), "sigmoid": Error(4.0)},
    "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(2.0)},
    "float16": {"tanh": Error(1.0), "sigmoid": Error(2.0)},
}
_NEAR_0 = {
    "tanh": Error(7.0, near=((1.0, 3.5),)),
    "sigmoid": Error(7.0, near=((1.0, 2.0), (8.0, 4.5))),
}
_OF_OTHERS = Error(2.0)  # of whatever function else a cell has
_EARLY_0 = {"tanh": Error(7.0), "sigmoid": Error(7.0, absolute=6e-8)}

_PLAIN = _WIDE_SUMS = 0.7
_RECOMPUTES = 0.8


class Network(NamedTuple):
    """A network, and what its implementation states."""

    problem: Problem
    accuracy: Accuracy
    family: str


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
    kind.arrays(Draw(case, arrays, rng))
    found = {name: of.astype(Format(dtype).type) for name, of in arrays.items()}
    found = {n: of.reshape(case.input_shapes()[n]) for n, of in found.items()}
    if case.variant == "variable_input":
        found["lengths"] = rng.integers(0, case.steps + 1, case.batch).astype(np.int32)
    accuracy = msgspec.structs.replace(
        _accuracy(rng, case), recomputes=bool(rng.random() < _RECOMPUTES)
    )
    return Network(Problem(case, found), accuracy, family)


def _case(
    rng: Generator, cell: str, dtype: str, kind: Family, changes: Mapping[str, Any]
) -> Case:
    def size(least: int, most: int) -> int:
        return int(np.exp(rng.uniform(np.log(least), np.log(most + 1))))

    batch, steps, features, units = (size(*of) for of in kind.sizes)
    plain = kind.is_plain or rng.random() < _PLAIN
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
        return np.asarray(rng.uniform(-1, 1, shape) * rng.choice([0, 0.5, 5, 20]))
    if last in {"kernel", "recurrent_kernel", "projection", "peephole"}:
        drawn = rng.standard_t(2.5, shape) / np.sqrt(shape[0])
        drawn *= rng.choice([0.3, 1, 3, 10])
        if CELLS[case.cell].grows and last == "recurrent_kernel":
            drawn /= max(1.0, float(np.abs(drawn).sum(axis=0).max()))
        return np.asarray(drawn)
    if last == "initial_c":
        return np.asarray(rng.standard_normal(shape) * rng.choice([0, 1, 5, 30]))
    if last == "initial_h":
        return np.asarray(rng.standard_normal(shape) * rng.choice([0, 0.3, 1]))
    return np.asarray(rng.standard_normal(shape))


def _accuracy(rng: Generator, case: Case) -> Accuracy:
    """Draw what an implementation states."""
    dtype = case.dtype
    others = dict.fromkeys(CELLS[case.cell].functions, _OF_OTHERS)
    usual = {**others, **_USUAL[dtype]}
    stated = Accuracy(dtype, usual)
    if dtype in HALF_DTYPES and rng.random() < _WIDE_SUMS:
        return Accuracy(dtype, usual, accumulator="float32")
    if dtype == "float32":
        options = [
            *[stated] * 7,
            Accuracy(dtype, {**others, **_NEAR_0}),
            Accuracy(dtype, {**others, **_EARLY_0}),
            Accuracy(dtype, usual, factor_unit=TF32_UNIT),
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
    ways = (
        value * (1 + rng.normal() * 2.0 ** -rng.integers(2, 20)),
        value * 2.0 ** rng.normal(),
        -value,
        value + rng.normal() * rng.choice([1e-3, 0.1, 1]),
    )
    return np.asarray(ways[rng.integers(4)])
