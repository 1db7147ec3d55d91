"""What a layer of a file is computed on, and what somebody expects of it."""

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from fixtures import seeded
from harness.contract import contract_violations
from harness.errors import UsageError
from harness.given import as_array, given_problem
from harness.models.layer import Recurrent
from harness.probing import probing
from harness.spec import Array, Case, Problem
from harness.store.array_files import read_named

BATCH, STEPS = 4, 16
"""Of the seeded batch."""

_SEED = 1


def problems_of(layer: Recurrent, data: Any) -> list[Problem]:
    """Make problems of a layer: of given inputs one, else of batches of our own.

    These are a seeded one, and one that shows every weight unless that is too large.
    """
    if data is not None:
        return [_given(layer, data)]
    rows = max((array.shape[1] for array in layer.initial.values()), default=1)
    case = replace(
        layer.case, batch=rows if rows > 1 else BATCH, steps=STEPS, seed=_SEED
    )
    found = [_seeded(layer, case, _initial(layer, case))]
    if probe := probing(case):
        with suppress(UsageError):
            found.append(_seeded(layer, probe))
    return found


def _seeded(
    layer: Recurrent, case: Case, states: Mapping[str, Array] | None = None
) -> Problem:
    drawn = seeded.problem(case).arrays
    arrays = {**drawn, **(states or {}), **layer.weights}
    return _of_layer(layer, given_problem(case, arrays, layer.name))


def _of_layer(layer: Recurrent, problem: Problem) -> Problem:
    """Tell a problem of the two biases that a layer's file has."""
    biases = {f"layer{n}.{way}": both for (n, way), both in layer.biases.items()}
    return dataclasses.replace(problem, biases=biases)


def _initial(layer: Recurrent, case: Case) -> dict[str, Array]:
    """Give the initial states of the layer's file, for as many rows as a case has.

    Raises:
        UsageError: They are for another number of rows.

    """
    shapes = case.state_shapes()
    found = {}
    for name, array in layer.initial.items():
        shape = shapes[name.removeprefix("initial_")]
        if array.shape[1] not in {1, case.batch}:
            raise UsageError(
                f"{layer.name} has {name} for {array.shape[1]} rows, and the inputs "
                f"have {case.batch}: give {name} with them"
            )
        found[name] = np.broadcast_to(array, shape)
    return found


def _given(layer: Recurrent, data: Any) -> Problem:
    given, origin = _named(data, "inputs")
    inputs, lengths = given.get("inputs"), given.get("lengths")
    if inputs is None or inputs.ndim != len("BTD"):
        raise UsageError(f"{origin} has no array 'inputs' of shape [B, T, D]")
    case = replace(layer.case, batch=len(inputs), steps=inputs.shape[1], seed=_SEED)
    if lengths is not None:
        given["lengths"] = _int32(lengths)
        zero = bool((lengths == 0).any())
        case = replace(case, variant="variable_input", zero_length=zero)
    states = case.state_shapes().items()
    zeros = {f"initial_{n}": np.zeros(s, case.dtype) for n, s in states}
    if both := given.keys() & layer.weights.keys():
        raise UsageError(f"{origin}: {min(both)} is for the model to say")
    own = {} if given.keys() >= layer.initial.keys() else _initial(layer, case)
    arrays = {**zeros, **own, **given, **layer.weights}
    return _of_layer(layer, given_problem(case, arrays, f"{origin} for {layer.name}"))


def expected_of(case: Case, data: Any) -> dict[str, Array]:
    """Read what somebody expects of a case; NaN is for the verdict to say."""
    given, origin = _named(data, "outputs")
    known = case.forward_shapes()
    shapes = {name: shape for name, shape in known.items() if name in given}
    wrong = contract_violations(given, shapes, case.dtype)
    if wrong or not given:
        asked = ", ".join(f"{name} {list(shape)}" for name, shape in known.items())
        said = "; ".join(wrong) or "nothing is there"
        raise UsageError(f"{origin}: {said}; expected any of {asked}, {case.dtype}")
    return given


def _named(data: Any, alone: str) -> tuple[dict[str, Array], str]:
    """Give named arrays of a file, a mapping or one array, and what they are called."""
    if isinstance(data, str | Path):
        return read_named(Path(data), alone), str(data)
    named = data if isinstance(data, Mapping) else {alone: data}
    given = {str(name): as_array(str(name), value) for name, value in named.items()}
    return given, "what was given"


def _int32(lengths: Array) -> Array:
    """Take lengths of any integer dtype, if none is changed by it."""
    with np.errstate(invalid="ignore"):
        narrow = lengths.astype(np.int32)
    exact = lengths.dtype.kind in "iu" and (narrow == lengths).all()
    return narrow if exact else lengths
