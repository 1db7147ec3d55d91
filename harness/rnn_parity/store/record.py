"""What a run is and what came of it: run.json, lines of its journal, their checks."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from rnn_parity_core import BackendInfo, BackendRecord, Case, FileError, UsageError
from rnn_parity_core.cases import check_case
from rnn_parity_core.limits import MAX_TIMEOUT, TIMEOUT
from rnn_parity_reports.results import Count, Environment, Measure

_Named = TypeVar("_Named", bound=Hashable)


UNANSWERED = "the run ended before this was computed"
NOT_STARTED = "did not start"
"""How the words begin on a case that no backend was asked for, in an error."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one case on one backend, before anyone judged it."""

    case: str
    backend: str
    status: Literal["done", "unsupported", "error", "absent"]
    detail: str = ""
    """Why it is not done; where it is, what to say if it turns out not to be right."""
    seconds: Measure | None = None
    arrays: list[str] = []
    """What the outcome is of, where that may be a part; nothing: all it must hold."""

    @property
    def has_crashed(self) -> bool:
        """Whether the backend was asked for the case, and ended in an error."""
        unasked = self.detail.startswith((UNANSWERED, NOT_STARTED))
        return self.status == "error" and not unasked

    def shapes(self, case: Case) -> dict[str, tuple[int, ...]]:
        """Give the shapes of the arrays that the outcome must hold, by name."""
        every = {**case.output_shapes(), **case.layer_shapes()}
        asked = self.arrays or case.output_shapes()
        return {name: every[name] for name in asked}


class RunRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of run.json."""

    schema: Literal["rnn-parity.run/2"]
    environment: Environment
    cases: list[Case]
    infos: list[BackendInfo]
    backends: dict[str, BackendRecord]
    entries: list[Entry]
    left_out: list[tuple[str, str]] = []
    """Cases and backends that were not to be computed together, though others were."""
    model: bool = False
    """Whether somebody's model is verified, and not a suite computed."""
    verify: list[str] = []
    """Arguments of `rnn-parity verify`, where weights came from a file."""
    timeout: Annotated[float, msgspec.Meta(gt=0, le=MAX_TIMEOUT)] = TIMEOUT
    """Seconds that one problem may take on one backend."""
    memory: Count = 0
    """Bytes that a worker may hold; 0: any number."""
    strict: bool = False
    """Whether results that show nothing count, as in the report; so does the next."""
    require_bound: bool = False


class JournalLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the journal: what came of a case, or what a backend said of itself."""

    entry: Entry | None = None
    said: tuple[str, BackendRecord] | None = None


def most_bytes(case: Case) -> int:
    """Bytes that an outcome may have: of other shapes and dtypes, but not of any."""
    every = {**case.output_shapes(), **case.layer_shapes()}
    asked = sum(math.prod(shape) for shape in every.values())
    return 2**20 + 128 * asked


def merged(record: RunRecord, lines: list[JournalLine]) -> RunRecord:
    """Put what the journal says into a record, each backend's in the cases' order."""
    if not lines:
        return record
    said = record.backends | dict(line.said for line in lines if line.said)
    done = [*record.entries, *(line.entry for line in lines if line.entry)]
    found = {(entry.backend, entry.case): entry for entry in done}
    names = [info.name for info in record.infos]
    asked = [(name, case.id) for name in names for case in record.cases]
    # What nobody asked for is for the check to say.
    keys = [key for key in asked if key in found] + sorted(found.keys() - set(asked))
    return replace(
        record,
        backends={name: said[name] for name in (*names, *said) if name in said},
        entries=[found[key] for key in keys],
    )


def check_record(record: RunRecord, path: Path) -> None:
    """Check names before any of them becomes a path or a key."""
    for case in record.cases:
        try:
            check_case(case)
        except UsageError as error:
            raise FileError(f"{path}: {error}") from None
    by_id = {case.id: case for case in record.cases}
    cases = _distinct([case.id for case in record.cases], path)
    backends = _distinct([info.name for info in record.infos], path)
    computed = [(entry.case, entry.backend) for entry in record.entries]
    both = _distinct(computed, path) & set(record.left_out)
    for named, backend in computed + record.left_out:
        if named not in cases or backend not in backends:
            raise FileError(
                f"{path}: an entry names {named!r} on {backend!r}, "
                "which the run does not list"
            )
    for entry in record.entries:
        _check_part(entry, by_id[entry.case], path)
    if both:
        raise FileError(f"{path}: {min(both)} is left out, and yet computed")


def _check_part(entry: Entry, case: Case, path: Path) -> None:
    """See that what an outcome is of, if somebody gave a part, can be judged alone."""
    forward = case.task == "forward" and case.variant != "variable_output"
    allowed = {**case.forward_shapes(), **case.layer_shapes()} if forward else ()
    if not set(entry.arrays) <= set(allowed):
        raise FileError(
            f"{path}: the outcome of {entry.case} on {entry.backend!r} is of "
            f"{', '.join(entry.arrays)}, which is no part of what it must hold"
        )


def _distinct(names: Iterable[_Named], path: Path) -> set[_Named]:
    counts = Counter(names)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise FileError(f"{path}: {twice[0]!r} is listed twice")
    return set(counts)
