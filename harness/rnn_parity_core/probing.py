"""A batch that shows every weight: one step from inputs and states chosen for it.

On a batch as people have it much of a weight hides: it meets small states, its gate is
saturated, others are added to what it gives. So every feature, and every unit of every
state, is once by itself as large as 1/4, 1, 4, 16 and 64, of either sign, beside states
of moderate size: at one of these a weight is large enough to be told from what rounding
makes of it, and small enough not to saturate.
"""

import math

import numpy as np
from msgspec.structs import replace

from rnn_parity_core.cells import CELLS
from rnn_parity_core.functions import Array
from rnn_parity_core.spec import Case

_SIZES = (0.25, 1.0, 4.0, 16.0, 64.0)
_BESIDE = (1.0, 4.0, 0.25)
"""Sizes of the states beside what is by itself, where every row comes several times."""
_ALONE = 256
"""So many have rows of their own; of more, every 256th share theirs."""
_FEWEST = 2048
"""Rows, so that what errs alike in all of them adds up."""

_KEY = 2**34  # of a stream of random numbers that nothing else draws from


def probing(case: Case) -> Case | None:
    """Give the case that shows every weight of a case; None if there is none.

    Tokens that rows feed to themselves cannot be chosen, nor can recorded arrays. A
    trained network has one probe, whatever its batch.
    """
    recorded = case.seed is None and not (case.given or case.trained)
    if recorded or case.variant == "variable_output":
        return None
    plain = replace(case, probe=True, steps=1, zero_length=False, task="forward")
    if case.trained:
        network = case.trained.rpartition("-")[0]
        plain = replace(plain, trained=f"{network}-probe", variant="dynamic")
    return replace(plain, batch=rows(plain))


def rows(case: Case) -> int:
    """Count the rows that show every weight of a case."""
    once = 2 * len(_SIZES) * min(_entries(case), _ALONE)
    return once * math.ceil(_FEWEST / once)


def _entries(case: Case) -> int:
    """Count what enters a step of all layers: features, and units of states."""
    axes = CELLS[case.cell].states.values()
    states = sum(math.prod(case.shape(of)) for of in axes)
    return case.features + len(case.passes) * states


def by_itself(case: Case, row: int) -> list[tuple[str, tuple[int, ...]]]:
    """Say what stands out in a row of a probe: names of arrays, and places in them."""
    places: list[tuple[str, tuple[int, ...]]] = [
        ("inputs", (row, 0, feature)) for feature in range(case.features)
    ]
    shapes = case.state_shapes().items()
    for number in range(len(case.passes)):
        for state, (_, _, *own) in shapes:
            name = f"initial_{state}"
            places += [(name, (number, row, *unit)) for unit in np.ndindex(*own)]
    groups = min(len(places), _ALONE)
    return places[row % groups :: groups]


def arrays(case: Case) -> dict[str, Array]:
    """Give `inputs` and initial states of a case with `probe`, by name."""
    batch, entries = rows(case), _entries(case)
    turn, group = np.divmod(np.arange(batch), min(entries, _ALONE))
    repeat, kind = np.divmod(turn, 2 * len(_SIZES))
    size = np.array([[size, -size] for size in _SIZES]).ravel()[kind]
    beside = np.array(_BESIDE)[repeat % len(_BESIDE)]
    drawn = _moderate(batch, entries)
    signs = np.sign(drawn[0])
    drawn *= beside[:, np.newaxis]
    # Of features the others are 0: they would be added to what one gives.
    drawn[:, : case.features] = 0.0
    at = np.nonzero(group[:, np.newaxis] == np.arange(entries) % min(entries, _ALONE))
    drawn[at] = size[at[0]] * signs[at[1]]
    found = {"inputs": drawn[:, np.newaxis, : case.features]}
    shapes = case.state_shapes()
    found |= {f"initial_{state}": np.empty(shape) for state, shape in shapes.items()}
    start = case.features
    for number in range(len(case.passes)):
        for state, (_, _, *own) in shapes.items():
            part = drawn[:, start : start + math.prod(own)]
            found[f"initial_{state}"][number] = part.reshape(-1, *own)
            start += math.prod(own)
    return {name: array.astype(case.dtype) for name, array in found.items()}


def _moderate(count: int, width: int) -> Array:
    """Draw numbers of either sign, `[count, width]`, from 1/4 to 1 in magnitude."""
    words = np.random.Philox(key=_KEY).random_raw(count * width)
    even = 2 * ((words >> np.uint64(11)) * 2.0**-53) - 1
    drawn = np.copysign(0.25 + 0.75 * np.abs(even), even)
    return np.asarray(drawn).reshape(count, width)
