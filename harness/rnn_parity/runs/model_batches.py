"""What a layer of a file is computed on, and what somebody expects of it."""

import dataclasses
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from rnn_parity.models.apart import read_arrays
from rnn_parity.models.layer import Recurrent
from rnn_parity.runs.user_arrays import as_array, given_problem
from rnn_parity_core import Array, Case, Problem, UsageError
from rnn_parity_core.arrays import pack
from rnn_parity_core.files import write_named
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_core.probing import probing
from rnn_parity_core.validate import contract_violations
from rnn_parity_fixtures import seeded

PROBE = "probe."
"""What names of arrays begin with that are of the batch that shows every weight."""

BATCH, STEPS = 4, 16
"""Of the seeded batch."""

_SEED = 1


def problems_of(layer: Recurrent, data: Any, timeout: float = TIMEOUT) -> list[Problem]:
    """Make problems of a layer: of a batch, and of one that shows every weight.

    The batch is what is given, or a seeded one. The other is left out where it would be
    too large.
    """
    rows = max((array.shape[1] for array in layer.initial.values()), default=1)
    case = replace(
        layer.case, batch=rows if rows > 1 else BATCH, steps=STEPS, seed=_SEED
    )
    if data is None:
        own = _seeded(layer, case, _initial(layer, case))
        return [own, *_probes(layer, case)]
    given, origin = _named(data, "inputs", timeout)
    batch, probe = _parted(given)
    first, probes = _given(layer, batch, origin), _probes(layer, case)
    if not probe:
        return [first, *probes]
    second = _given(layer, probe, f"the probe in {origin}")
    if probes and _are_same(second, probes[0]):
        second = probes[0]  # whose rows are known for what they show
    return [first] if second.case == first.case else [first, second]


def _probes(layer: Recurrent, case: Case) -> list[Problem]:
    """Give the batch that shows every weight, unless it is too large."""
    probe = probing(case)
    with suppress(UsageError):
        return [_seeded(layer, probe)] if probe else []
    return []


def _are_same(one: Problem, other: Problem) -> bool:
    return one.arrays.keys() == other.arrays.keys() and all(
        np.array_equal(array, other[name]) for name, array in one.arrays.items()
    )


def _parted(given: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Part arrays into those of the batch and those of the probe, without `probe.`."""
    probe = {n.removeprefix(PROBE): a for n, a in given.items() if n.startswith(PROBE)}
    return {n: a for n, a in given.items() if not n.startswith(PROBE)}, probe


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


def _given(layer: Recurrent, given: dict[str, Array], origin: str) -> Problem:
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


def expected_of(
    problems: Sequence[Problem], inputs: Any, data: Any, timeout: float = TIMEOUT
) -> dict[str, dict[str, Array]]:
    """Read what somebody expects of batches; NaN is for the verdict to say.

    Args:
        problems: What was made of the inputs.
        inputs: What was given as inputs.
        data: What is expected.
        timeout: Seconds that reading a file may take.

    Returns:
        ID of a case → arrays.

    """
    given, origin = _named(data, "outputs", timeout)
    batch, probe = _parted(given)
    if not probe:
        return {problems[0].case.id: _expected(problems[0].case, batch, origin)}
    if len(problems) == 1 or not _parted(_named(inputs, "inputs", timeout)[0])[1]:
        raise UsageError(
            f"{origin} has {PROBE}{min(probe)}, and the inputs have no {PROBE}inputs; "
            "give the file that --write-inputs wrote as --inputs"
        )
    case = problems[1].case
    found = {case.id: _expected(case, probe, f"the probe in {origin}")}
    if batch:
        found[problems[0].case.id] = _expected(problems[0].case, batch, origin)
    return found


def batches(problems: Sequence[Problem]) -> dict[str, Array]:
    """Give inputs and initial states of `problems_of`, by the names of a file."""
    return {
        f"{prefix}{name}": array
        for prefix, problem in zip(("", PROBE), problems, strict=False)
        for name, array in problem.arrays.items()
        if not name.startswith("layer")
    }


def write_batches(
    problems: Sequence[Problem], out: Path, *, beside: Sequence[Any]
) -> None:
    """Write them into a file.

    Args:
        problems: What `problems_of` gives.
        out: The file, .npz or .safetensors.
        beside: What they were made of: files among it are not replaced.

    Raises:
        UsageError: The file's name does not do.
        FileError: It cannot be written.

    """
    data = _packed(batches(problems), out, problems[0].case.dtype)
    files = [Path(of).resolve() for of in beside if isinstance(of, str | Path)]
    if out.resolve() in files:
        raise UsageError(f"{out} is what the batch is made of; choose another name")
    write_named(out, data)


def _packed(arrays: Mapping[str, Array], path: Path, dtype: str) -> bytes:
    if path.suffix == ".safetensors":
        return pack(arrays, {})
    if path.suffix != ".npz":
        raise UsageError(f"{path}: the name must end in .npz or .safetensors")
    if dtype == "bfloat16":
        raise UsageError(f"{path}: .npz has no bfloat16; write .safetensors")
    file = io.BytesIO()
    np.savez(file, **dict[str, Any](arrays))
    return file.getvalue()


def _expected(case: Case, given: dict[str, Array], origin: str) -> dict[str, Array]:
    known = {**case.forward_shapes(), **case.layer_shapes()}
    shapes = {name: shape for name, shape in known.items() if name in given}
    wrong = contract_violations(given, shapes, case.dtype)
    if wrong or not given:
        asked = ", ".join(f"{name} {list(shape)}" for name, shape in known.items())
        said = "; ".join(wrong) or "nothing is there"
        raise UsageError(f"{origin}: {said}; expected any of {asked}, {case.dtype}")
    layers = {*case.layer_shapes(), "outputs"}
    if given.keys() & case.layer_shapes().keys() and (lack := layers - given.keys()):
        raise UsageError(
            f"{origin}: {', '.join(sorted(lack))} is missing; give the outputs of "
            "every layer, or of the last one alone"
        )
    return given


def _named(data: Any, alone: str, timeout: float) -> tuple[dict[str, Array], str]:
    """Give named arrays of a file, a mapping or one array, and what they are called."""
    if isinstance(data, str | Path):
        return read_arrays(Path(data), alone, timeout), str(data)
    named = data if isinstance(data, Mapping) else {alone: data}
    given = {str(name): as_array(str(name), value) for name, value in named.items()}
    return given, "what was given"


def _int32(lengths: Array) -> Array:
    """Take lengths of any integer dtype, if none is changed by it."""
    with np.errstate(invalid="ignore"):
        narrow = lengths.astype(np.int32)
    exact = lengths.dtype.kind in "iu" and (narrow == lengths).all()
    return narrow if exact else lengths
