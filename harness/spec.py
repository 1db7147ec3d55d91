"""The words of the contract: cell, variant, case, problem, outcome.

Sizes carry one name throughout: `B` batch, `T` steps, `D` features, `H` units.

Canonical weights of `rnn_tanh`, whatever a framework packs them into:
`kernel` `[D, H]`, `recurrent_kernel` `[H, H]`, `bias` `[H]`, so that
`h[t] = tanh(x[t] @ kernel + h[t-1] @ recurrent_kernel + bias)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Outcome = Mapping[str, Array]
"""What a backend returns: `outputs` `[B, T, H]` and `final_h` `[B, H]`."""

VARIANTS = {
    "basic": "the equations written out with tensor operations, step by step",
    "static": "a list of per-step inputs, one cell call for each",
    "static_single": "one [B, T, D] input, unstacked, cell calls, outputs stacked back",
    "dynamic": "the framework's own loop over time, or its fused kernel",
}
"""How a framework is asked to compute the equations."""

DTYPES = {"float32": "f32", "float64": "f64"}
"""NumPy's name of a dtype and the short form used in a case's ID."""


@dataclass(frozen=True)
class Cell:
    """The recurrence equations' signature: the named arrays and their axes."""

    weights: Mapping[str, tuple[str, ...]]
    """Canonical weight → axes, each one of `B T D H`."""
    states: tuple[str, ...]
    """States carried from step to step, each `[B, H]`."""
    functions: tuple[str, ...]
    """Elementwise functions in the equations."""


CELLS = {
    "rnn_tanh": Cell(
        weights={"kernel": ("D", "H"), "recurrent_kernel": ("H", "H"), "bias": ("H",)},
        states=("h",),
        functions=("tanh",),
    )
}


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One computation, by name: nothing here depends on a framework."""

    cell: str
    variant: str
    batch: int
    steps: int
    features: int
    units: int
    dtype: str
    seed: int | None
    """Seed of every array; None stands for the notebook's recorded arrays."""

    @property
    def id(self) -> str:
        """The case's name, unique and enough to build it again."""
        dtype = DTYPES[self.dtype]
        if self.seed is None:
            return f"notebook-{self.variant}-{dtype}"
        sizes = f"B{self.batch}-T{self.steps}-D{self.features}-H{self.units}"
        return f"{self.cell}-{self.variant}-{sizes}-{dtype}-s{self.seed}"

    def shape(self, axes: tuple[str, ...]) -> tuple[int, ...]:
        """Sizes of named axes, each one of `B T D H`."""
        sizes = {"B": self.batch, "T": self.steps, "D": self.features, "H": self.units}
        return tuple(sizes[axis] for axis in axes)

    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of a problem's arrays, by name."""
        cell = CELLS[self.cell]
        return {
            "inputs": self.shape(("B", "T", "D")),
            **{f"initial_{state}": self.shape(("B", "H")) for state in cell.states},
            **{name: self.shape(axes) for name, axes in cell.weights.items()},
        }

    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays that an outcome must hold, by name."""
        states = CELLS[self.cell].states
        return {
            "outputs": self.shape(("B", "T", "H")),
            **{f"final_{state}": self.shape(("B", "H")) for state in states},
        }


@dataclass(frozen=True)
class Problem:
    """A case with its arrays, all read-only and of the case's dtype."""

    case: Case
    arrays: Mapping[str, Array]
    """`inputs` `[B, T, D]`, `initial_h` `[B, H]` and the cell's canonical weights."""
    published: Mapping[str, Array] = field(default_factory=dict)
    """Outcomes printed by somebody before us, float64; adapters never see them."""

    def __getitem__(self, name: str) -> Array:
        """Give one array by its canonical name."""
        return self.arrays[name]


def contract_violations(
    arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], dtype: str
) -> list[str]:
    """List what keeps named arrays from being what a case asks for.

    Looks for missing and extra names, wrong shapes and dtypes. An empty list means that
    there is nothing to complain about.
    """
    found = [f"{name} is missing" for name in shapes if name not in arrays]
    found += [f"{name} is not asked for" for name in arrays if name not in shapes]
    for name in shapes.keys() & arrays.keys():
        array, shape = arrays[name], shapes[name]
        if array.shape != shape:
            found.append(
                f"{name} has shape {list(array.shape)}, expected {list(shape)}"
            )
        if array.dtype != np.dtype(dtype):
            found.append(f"{name} has dtype {array.dtype}, expected {dtype}")
    return sorted(found)


def nonfinite(arrays: Mapping[str, Array]) -> list[str]:
    """List the arrays that have elements which are NaN or infinite, and how many."""
    found = []
    for name, array in arrays.items():
        bad = array.size - int(np.count_nonzero(np.isfinite(array)))
        if bad:
            found.append(f"{name} has {bad} of {array.size} elements NaN or infinite")
    return found
