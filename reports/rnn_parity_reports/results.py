"""The results model: `report.json` as Python values, and the only way to read one.

Every other format is a view of it. Its numbers are finite: what has none is null.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from rnn_parity_core import BackendRecord, Case, FileError, UsageError
from rnn_parity_core.cases import check_case
from rnn_parity_core.exit_status import Exit, exit_of
from rnn_parity_core.files import check_names, read_bytes
from rnn_parity_reports.version_1 import is_version_1, upgraded

MAX_REPORT_BYTES = 2**30

Record = TypeVar("Record", bound=msgspec.Struct)
Verdict = Literal[
    "pass", "consistent", "fail", "inconclusive", "gap", "error", "absent"
]
"""`pass`: shown to be right, by a derived bound; `consistent`: no bound shows anything,
but it is where right implementations are, by an estimate; `fail`: wrong, by the bound
or by the estimate; `inconclusive`: nothing is shown. `describe.verdict_of` says which
are estimates."""
GOOD: frozenset[Verdict] = frozenset({"pass", "consistent"})
BAD: frozenset[Verdict] = frozenset({"fail", "error"})
COMPUTED: frozenset[Verdict] = GOOD | {"fail", "inconclusive"}
"""Of what had an outcome to be judged."""
Count = Annotated[int, msgspec.Meta(ge=0)]
Measure = Annotated[float, msgspec.Meta(ge=0)]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Figures(_Record, frozen=True):
    """Deviations of one array from what it is compared with."""

    max_abs: Measure | None
    """Largest |got - want|; null if no element of it is finite."""
    max_rel: Measure | None
    """Largest |got - want| / |want|, over the elements where `want` is not zero."""
    max_ulp: Measure | None
    """Largest |got - want| in units in the last place of `want` in the dtype."""
    rms: Measure | None
    """Root of the mean square of got - want."""
    mismatched: Count
    """Elements outside of the bound; between two backends, unequal ones."""
    nonfinite: Count
    """Elements that are NaN or infinite on either side."""
    total: Count
    worst_at: tuple[int, ...] | None
    """Index of the largest deviation: (row, step, unit) in `outputs`."""


class Published(_Record, frozen=True):
    """The deviation from tables printed by somebody before us."""

    max_abs: Measure | None
    allowed: Measure
    tables: Count
    """Tables compared: one a step."""


class FirstBad(_Record, frozen=True):
    """The earliest step whose error exceeds its bound, and its worst element."""

    step: Count
    row: Count
    unit: Count
    layer: Count = 0
    direction: str | None = None
    """Pass over time; null if there is only the forward one."""
    gate: str | None = None
    """The gate that alone explains the errors of this unit; null if none does."""
    times_bound: Measure | None = None
    """|error| / bound there; null if the element is NaN or infinite."""


class Steps(_Record, frozen=True):
    """How each step fares: its element that comes closest to its bound, or exceeds it.

    Of a long sequence, each point is the worst of several steps in a row.
    """

    step: list[Count]
    """Step of each point, in ascending order."""
    error: list[Measure | None]
    """|error| of one step, to three digits; null if it is not a number."""
    bound: list[Measure | None]
    """What that may be, to three digits."""


class Estimate(_Record, frozen=True):
    """What rounding at random says where no derived bound shows anything.

    The network is run many times, each rounded otherwise as is legal: that gives the
    spread of right implementations. It is no proof.
    """

    ratio: Measure | None
    """Worst |error| / (factor x spread), above 1 is `fail`; null if it is no number."""
    factor: Measure
    """Spreads that an error may have."""
    simulations: Count
    """Runs that the spread is of."""
    where: str = ""
    """The array that has the worst."""


class Result(_Record, frozen=True):
    """What is said of one case on one backend."""

    case: str
    backend: str
    verdict: Verdict
    bound_ratio: Measure | None = None
    """Worst |error| / bound over all steps and elements; at most 1 passes."""
    figures: dict[str, Figures] = {}
    """Array → its deviations from the float64 reference."""
    published: Published | None = None
    fixed_tolerances: dict[str, bool] = {}
    """Fixed tolerance that others use → whether it would pass this outcome."""
    first_bad: FirstBad | None = None
    steps: Steps | None = None
    """Error of every step beside its bound; null if no outputs were compared."""
    systematic: Measure | None = None
    """Worst sum of all steps' errors, for any weight / its bound; null without one."""
    explanations: list[str] = []
    """Known mistakes under which it would pass: "recurrent kernel transposed"."""
    not_shown: list[str] = []
    """What this data could not have shown."""
    sensitivity: dict[str, Measure | None] = {}
    """Kind of weight → the smallest relative change of all of it, in the layer and pass
    where it shows least, that would have failed; null where none up to twice would."""
    detail: str = ""
    reproduce: str = ""
    seconds: Measure | None = None
    estimate: Estimate | None = None
    """Null where a derived bound decides, or nothing does."""
    next_steps: list[str] = []
    """Where nothing is shown: what would show more, any of it."""


class Pair(_Record, frozen=True):
    """Two backends on one case."""

    case: str
    first: str
    second: str
    bound_ratio: Measure | None
    """Worst difference of their one-step errors / the sum of their bounds."""
    outputs: Figures
    """Deviations of the second's outputs from the first's."""


class Environment(_Record, frozen=True):
    """Where and when a run was made."""

    rnn_parity: str
    python: str
    platform: str
    cpu: str
    threads: Count
    commit: str | None
    """Git commit of the folder the run was started in."""
    started: str
    """ISO 8601, UTC."""


class Summary(_Record, frozen=True):
    """Counts of verdicts; `expected` is cases by backends.

    `compared` is what had an outcome: pass, consistent, fail and inconclusive.
    """

    expected: Count
    compared: Count
    passed: Count = msgspec.field(name="pass")
    failed: Count = msgspec.field(name="fail")
    gap: Count
    error: Count
    absent: Count
    consistent: Count = 0
    inconclusive: Count = 0


class Report(_Record, frozen=True):
    """One run's verdicts."""

    schema: Literal["rnn-parity.report/2"]
    environment: Environment
    backends: dict[str, BackendRecord]
    results: list[Result]
    pairs: list[Pair]
    outliers: dict[str, str]
    """Case → the one backend that differs from all others, which agree."""
    summary: Summary
    cases: list[Case] = []
    """What was computed, in the order of `results`."""
    strict: bool = False
    """Whether `inconclusive` counts: each case was named by itself, or `--strict`."""
    require_bound: bool = False
    """Whether `consistent` counts as `inconclusive` does: only a bound is enough."""

    @property
    def exit_status(self) -> Exit:
        """0 nothing is wrong, 1 a difference, 2 nothing compared, 3 a crash, 4 unshown.

        Of all generated cases together, 4 only if `strict`.
        """
        summary = self.summary
        return exit_of(
            wrong=summary.failed,
            crashed=summary.error,
            done=summary.compared,
            unshown=any(map(self.is_unshown, self.results)),
        )

    def is_unshown(self, result: Result) -> bool:
        """Whether a result counts against the run for not being shown."""
        return (self.strict and result.verdict == "inconclusive") or (
            self.require_bound and result.verdict == "consistent"
        )


def summarize(results: list[Result]) -> Summary:
    """Count verdicts."""
    said = [result.verdict for result in results]
    return Summary(
        expected=len(said),
        compared=sum(map(said.count, COMPUTED)),
        passed=said.count("pass"),
        failed=said.count("fail"),
        gap=said.count("gap"),
        error=said.count("error"),
        absent=said.count("absent"),
        consistent=said.count("consistent"),
        inconclusive=said.count("inconclusive"),
    )


def encode(value: msgspec.Struct) -> bytes:
    """Write JSON that a person can read and a diff can follow.

    Raises:
        FileError: The name of a file in it is no Unicode, which JSON is.

    """
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    except UnicodeEncodeError as error:
        raise FileError(
            f"{error.object[:200]!r} is no Unicode, and cannot be kept in JSON; give "
            "that file or folder another name"
        ) from None


def read_report_document(path: Path) -> Report:
    """Read and check a report.json, or the one in a run's folder.

    Raises:
        FileError: It is not there, not a report, or not whole.

    """
    path = path / "report.json" if path.is_dir() else path
    report = read_record(path, Report)
    for case in report.cases:
        try:
            check_case(case)
        except UsageError as error:
            raise FileError(f"{path}: {error}") from None
    return report


def read_record(path: Path, kind: type[Record]) -> Record:
    """Read a JSON file and check every field against its model.

    Raises:
        FileError: It cannot be read, or is not what it should be.

    """
    data = read_bytes(path, MAX_REPORT_BYTES)
    try:
        if is_version_1(data):
            record = msgspec.convert(upgraded(msgspec.json.decode(data)), kind)
        else:
            record = msgspec.json.decode(data, type=kind)
        check_names(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        what = kind.__name__.lower()
        raise FileError(
            f"{path} is not a whole {what} of rnn-parity: {error}"
        ) from None
    return record
