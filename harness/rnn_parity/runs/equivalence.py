"""Holds a recurrent layer of one's own to a case, in one's own tests.

A layer is a function of a `Problem` that returns what the case asks for:

    def my_layer(problem):
        weights = problem.weights(0, "forward")  # kernel, recurrent_kernel, bias
        h0 = problem.initial(0, "forward")["h"]
        outputs, h = my_rnn(problem["inputs"], h0, **weights)
        return {"outputs": outputs, "final_h": h[None]}

    with Parity() as parity:
        parity.assert_equivalent(
            my_layer, case="rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1", reference="torch"
        )

In pytest the fixture `parity` is one that all tests of a session share.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from msgspec.structs import replace

from rnn_parity.processes.guard import read_memory
from rnn_parity.runs.engine import Runner, check_timeout
from rnn_parity.runs.environment import describe_environment
from rnn_parity.runs.judge_run import judge
from rnn_parity.runs.layer_failure import failure
from rnn_parity.runs.registry import select_backends
from rnn_parity.runs.user_arrays import (
    as_array,
    given_problem,
    keep_outcome,
    layer_info,
)
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry, RunRecord
from rnn_parity_core import (
    CELLS,
    Array,
    BackendInfo,
    Case,
    Cell,
    ParityError,
    Problem,
    UsageError,
)
from rnn_parity_core.cases import check_case
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.suites import usual_case
from rnn_parity_reports.results import Result

Layer = Callable[[Problem], Mapping[str, Any]]
"""What is tested: it returns the arrays of `Case.output_shapes`, of the case's dtype,
as NumPy arrays or as anything that NumPy makes arrays of."""


class _Ready(NamedTuple):
    """What is known before the layer runs."""

    problem: Problem
    infos: list[BackendInfo]
    """The layer's, as if it were a backend, and the reference's if there is one."""


class Parity:
    """Holds layers to cases; keeps references' workers, so use as a context manager.

    Args:
        timeout: Seconds that a reference may take for one case.
        memory: What its worker may hold: `4G`; any number of bytes without.

    Raises:
        UsageError: The timeout, or the memory, is none.

    """

    def __init__(self, *, timeout: float = TIMEOUT, memory: str = "") -> None:
        check_timeout(timeout)
        self._memory = read_memory(memory)
        self._timeout = timeout
        self._temporary = TemporaryDirectory(prefix="rnn-parity-")
        self._folder = RunFolder(Path(self._temporary.name))
        self._folder.prepare()
        self._environment = describe_environment()
        self._runners: dict[str, Runner] = {}

    def __enter__(self) -> "Parity":
        return self

    def __exit__(self, *exc_info: object) -> None:
        for runner in self._runners.values():
            runner.close()
        self._temporary.cleanup()

    def assert_equivalent(
        self,
        layer: Layer,
        *,
        case: str | Case | None = None,
        reference: str | Layer | None = None,
        cell: Cell | None = None,
        weights: Mapping[str, Any] | None = None,
        ulp: Mapping[str, float] | None = None,
    ) -> Result:
        """Run a layer on a case, and see that every step is right but for rounding.

        Args:
            layer: Called once, in this process, with the case's problem.
            case: A `Case`, or the ID of one; of a cell that is given it may be left
                out.
            reference: A backend, or another layer, that must be right too, and that the
                layer is compared with.
            cell: One that is neither built in nor of a package.
            weights: Every weight of `Case.weight_shapes` by its full name, in the
                canonical layout (`layer0.forward.kernel`), whose digest then ends the
                case's ID; seeded ones without it.
            ulp: Function of the cell → by how many ulp that of the layer may err; where
                it says nothing, what the reference states of itself.

        Returns:
            The layer's result, `pass` or `consistent`; its `not_shown` says what this
            could not have shown.

        Raises:
            AssertionError: The layer, or the reference, is not right, or nothing is
                shown of one of them: then it says what would show more.
            UsageError: A name or a weight is wrong, the reference cannot run here or
                declares that it does not do the case, or no accuracy is stated.

        """
        __tracebackhide__ = True
        try:
            named = _case(case, cell, reference)
            ready = _ready(layer, named, reference, weights, ulp or {})
        except ParityError as error:
            raise UsageError(str(error)) from None
        layers = [layer, reference] if callable(reference) else [layer]
        returned = [_called(one, ready.problem) for one in layers]
        wrong, result = self._compared(ready, returned)
        if wrong:
            raise AssertionError(wrong)
        return result

    def _compared(
        self, ready: _Ready, returned: list[tuple[Any, float]]
    ) -> tuple[str, Result]:
        """Give what is wrong, if anything is, and the layer's result.

        Args:
            ready: What is known before.
            returned: What layers returned, the tested one first, and their seconds.

        """
        case, info = ready.problem.case, ready.infos[0]
        self._folder.write_problem(ready.problem)
        entries = [
            self._kept(of, case, *made)
            for of, made in zip(ready.infos, returned, strict=False)
        ]
        backends = ready.infos[len(returned) :]
        entries += [self._computed(of, ready.problem) for of in backends]
        environment = self._environment
        record = RunRecord(
            *("rnn-parity.run/2", environment, [case], ready.infos, {}, entries),
            strict=True,
        )
        self._folder.write_record(record)
        report = judge(self._folder, record)
        # The test itself is what reproduces it.
        result = replace(report.results[0], reproduce="")
        return failure(info, case, result, report), result

    def _kept(
        self, info: BackendInfo, case: Case, returned: Any, seconds: float
    ) -> Entry:
        """Put what a layer returned into the folder, if it can be."""
        try:
            outcome = _arrays(returned, case)
            entry = keep_outcome(self._folder, info.name, case, outcome, part=False)
        except ParityError as error:
            entry = Entry(case.id, info.name, "error", str(error))
        return replace(entry, seconds=seconds)

    def _computed(self, info: BackendInfo, problem: Problem) -> Entry:
        if info.name not in self._runners:
            self._runners[info.name] = Runner(
                info, self._folder, self._timeout, self._memory
            )
        entry = self._runners[info.name].entry(problem)
        if entry.status == "absent":
            raise UsageError(f"reference {info.name} cannot run here: {entry.detail}")
        if entry.status == "unsupported":
            raise UsageError(_declined(info, problem.case, entry.detail))
        return entry


def _case(
    case: str | Case | None, cell: Cell | None, reference: str | Layer | None
) -> str | Case:
    """Make a cell known that is given, and give the case, its usual one without any.

    Raises:
        ParityError: There is neither, or nobody else knows the cell.

    """
    if cell is None:
        if case is None:
            raise UsageError("neither a case nor a cell is given; give case=, or cell=")
        return case
    CELLS.add(cell)
    if isinstance(reference, str) and not CELLS.is_registered(cell.name):
        raise UsageError(
            f"reference {reference} runs in a process of its own, which does not know "
            f"the cell {cell.name}; register it under rnn_parity.cells, or give a "
            "function as reference"
        )
    named = catalogue.case_from_id(case) if isinstance(case, str) else case
    if named and named.cell.partition(".")[0] != cell.name:
        raise UsageError(f"case {named.id} is not one of the cell {cell.name}")
    return named or usual_case(cell.name)


def _called(layer: Layer, problem: Problem) -> tuple[Any, float]:
    """Give what a layer returns, and the seconds that it takes."""
    start = time.perf_counter()
    returned = layer(problem)
    return returned, time.perf_counter() - start


def _ready(
    layer: Layer,
    case: str | Case,
    reference: str | Layer | None,
    weights: Mapping[str, Any] | None,
    ulp: Mapping[str, float],
) -> _Ready:
    problem = _problem(case, weights)
    infos = select_backends([reference]) if isinstance(reference, str) else []
    for info in infos:
        if gap := info.gap(problem.case):
            reason = gap.why if gap.kind == "wrong" else gap.reason
            raise UsageError(_declined(info, problem.case, reason))
    own = layer_info(_name(layer), problem.case, infos, ulp)
    if callable(reference):
        other, name = layer_info(_name(reference), problem.case, [], ulp), own.name
        if other.name == name:
            other = replace(other, name=f"{name}#reference")
        infos = [other]
    return _Ready(problem, [own, *infos])


def _name(layer: Layer) -> str:
    """Name a layer; no backend's name has parentheses."""
    name = getattr(layer, "__name__", type(layer).__name__)
    return f"{name[:100]}()"


def _declined(info: BackendInfo, case: Case, reason: str) -> str:
    return (
        f"reference {info.name} does not do {case.id}: {reason}; choose another case "
        "or reference"
    )


def _problem(case: str | Case, weights: Mapping[str, Any] | None) -> Problem:
    """Build a case's problem, with the weights that were given."""
    if isinstance(case, str):
        case = catalogue.case_from_id(case)
    check_case(case)
    problem = catalogue.build(case)
    if weights is None:
        return problem
    own = case.weight_shapes()
    arrays = {name: a for name, a in problem.arrays.items() if name not in own}
    for name, value in weights.items():
        if name in arrays:
            raise UsageError(f"weights for {case.id}: {name} is no weight")
        arrays[name] = as_array(name, value)
    return given_problem(case, arrays, f"weights for {case.id}")


def _arrays(returned: Any, case: Case) -> dict[str, Array]:
    """Make arrays of what a layer returned.

    Raises:
        UsageError: It is no mapping, or holds what is no array.

    """
    if not isinstance(returned, Mapping):
        asked = ", ".join(f"{n!r}: {list(s)}" for n, s in case.output_shapes().items())
        raise UsageError(
            f"returned {type(returned).__name__}, expected a mapping of names to "
            f"arrays of these shapes: {{{asked}}}"
        )
    return {str(name): as_array(str(name), value) for name, value in returned.items()}
