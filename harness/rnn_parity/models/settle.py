"""The canonical form of a layer, once all that its file says of it is accounted for."""

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from rnn_parity.models.account import Account, in_lines, listed
from rnn_parity.models.layer import Recurrent, Saved, recurrent
from rnn_parity_core import CELLS, Array, Case, FileError, UsageError, unknown_name
from rnn_parity_core.validate import nonfinite


def settle(saved: Saved, cell: str = "", ignore: Collection[str] = ()) -> Recurrent:
    """Make the canonical form of a layer.

    Args:
        saved: The layer.
        cell: Which cell it is, if the file does not say.
        ignore: Names of tensors and settings of it that take no part.

    Raises:
        UsageError: The file does not say which cell it is, or `cell` is none of them;
            or a name to ignore is none of what is not read.
        FileError: Something in its scope is not read; weights are missing, misshaped,
            of mixed dtypes or not finite.

    """
    found = saved.account()
    _see_all_read(saved, found, ignore)
    if saved.refused:
        raise FileError(f"{saved.origin}: {saved.refused}")
    cell = _cell(saved, cell)
    layers, ways = len({n for n, _ in saved.passes}), {way for _, way in saved.passes}
    whole = {(n, way) for n in range(layers) for way in ways}
    if lacking := whole - saved.passes.keys():
        said = ", ".join(f"layer {n} {way}" for n, way in sorted(lacking))
        raise FileError(f"{saved.origin}: {said} is missing; the file is not whole")
    weights: dict[str, Array] = {}
    biases: dict[tuple[int, str], Array] = {}
    for (n, way), native in sorted(saved.passes.items()):
        with np.errstate(all="ignore"):  # what is not finite is refused below
            own = saved.canonical(cell, native)
        if "biases" in own:
            biases[n, way] = own.pop("biases")
        weights |= {f"layer{n}.{way}.{name}": array for name, array in own.items()}
    _see_one_size(weights, saved.origin)
    layer = recurrent(saved.name, cell, weights, saved.convention, saved.origin)
    initial = _initial(saved, layer.case, ignore)
    notes = (*in_lines(found), *saved.notes)
    if ignore:
        notes += (f"assumed, as you say: {listed(ignore)} is no part of it",)
    states = [own.tensor for of in saved.initial.values() for own in of.values()]
    states = [name for name in dict.fromkeys(states) if name not in ignore]
    if initial:
        said = f"{' and '.join(initial)} are the file's own, {listed(states)}"
        notes += (f"{said}, where you give none",)
    return dataclasses.replace(
        layer, notes=notes, biases=biases, initial=initial, stated=tuple(states)
    )


def _see_all_read(saved: Saved, found: Account, ignore: Collection[str]) -> None:
    """See that all in a layer's scope is read, or ignored.

    Raises:
        FileError: Something is not.
        UsageError: A name to ignore is none of what is not read.

    """
    states = [own.tensor for of in saved.initial.values() for own in of.values()]
    for name in ignore:
        if name not in found.unread and name not in states:
            known = [*found.unread, *states]
            raise unknown_name(f"name to ignore in {saved.origin}", name, known)
    left = {name: said for name, said in found.unread.items() if name not in ignore}
    if left:
        said = listed(f"{name} {what}" for name, what in left.items())
        raise FileError(
            f"{saved.origin}: it has {said}: not read, so that nothing can be "
            "certified; what takes no part in the layer's steps, say so: --ignore "
            f"{next(iter(left))[:100]}"
        )


def _cell(saved: Saved, cell: str) -> str:
    """Tell which cell a layer is.

    Raises:
        UsageError: The file does not say it, or `cell` is none that it can be.

    """
    # What a file of weights alone does not say, --cell may say in full.
    base = cell.partition(".")[0] if saved.untold and cell in CELLS else cell
    if cell and base not in saved.cells:
        raise unknown_name(f"cell of {saved.origin}", cell, saved.cells)
    if not cell and (len(saved.cells) > 1 or saved.untold):
        which = saved.untold or "does not say which cell it is"
        raise UsageError(
            f"{saved.origin} {which}: give --cell {' or --cell '.join(saved.cells)}"
        )
    return cell or saved.cells[0]


def _initial(saved: Saved, case: Case, ignore: Collection[str]) -> dict[str, Array]:
    """Put the initial states of all layers and directions together.

    Raises:
        FileError: One is not what the layer asks for.

    """
    found: dict[str, Array] = {}
    for name, shape in case.state_shapes().items():
        named = f"initial_{name}"
        stated = {
            at: own[named].array
            for at, own in saved.initial.items()
            if named in own and own[named].tensor not in ignore
        }
        batch = max((len(array) for array in stated.values()), default=1)
        whole = np.zeros((shape[0], batch, shape[-1]), case.dtype)
        for at, array in stated.items():
            if not array.any():
                continue
            row = whole[sorted(saved.passes).index(at)]
            if array.dtype != whole.dtype or array.ndim != row.ndim:
                raise FileError(f"{saved.origin}: its {named} is {array.dtype}")
            try:
                row[:] = array
            except ValueError:
                said = f"has shape {[*array.shape]}, expected {[*row.shape]}"
                raise FileError(f"{saved.origin}: its {named} {said}") from None
        if whole.any():
            same = (whole == whole[:, :1]).all()
            found[named] = whole[:, :1] if same else whole
    if wrong := nonfinite(found):
        raise FileError(f"{saved.origin}: {'; '.join(wrong)}")
    return found


def _see_one_size(weights: Mapping[str, Array], origin: str) -> None:
    """See that all layers have as many units.

    Raises:
        FileError: They have not.

    """
    shapes = {
        tuple(array.shape): name.partition(".")[0]
        for name, array in weights.items()
        if name.endswith(".recurrent_kernel")
    }
    if len(shapes) > 1:
        said = ", ".join(f"{name} {list(shape)}" for shape, name in shapes.items())
        raise FileError(
            f"{origin}: recurrent kernels are {said}; layers of one stack have equal "
            "sizes here: take each by itself"
        )
