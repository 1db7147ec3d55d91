"""What somebody expects of a layer, judged beside what backends return."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from rnn_parity.judge.certify import certify
from rnn_parity.runs.registry import built_in_backends, known_backends
from rnn_parity.runs.user_arrays import keep_outcome, least_accurate
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import RunRecord
from rnn_parity_core import (
    Accuracy,
    Array,
    BackendInfo,
    BackendRecord,
    ParityError,
    Problem,
    Scalar,
)

EXPECTED = "expected"
"""Name that it is judged under, beside the backends."""


def add_expected(
    folder: RunFolder,
    record: RunRecord,
    problems: Sequence[Problem],
    expected: Mapping[str, Mapping[str, Array]],
    infos: Sequence[BackendInfo],
) -> RunRecord:
    """Put what somebody expects beside what backends of a run return."""
    info = least_accurate(EXPECTED, [*built_in_backends().values(), *infos])
    accuracy = info.accuracy_for(problems[0].case)
    entries, left_out = [], []
    for problem in problems:
        case, of = problem.case, expected.get(problem.case.id)
        if of is None:
            left_out.append((case.id, EXPECTED))
            continue
        entry = keep_outcome(folder, EXPECTED, case, of, part=True)
        entries.append(replace(entry, detail=_whose(problem, of, accuracy)))
    held_to: dict[str, Scalar] = {
        f"{function}, held to": f"{error.ulp:g} ulp + {error.absolute:g}"
        for function, error in accuracy.functions.items()
    }
    if accuracy.factor_unit:
        held_to["factors of products, held to"] = accuracy.factor_unit
    added = replace(
        record,
        infos=[*record.infos, info],
        backends={**record.backends, EXPECTED: BackendRecord(settings=held_to)},
        entries=[*record.entries, *entries],
        left_out=left_out,
    )
    folder.write_record(added)
    return added


def _whose(problem: Problem, expected: Mapping[str, Array], allowed: Accuracy) -> str:
    """Ask whether outputs that may not be right here are another backend's.

    That is of those that nobody asked for, and that state that they may err by more.
    """
    stated: list[tuple[str, Accuracy]] = []
    for info in known_backends().values():
        with suppress(ParityError):  # of another dtype, it may state nothing
            stated.append((info.name, info.accuracy_for(problem.case)))
    more = [(name, of) for name, of in stated if not of.within(allowed)]
    if not more or certify(problem, expected, allowed).bound_ratio <= 1:
        return ""
    names = [n for n, of in more if certify(problem, expected, of).bound_ratio <= 1]
    return (
        f"by the accuracy that {' or '.join(names)} states it would pass; if that "
        "computed it, add it to --backends"
        if names
        else ""
    )
