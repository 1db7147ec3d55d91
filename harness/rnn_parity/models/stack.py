"""Several layers of a file as one that is stacked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rnn_parity.models.account import listed, merged
from rnn_parity.models.layer import InitialState, Saved
from rnn_parity_core import Array, FileError


def stacked(layers: Sequence[Saved]) -> Saved:
    """Take layers for one, each of which reads the outputs of the one before.

    Whether they fit is seen when it is settled. That of two layers the second reads the
    first is for whoever names them to say.

    Raises:
        FileError: They are of different cells or directions, or one cannot be stacked.

    """
    first = layers[0]
    if len(layers) == 1:
        return first
    where = f"{first.origin} and {len(layers) - 1} more"
    for layer in layers:
        if said := layer.refused or layer.alone:
            unread = listed(layer.account().unread)
            said += f"; it has {unread}, which is not read" if unread else ""
            raise FileError(f"{layer.origin}: {said}")
        if _ways(layer) != _ways(first):
            raise FileError(f"{where} go in different directions, and are no one stack")
    cells = tuple(c for c in first.cells if all(c in of.cells for of in layers))
    if not cells:
        said = ", ".join(" or ".join(layer.cells) for layer in layers)
        raise FileError(f"{where} are {said}, and no one stack")
    passes: dict[tuple[int, str], tuple[Saved, Any]] = {}
    initial: dict[tuple[int, str], Mapping[str, InitialState]] = {}
    for layer in layers:
        below = len({n for n, _ in passes})
        for (n, way), native in layer.passes.items():
            passes[below + n, way] = layer, native
        initial |= {(below + n, way): of for (n, way), of in layer.initial.items()}
    return Saved(
        name=",".join(layer.name for layer in layers),
        origin=where,
        convention=first.convention,
        cells=cells,
        passes=passes,
        canonical=_canonical,
        sizes=f"{len({n for n, _ in passes})} layers",
        notes=tuple(dict.fromkeys(note for layer in layers for note in layer.notes)),
        account=lambda: merged([layer.account() for layer in layers]),
        untold=next((layer.untold for layer in layers if layer.untold), ""),
        initial=initial,
    )


def by_name(layers: Sequence[Saved]) -> Mapping[str, Saved]:
    """Give layers by their names; those of one name get numbers: `rnn#2`."""
    found: dict[str, Saved] = {}
    numbers: Counter[str] = Counter()
    for layer in layers:
        name = layer.name
        while name in found:
            numbers[layer.name] += 1
            name = f"{layer.name}#{numbers[layer.name] + 1}"
        found[name] = layer
    return found


def _ways(layer: Saved) -> set[str]:
    return {way for _, way in layer.passes}


def _canonical(cell: str, native: tuple[Saved, Any]) -> dict[str, Array]:
    layer, arrays = native
    return layer.canonical(cell, arrays)
