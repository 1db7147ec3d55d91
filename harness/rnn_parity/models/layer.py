"""A recurrent layer that was found in a file, and the canonical form of it.

A reader gives a `Saved` for every recurrent layer, in the arrays of its framework; only
the one that is chosen becomes a `Recurrent`, and only that one must be whole.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from rnn_parity.models.account import Account
from rnn_parity_core import (
    CELLS,
    DIRECTIONS,
    DTYPES,
    Array,
    Case,
    FileError,
    UsageError,
    unknown_name,
)
from rnn_parity_core.cases import check_case
from rnn_parity_core.validate import contract_violations, nonfinite

UNNAMED = "."
"""Name of a layer whose tensors have no prefix."""

_RATIOS = {1: ("rnn_tanh", "rnn_relu"), 3: ("gru",), 4: ("lstm",)}


class InitialState(NamedTuple):
    """An initial state that a file states."""

    tensor: str
    """Its name in the file."""
    array: Array
    """`[B, H]`, or `[1, H]` for any batch."""


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
    """Cell and the framework's arrays of one pass → ours, checked.

    Where the framework adds two biases up, `biases` `[2, G]` has them as they are.
    """
    sizes: str
    notes: tuple[str, ...] = ()
    refused: str = ""
    """Why it is none of our cells, where it is none."""
    alone: str = ""
    """Why it cannot be one layer of a stack, where it cannot."""
    account: Callable[[], Account] = Account
    """What is read of the file, and what is not; asked for the layer that is chosen."""
    untold: str = ""
    """What the file does not say of its cell, where `--cell` must say it."""
    initial: Mapping[tuple[int, str], Mapping[str, InitialState]] = field(
        default_factory=dict
    )
    """Layer and direction → the initial states that the file has for it, by name."""


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
    biases: Mapping[tuple[int, str], Array] = field(default_factory=dict)
    """Layer and direction → the two biases `[2, G]` of which `weights` has the sum,
    for forms that keep two as well; gates in canonical order."""
    initial: Mapping[str, Array] = field(default_factory=dict)
    """`initial_h`, `initial_c` `[L * directions, B or 1, H]`, if the file has them."""
    stated: tuple[str, ...] = ()
    """Names of their tensors in the file."""

    def of_pass(self, layer: int, way: str) -> dict[str, Array]:
        """Give the weights of one layer and direction by short name."""
        prefix = f"layer{layer}.{way}."
        return {
            name.removeprefix(prefix): array
            for name, array in self.weights.items()
            if name.startswith(prefix)
        }


def possible_cells(kernel: Array | None, name: str) -> tuple[tuple[str, ...], str]:
    """Say what a recurrent kernel `[R, G]` can belong to, or why it is none."""
    if kernel is None or kernel.ndim != len("RG"):
        return (), f"{name} of layer 0, its recurrent kernel, is missing or no matrix"
    units, size = kernel.shape
    ratio, rest = divmod(size, units) if units else (0, 1)
    if rest or ratio not in _RATIOS:
        return (), (
            f"{name}, its recurrent kernel, has {size} gate rows for {units} units, "
            "expected 1 (RNN), 3 (GRU) or 4 (LSTM) times as many"
        )
    return _RATIOS[ratio], ""


def rows(native: Mapping[str, Array], name: str) -> int:
    """Give the first size of an array; 0 if it is not there."""
    return (native[name].shape or (0,))[0] if name in native else 0


def expect(
    native: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """See that a framework's arrays of one pass can be taken apart.

    Args:
        native: The arrays by name.
        shapes: What must be there, and nothing else; -1 stands for any size.
        where: The file and the layer, for messages.

    Raises:
        FileError: An array is missing, is not asked for, or has another shape or dtype.

    """
    if lacking := shapes.keys() - native.keys():
        raise FileError(f"{where}: {', '.join(sorted(lacking))} is missing")
    if extra := native.keys() - shapes.keys():
        raise FileError(f"{where}: {', '.join(sorted(extra))} is not asked for")
    dtypes = {name: array.dtype.name for name, array in native.items()}
    for name, shape in shapes.items():
        got = native[name].shape
        if len(got) != len(shape) or any(
            wanted not in {-1, size} for size, wanted in zip(got, shape, strict=True)
        ):
            said = ", ".join("any" if size < 0 else str(size) for size in shape)
            raise FileError(f"{where}: {name} has shape {list(got)}, expected [{said}]")
    if len(set(dtypes.values())) > 1:
        said = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise FileError(f"{where}: its weights are of several dtypes: {said}")


def natural(name: str) -> list[tuple[str, int]]:
    """Give a key that sorts numbers in names by size: `lstm_10` after `lstm_2`."""
    parts = re.split(r"([0-9]{1,9})", name)
    return [("", int(part)) if at % 2 else (part, 0) for at, part in enumerate(parts)]


def rounded(
    cell: str, pairs: Iterable[tuple[Array, Array]], of: str
) -> tuple[str, ...]:
    """Say by how much the one bias is rounded that a framework keeps as two.

    Those of a GRU's candidate, the last gate, are not added up where r stands between.
    """
    worst = 0.0
    for one, other in pairs:
        if one.shape != other.shape:
            continue
        apart = "recurrent_bias" in CELLS[cell].weights
        added = slice(one.size * 2 // 3 if apart else None)
        with np.errstate(all="ignore"):  # what is not finite is refused elsewhere
            exact = one[added].astype(np.float64) + other[added].astype(np.float64)
            off = np.abs(exact - (one[added] + other[added]).astype(np.float64))
        worst = max(worst, float(off.max(initial=0.0)))
    return (f"{of} is rounded, by up to {worst:.2g}",) if worst else ()


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


def difference(one: Recurrent, other: Recurrent) -> str:
    """Say where two layers are not the same bit for bit; nothing if they are."""
    if one.case != other.case:
        return f"{one.case.id} is read back as {other.case.id}"
    pairs = {name: (array, other.weights[name]) for name, array in one.weights.items()}
    for n, way in one.biases.keys() & other.biases.keys():
        both = one.biases[n, way], other.biases[n, way]
        pairs[f"layer{n}.{way}, both biases"] = both
    for name, (array, got) in pairs.items():
        bits = [np.ascontiguousarray(a).view(f"u{a.itemsize}") for a in (array, got)]
        if (places := np.argwhere(bits[0] != bits[1])).size:
            at = tuple(int(k) for k in places[0])
            return f"{name}{list(at)} {array[at]!s} is read back as {got[at]!s}"
    return ""
