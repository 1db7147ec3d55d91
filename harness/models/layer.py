"""A recurrent layer that was found in a file, and the canonical form of it.

A reader gives a `Saved` for every recurrent layer, in the arrays of its framework; only
the one that is chosen becomes a `Recurrent`, and only that one must be whole.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.cases import check_case
from harness.contract import contract_violations, nonfinite
from harness.errors import FileError, UsageError, unknown_name
from harness.spec import CELLS, DIRECTIONS, DTYPES, Array, Case

_RATIOS = {1: ("rnn_tanh", "rnn_relu"), 3: ("gru",), 4: ("lstm",)}


@dataclass(frozen=True)
class Saved:
    """A recurrent layer as its file has it."""

    name: str
    origin: str
    """The file, and the layer in it, for messages."""
    convention: str
    cells: tuple[str, ...]
    """What it can be; several where the file does not say."""
    passes: Mapping[tuple[int, str], Any]
    """Layer and direction → the framework's own arrays."""
    canonical: Callable[[str, Any], dict[str, Array]]
    """Cell and the framework's arrays of one pass → ours, checked."""
    sizes: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer in canonical form, whole and finite."""

    name: str
    convention: str
    case: Case
    """Of one row and one step, seed 0: its sizes are those of the weights."""
    weights: Mapping[str, Array]
    """Every weight of `Case.weight_shapes` by its full name."""
    notes: tuple[str, ...] = ()


def possible_cells(rows: int, columns: int, where: str) -> tuple[str, ...]:
    """Say what a recurrent kernel of `G` by `R` can belong to.

    Raises:
        FileError: `G` is not 1, 3 or 4 times `R`.

    """
    ratio, rest = divmod(rows, columns) if columns else (0, 1)
    if rest or ratio not in _RATIOS:
        raise FileError(
            f"{where}: the recurrent kernel has {rows} gate rows for {columns} units, "
            "expected 1 (RNN), 3 (GRU) or 4 (LSTM) times as many"
        )
    return _RATIOS[ratio]


def settle(saved: Saved, cell: str = "") -> Recurrent:
    """Make the canonical form of a layer.

    Raises:
        UsageError: The file does not say which cell it is, or `cell` is none of them.
        FileError: Weights are missing, misshaped, of mixed dtypes or not finite.

    """
    if cell and cell not in saved.cells:
        raise unknown_name(f"cell of {saved.origin}", cell, saved.cells)
    if not cell and len(saved.cells) > 1:
        raise UsageError(
            f"{saved.origin} does not say which cell it is: give --cell "
            f"{' or --cell '.join(saved.cells)}"
        )
    cell = cell or saved.cells[0]
    layers, ways = len({n for n, _ in saved.passes}), {way for _, way in saved.passes}
    whole = {(n, way) for n in range(layers) for way in ways}
    if lacking := whole - saved.passes.keys():
        said = ", ".join(f"layer {n} {way}" for n, way in sorted(lacking))
        raise FileError(f"{saved.origin}: {said} is missing; the file is not whole")
    weights: dict[str, Array] = {}
    for (n, way), native in sorted(saved.passes.items()):
        own = saved.canonical(cell, native)
        weights |= {f"layer{n}.{way}.{name}": array for name, array in own.items()}
    found = recurrent(saved.name, cell, weights, saved.convention, saved.origin)
    return dataclasses.replace(found, notes=saved.notes)


def recurrent(
    name: str, cell: str, weights: Mapping[str, Array], convention: str, origin: str
) -> Recurrent:
    """Check canonical weights, and tell the sizes by them.

    Raises:
        FileError: Weights are missing, misshaped, of mixed dtypes or not finite.

    """
    if cell not in CELLS:
        raise FileError(f"{origin}: {unknown_name('cell', cell, CELLS)}")
    ways = tuple(w for w in ("forward", "reverse") if f"layer0.{w}.kernel" in weights)
    first = f"layer0.{ways[0]}." if ways else ""
    kernel, inner = (
        weights.get(f"{first}kernel"),
        weights.get(f"{first}recurrent_kernel"),
    )
    if kernel is None or inner is None or kernel.ndim != 2 or inner.ndim != 2:  # noqa: PLR2004
        raise FileError(
            f"{origin}: layer 0 has no kernel [I, G] and recurrent kernel [R, G]"
        )
    if kernel.dtype.name not in DTYPES:
        raise FileError(
            f"{origin}: weights are {kernel.dtype}, expected {', '.join(DTYPES)}"
        )
    case = Case(
        cell=cell,
        variant="dynamic",
        batch=1,
        steps=1,
        features=kernel.shape[0],
        units=kernel.shape[1] // len(CELLS[cell].gates),
        projection=inner.shape[0] if "projection" in CELLS[cell].weights else 0,
        layers=len({name.partition(".")[0] for name in weights}),
        direction=next(d for d, of in DIRECTIONS.items() if of == ways),
        bias=any(name.endswith("bias") for name in weights),
        dtype=kernel.dtype.name,
        seed=0,
    )
    try:
        check_case(case)
    except UsageError as error:
        raise FileError(f"{origin}: {error}") from None
    wrong = contract_violations(weights, case.weight_shapes(), case.dtype)
    wrong = wrong or nonfinite(weights)
    if wrong:
        raise FileError(f"{origin}: {'; '.join(wrong)}")
    return Recurrent(name, convention, case, weights)
