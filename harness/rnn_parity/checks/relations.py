"""What a backend must agree with itself about: checks that need no second framework.

A relation answers a problem by way of other problems: of fewer rows, of fewer steps, of
one layer. The same backend computes all of them, and what it says of the problem itself
must be the same: to the last bit, or within the bounds of both ways of computing it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from rnn_parity_core import INTEGER_ARRAYS, Array, Case, Outcome, Problem

Ask = Callable[[Problem], Outcome]
"""Computes a problem, always on the same backend."""
Rows = slice | list[int] | NDArray[np.int64]


@dataclass(frozen=True)
class Relation:
    """One way to answer a problem by asking for others."""

    answer: Callable[[Problem, Ask], Outcome]
    """Puts an outcome of the problem together from those of the ones it asks for."""
    applies: Callable[[Case], bool]
    """Whether it says anything about the case; the task is `forward` always."""
    same_bits: bool = False
    """Whether nothing that rounds may differ, so that the bits must be the same."""


def cases_asked(relation: Relation, problem: Problem) -> list[Case]:
    """Give the cases that a relation asks for, without computing them."""
    asked = []

    def note(other: Problem) -> Outcome:
        case = other.case
        asked.append(case)
        return {
            name: np.zeros(shape, "int32" if name in INTEGER_ARRAYS else case.dtype)
            for name, shape in case.output_shapes().items()
        }

    relation.answer(problem, note)
    return asked


def _repeated(problem: Problem, ask: Ask) -> Outcome:
    """Ask for the problem as it is."""
    return ask(problem)


def _batch_split(problem: Problem, ask: Ask) -> Outcome:
    """Ask for the first rows and for the others."""
    half = problem.case.batch // 2
    parts = [ask(_rows(problem, rows)) for rows in (slice(half), slice(half, None))]
    return {
        name: np.concatenate([part[name] for part in parts], axis=_row_axis(name))
        for name in parts[0]
    }


def _batch_permutation(problem: Problem, ask: Ask) -> Outcome:
    """Ask for every other row first, and put the rows back.

    The order is neither a rotation nor the reverse: with these, rows that an adapter
    rotates or reverses by itself would come out in the right places.
    """
    batch = problem.case.batch
    order = [*range(1, batch, 2), *range(0, batch, 2)]
    outcome = ask(_rows(problem, order))
    back = np.argsort(order)
    return {name: np.take(a, back, _row_axis(name)) for name, a in outcome.items()}


def _padding_changed(problem: Problem, ask: Ask) -> Outcome:
    """Ask for the problem with other numbers past each row's end."""
    inputs, lengths = problem["inputs"], problem["lengths"]
    past = np.arange(problem.case.steps) >= lengths[:, np.newaxis]
    other = (inputs.astype(np.float64) + 3).astype(inputs.dtype)
    changed = np.where(past[..., np.newaxis], other, inputs)
    return ask(_derived(problem, {**problem.arrays, "inputs": changed}))


def _sequence_cut(problem: Problem, ask: Ask) -> Outcome:
    """Ask for half of the steps, and for the others from the states after these.

    A reverse pass takes the later half first. Rows that end in the earlier half have no
    part in the later one; the first row is always a full one.
    """
    case, cut = problem.case, problem.case.steps // 2
    full = np.full(case.batch, case.steps)
    long = np.flatnonzero(problem.arrays.get("lengths", full) > cut)
    early, late = _steps(problem, 0, cut), _steps(problem, cut, case.steps)
    late = _rows(late, long)
    if case.direction == "reverse":
        later = ask(late)
        earlier = ask(_from_states(early, later, long))
        last, rows = earlier, np.arange(case.batch)
    else:
        earlier = ask(early)
        carried = {
            name: np.take(a, long, _row_axis(name)) for name, a in earlier.items()
        }
        later = ask(_from_states(late, carried, np.arange(len(long))))
        last, rows = later, long
    outputs = np.zeros(case.forward_shapes()["outputs"], case.dtype)
    outputs[:, :cut] = earlier["outputs"]
    outputs[long, cut:] = later["outputs"]
    finals = {name: earlier[name].copy() for name in _finals(earlier)}
    for name, array in finals.items():
        array[:, rows] = last[name]
    return {"outputs": outputs, **finals}


def _reverse_of_reverse(problem: Problem, ask: Ask) -> Outcome:
    """Ask for a forward network over the steps of each row in reverse order."""
    arrays = {
        name.replace(".reverse.", ".forward."): array
        for name, array in problem.arrays.items()
    }
    arrays["inputs"] = _turned(problem, problem["inputs"])
    outcome = ask(_derived(problem, arrays, direction="forward"))
    return {**outcome, "outputs": _turned(problem, outcome["outputs"])}


def _layer_by_layer(problem: Problem, ask: Ask) -> Outcome:
    """Ask for each layer alone, over the outputs of the one below."""
    case, ways = problem.case, len(problem.case.directions)
    outcomes: list[Outcome] = []
    below = problem["inputs"]
    for layer in range(case.layers):
        passes = slice(layer * ways, (layer + 1) * ways)
        arrays = _of_passes(
            problem, passes, [f"layer{layer}.{w}." for w in case.directions]
        )
        arrays["inputs"] = below
        single = _derived(problem, arrays, layers=1, features=below.shape[-1])
        outcomes.append(ask(single))
        below = outcomes[-1]["outputs"]
    return {"outputs": below, **_joined(outcomes)}


def _direction_by_direction(problem: Problem, ask: Ask) -> Outcome:
    """Ask for the forward and the reverse pass of one layer, each alone."""
    outcomes = []
    for number, way in enumerate(problem.case.directions):
        arrays = _of_passes(problem, slice(number, number + 1), [f"layer0.{way}."])
        outcomes.append(ask(_derived(problem, arrays, direction=way)))
    outputs = np.concatenate([outcome["outputs"] for outcome in outcomes], axis=-1)
    return {"outputs": outputs, **_joined(outcomes)}


def _derived(problem: Problem, arrays: dict[str, Array], **changes: object) -> Problem:
    """Give a problem made of another one's arrays, and the case that they are of."""
    # A case says whether rows without a step are among its lengths.
    empty = "lengths" in arrays and bool((arrays["lengths"] == 0).any())
    # What is cut out of a probe is none any more.
    case = replace(problem.case, zero_length=empty, probe=False, **changes)
    return Problem(case, {name: np.ascontiguousarray(a) for name, a in arrays.items()})


def _row_axis(name: str) -> int:
    """Say which axis of an entering or leaving array is the batch."""
    return 1 if name.startswith(("initial_", "final_")) else 0


def _finals(outcome: Outcome) -> list[str]:
    return [name for name in outcome if name.startswith("final_")]


def _rows(problem: Problem, rows: Rows) -> Problem:
    """Keep some rows, in the order in which they are named."""
    kept = np.arange(problem.case.batch)[rows]
    chosen = {
        name: np.take(array, kept, _row_axis(name))
        for name, array in problem.arrays.items()
        if name in {"inputs", "lengths"} or name.startswith("initial_")
    }
    return _derived(problem, {**problem.arrays, **chosen}, batch=len(kept))


def _steps(problem: Problem, start: int, end: int) -> Problem:
    """Keep the steps from `start` to before `end`."""
    arrays = {**problem.arrays, "inputs": problem["inputs"][:, start:end]}
    if "lengths" in arrays:
        left = np.clip(arrays["lengths"] - start, 0, end - start)
        arrays["lengths"] = left.astype(np.int32)
    return _derived(problem, arrays, steps=end - start)


def _from_states(problem: Problem, before: Outcome, rows: NDArray[np.int64]) -> Problem:
    """Begin some rows where an outcome of these rows ended."""
    arrays = dict(problem.arrays)
    for name in _finals(before):
        initial = name.replace("final_", "initial_")
        arrays[initial] = arrays[initial].copy()
        arrays[initial][:, rows] = before[name]
    return _derived(problem, arrays)


def _turned(problem: Problem, array: Array) -> Array:
    """Reverse the steps of each row, `[B, T, …]`; what lies past its end stays."""
    case, turned = problem.case, array.copy()
    full = np.full(case.batch, case.steps)
    for row, length in enumerate(problem.arrays.get("lengths", full)):
        turned[row, :length] = array[row, :length][::-1]
    return turned


def _of_passes(
    problem: Problem, passes: slice, prefixes: list[str]
) -> dict[str, Array]:
    """Give the arrays of some passes of one layer, as those of layer 0."""
    arrays = {}
    for name, array in problem.arrays.items():
        if name.startswith("initial_"):
            arrays[name] = array[passes]
        elif not name.startswith("layer"):
            arrays[name] = array
        elif name.startswith(tuple(prefixes)):
            arrays[f"layer0.{name.partition('.')[2]}"] = array
    return arrays


def _joined(outcomes: list[Outcome]) -> Outcome:
    """Put final states of passes one after the other."""
    return {
        name: np.concatenate([outcome[name] for outcome in outcomes])
        for name in _finals(outcomes[0])
    }


def _is_split(case: Case) -> bool:
    # The last row of a case with `zero_length` has no step; it needs company.
    return case.batch > 1 + case.zero_length


def _is_padded(case: Case) -> bool:
    short = (case.batch > 1 and case.steps > 1) or case.zero_length
    return case.variant == "variable_input" and short


def _is_cut(case: Case) -> bool:
    one_way = case.direction != "bidirectional"
    return one_way and case.steps > 1 and case.variant != "variable_output"


RELATIONS = {
    "repeated call": Relation(_repeated, lambda _: True, same_bits=True),
    "batch split": Relation(_batch_split, _is_split),
    "batch permutation": Relation(_batch_permutation, lambda case: case.batch > 1),
    "padding changed": Relation(_padding_changed, _is_padded, same_bits=True),
    "sequence cut": Relation(_sequence_cut, _is_cut),
    "reverse of reverse": Relation(
        _reverse_of_reverse, lambda case: case.direction == "reverse" and case.steps > 1
    ),
    "one layer at a time": Relation(
        _layer_by_layer,
        lambda case: case.layers > 1 and case.variant != "variable_output",
    ),
    "one direction at a time": Relation(
        _direction_by_direction,
        lambda case: case.direction == "bidirectional" and case.layers == 1,
    ),
}
