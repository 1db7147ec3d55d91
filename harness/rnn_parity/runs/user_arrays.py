"""What somebody gives: arrays in place of seeded ones, outcomes that no worker made."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace

from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry
from rnn_parity_core import (
    CELLS,
    VARIANTS,
    Arithmetic,
    Array,
    BackendInfo,
    Case,
    Error,
    Implementation,
    Outcome,
    Problem,
    UsageError,
    unknown_name,
)
from rnn_parity_core.arrays import digest, pack
from rnn_parity_core.cases import check_case
from rnn_parity_core.validate import contract_violations, nonfinite, out_of_range

MAX_ULP = 1e6


def as_array(name: str, value: Any) -> Array:
    """Make an array of what somebody gives.

    Raises:
        UsageError: NumPy makes none of it.

    """
    if hasattr(value, "detach"):  # a tensor of PyTorch, which may require gradients
        value = value.detach().cpu()
    try:
        return np.asarray(value)
    except Exception as error:  # noqa: BLE001 - frameworks raise anything
        said = " ".join(str(error).split())
        raise UsageError(
            f"{name} is a {type(value).__name__}, of which NumPy makes no array: {said}"
        ) from None


def given_problem(case: Case, arrays: Mapping[str, Array], origin: str) -> Problem:
    """Make a problem of arrays, copied, which a digest in its case's ID stands for.

    Args:
        case: What they are for; its seed does not count.
        arrays: Everything of `Case.input_shapes`.
        origin: Where they come from, for messages.

    Raises:
        UsageError: They are not what the case asks for, or not finite.

    """
    check_case(case)
    wrong = contract_violations(arrays, case.input_shapes(), case.dtype)
    if wrong := wrong or nonfinite(arrays) or out_of_range(case, arrays):
        raise UsageError(f"{origin}: {'; '.join(wrong)}")
    own = {name: np.array(array) for name, array in arrays.items()}
    for array in own.values():
        array.flags.writeable = False
    own_case = replace(case, seed=None, trained="", given=digest(own))
    return Problem(own_case, own)


def keep_outcome(
    folder: RunFolder, backend: str, case: Case, outcome: Outcome, *, part: bool
) -> Entry:
    """Keep what somebody else computed in a run, to be judged as a backend's.

    Args:
        folder: The run's.
        backend: Name that it is judged under.
        case: What it is the outcome of.
        outcome: Its arrays, right or wrong.
        part: Whether what is not there is not asked for.

    """
    data = pack(outcome, {"case": case.id})
    folder.write_outcome(backend, case.id, data)
    every = {**case.output_shapes(), **case.layer_shapes()}
    there = [name for name in every if name in outcome] if part else []
    return Entry(case.id, backend, "done", arrays=there)


def least_accurate(name: str, infos: Iterable[BackendInfo]) -> BackendInfo:
    """State of a computation that nobody described what the coarsest backends state.

    That is what each states of all arguments: not that fewer ulp suffice near 0; and
    of factors of products, where the settings of one of them round these.
    """
    coarsest: dict[str, dict[str, Error]] = {}
    rounding: dict[str, float] = {}
    for info in infos:
        for setting, unit in info.arithmetic.factor_units.items():
            if info.options.get(setting):
                rounding[setting] = max(rounding.get(setting, 0.0), unit)
        for dtype, functions in info.accuracy.items():
            most = coarsest.setdefault(dtype, {})
            for function, error in functions.items():
                of = most.get(function, error)
                ulp, absolute = max(of.ulp, error.ulp), max(of.absolute, error.absolute)
                most[function] = Error(ulp, absolute=absolute)
    info = _undescribed(name)
    return replace(
        info,
        accuracy=coarsest,
        arithmetic=Arithmetic(factor_units=rounding),
        options=dict.fromkeys(rounding, True),
    )


def _undescribed(name: str) -> BackendInfo:
    """Describe what computed an outcome that no worker made: it does anything."""
    means = Implementation("somebody's own", tuple(VARIANTS), every_cell=True)
    return BackendInfo(
        name,
        adapter="",
        requires={},
        install="",
        implementations=(means,),
        accuracy={},
    )


def layer_info(
    name: str, case: Case, references: list[BackendInfo], ulp: Mapping[str, float]
) -> BackendInfo:
    """State of a layer what its verdict rests on, as a backend does of itself."""
    functions = CELLS[case.cell].functions
    for function, value in ulp.items():
        if function not in functions:
            raise unknown_name(f"function of {case.cell}", function, functions)
        if not 0 <= value <= MAX_ULP:
            raise UsageError(f"ulp of {function} is {value}, expected 0 to {MAX_ULP:g}")
    info = _undescribed(name)
    stated = references[0].accuracy.get(case.dtype, {}) if references else {}
    if references:
        info = replace(references[0], name=name, implementations=info.implementations)
    # What a reference says besides is of its own function.
    said = {function: Error(float(value)) for function, value in ulp.items()}
    errors = {**stated, **said}
    if missing := [f for f in functions if f not in errors]:
        ulp = dict.fromkeys(missing, 2.0)
        raise UsageError(
            f"nothing says by how many ulp {' and '.join(missing)} of {name} may err; "
            f"give ulp={ulp}, or a reference whose statement holds for it too"
        )
    # Of a layer of somebody's own nobody knows what it computes twice.
    return replace(
        info,
        gaps=(),
        accuracy={case.dtype: errors},
        arithmetic=replace(info.arithmetic, recomputes=True),
    )
