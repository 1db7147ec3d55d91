"""What a sweep is made of: what is asked of workers, what they answer, what is kept."""

from collections.abc import Iterator
from shlex import quote
from typing import Annotated, Literal, NamedTuple

import msgspec

from rnn_parity_core import Case, Scalar
from rnn_parity_reports.results import Count, Environment, Result, Verdict

MOST_CASES = 100
"""Of one slice: what is lost at most where a worker dies."""
_SLICES = 100  # that a suite is cut into at least, if it has as many cases


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Identity(_Record, frozen=True):
    """By what a backend is computed, and judged: one sweep has one for each backend."""

    rnn_parity: str
    judge: str
    """Version of the NumPy that judges."""
    info: str
    """Digest of all that the backend declares: gaps, accuracies, options."""
    python: str
    versions: dict[str, str]
    settings: dict[str, Scalar]


class Limits(_Record, frozen=True):
    """What one case may take."""

    timeout: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    """Seconds."""
    memory: Count
    """Bytes that what computes it may hold; 0: any number."""


class Sweep(_Record, frozen=True):
    """The contents of sweep.json."""

    schema: Literal["rnn-parity.sweep/2"]
    environment: Environment
    """Of whoever asked: workers have their own."""
    suite: list[str]
    """Names of suites, or IDs."""
    cases: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    slice: Annotated[int, msgspec.Meta(ge=1, le=MOST_CASES)]
    """Cases that are asked for together, and lie in one file."""
    backends: dict[str, Identity]
    limits: Limits

    def slices(self) -> Iterator[tuple[int, int, int]]:
        """Give each slice's number, its first case and the one after its last."""
        for number, first in enumerate(range(0, self.cases, self.slice)):
            yield number, first, min(first + self.slice, self.cases)


class Question(_Record, frozen=True):
    """What a Dask worker is asked for: some cases on one backend."""

    backend: str
    limits: Limits
    cases: list[tuple[int, Case]]
    """Number in the suite, and case: a worker need not draw a million."""


class SweepRow(_Record, frozen=True):
    """What came of one case on one backend."""

    number: Count
    result: Result


class Answer(_Record, frozen=True):
    """What a Dask worker answers."""

    worker: str
    """Its address, for words to users."""
    identity: Identity | None = None
    trouble: str = ""
    """Why the backend cannot run there."""
    rows: list[SweepRow] = []


class Slice(NamedTuple):
    """A part of a sweep: what is computed together, and kept in one file."""

    backend: str
    number: int


class FailureKind(NamedTuple):
    """What makes two failures alike, whatever the sizes and numbers of their cases."""

    backend: str
    cell: str
    task: str
    verdict: Verdict
    what: str


def slice_length(cases: int) -> int:
    """Say how many cases of a suite are asked for together."""
    return max(1, min(MOST_CASES, cases // _SLICES))


KILLS = "Dask workers died at it"
"""What is said of a case that takes its Dask worker with it."""


def again(case: Case, backend: str) -> str:
    """Give the command that computes a case again."""
    return f"rnn-parity run --cases {case.id} --backends {quote(backend)}"
