"""A recurrent layer of a file, on backends, beside what somebody expects of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace

from rnn_parity.models.apart import read_layer
from rnn_parity.models.formats import formats
from rnn_parity.models.layer import Recurrent
from rnn_parity.processes.guard import read_memory
from rnn_parity.runs.engine import check_timeout, default_jobs
from rnn_parity.runs.expected import add_expected
from rnn_parity.runs.model_batches import (
    batches,
    expected_of,
    problems_of,
    write_batches,
)
from rnn_parity.runs.observer import RunObserver
from rnn_parity.runs.registry import absence, known_backends, select_backends
from rnn_parity.runs.run import begin, complete, judge_and_write, new_record
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.journal import folder_lock
from rnn_parity_core import Array, BackendInfo, Problem, UsageError
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_reports.results import Report

REFERENCE = "numpy"
"""The backend that needs no framework."""


@dataclass(frozen=True)
class Plan:
    """What is to be verified: all of it read and checked."""

    layer: Recurrent
    problems: Sequence[Problem]
    infos: list[BackendInfo]
    expected: Mapping[str, Mapping[str, Array]]
    """ID of a case → arrays; nothing where nobody expects anything."""
    again: Sequence[str]
    """Arguments of `rnn-parity verify` that do this, but for the backend; none where
    arrays were given."""

    def run(
        self,
        out: Path,
        *,
        jobs: int,
        timeout: float,
        memory: int = 0,
        require_bound: bool = False,
        observer: RunObserver | None = None,
    ) -> Report:
        """Compute it, judge everything and write the report; as `verify` says."""
        cases, folder = [problem.case for problem in self.problems], RunFolder(out)
        jobs = jobs or default_jobs()
        made = new_record(
            *(cases, self.infos),
            timeout=timeout,
            memory=memory,
            model=True,
            verify=self.again,
        )
        record = replace(made, strict=True, require_bound=require_bound)
        folder.check()
        with folder_lock(out):
            begin(folder, record)
            for problem in self.problems:
                folder.write_problem(problem)
            if self.expected:
                record = add_expected(
                    folder, record, self.problems, self.expected, self.infos
                )
            complete(folder, record, self.infos, jobs=jobs, observer=observer)
        return judge_and_write(folder, jobs, observer)


def verify(  # noqa: PLR0913 - as many as a run has
    model: str | Path,
    *,
    layer: str = "",
    cell: str = "",
    ignore: Sequence[str] = (),
    inputs: Any = None,
    expected: Any = None,
    backends: Sequence[str] = (),
    out: str | Path | None = None,
    jobs: int = 0,
    timeout: float = TIMEOUT,
    memory: str = "",
    require_bound: bool = False,
    observer: RunObserver | None = None,
) -> Report:
    """Compute a recurrent layer of a file on backends, and judge what they return.

    Args:
        model: The file of weights.
        layer: Which recurrent layer of it, if there are several.
        cell: Which cell it is, if the file does not say.
        ignore: Names of tensors and settings in the layer that take no part in it; what
            else is not read refuses it.
        inputs: `[B, T, D]` of the layer's dtype; without it a seeded batch. Beside it a
            batch is run that shows every weight. Or named arrays: `inputs`, and if you
            like `initial_h`, `initial_c` `[L * directions, B, R or H]`, zeros without
            them, and `lengths` `[B]`; and what `write_inputs` writes. Arrays of any
            framework, or the path of a .npy, .npz or .safetensors file.
        expected: What you expect, judged as one more backend, `expected`: `outputs`
            `[B, T, R * directions]`, or any of `outputs`, `final_h` and `final_c`
            `[L * directions, B, R or H]` by name; with `outputs` also those of every
            layer below the last, `layer0.outputs`, …, so that each is judged by itself;
            of what `write_inputs` writes also `probe.outputs`, `probe.final_h`, …; in
            the same forms.
        backends: Names of backends, or `all`; without them the framework that the file
            comes from, if it is installed, and NumPy.
        out: Folder for the results; they are not kept without it.
        jobs: Workers at a time; 0: one a processor.
        timeout: Seconds for one backend, and for reading a file.
        memory: What one backend's worker may hold: `4G`; any number of bytes without.
        require_bound: Whether what is consistent by an estimate counts as inconclusive.
        observer: Told of what begins and ends.

    Returns:
        The report; `report.exit_status` is 0 if all pass, 4 if nothing is wrong and
        something inconclusive.

    Raises:
        UsageError: A name is unknown, or an array is not what the layer asks for.
        FileError: A file is broken, or the folder cannot be used.

    """
    planned = plan(
        model,
        layer=layer,
        cell=cell,
        ignore=ignore,
        inputs=inputs,
        expected=expected,
        backends=backends,
        timeout=timeout,
    )
    most = read_memory(memory)
    with TemporaryDirectory(prefix="rnn-parity-") as path:
        place = Path(path if out is None else out)
        return planned.run(
            place,
            jobs=jobs,
            timeout=timeout,
            memory=most,
            require_bound=require_bound,
            observer=observer,
        )


def plan(  # noqa: PLR0913 - as many as say what is verified
    model: str | Path,
    *,
    layer: str = "",
    cell: str = "",
    ignore: Sequence[str] = (),
    inputs: Any = None,
    expected: Any = None,
    backends: Sequence[str] = (),
    interpreters: Sequence[str] = (),
    hosts: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> Plan:
    """Read everything that `verify` is given, and check it before anything runs.

    Raises:
        UsageError: A name is unknown, or an array is not what the layer asks for.
        FileError: A file is broken.

    """
    if expected is not None and inputs is None:
        raise UsageError(
            "what is expected was not computed of the seeded batch: give its inputs "
            "too; --write-inputs FILE writes a batch to compute it of"
        )
    check_timeout(timeout)
    ignored = [ignore] if isinstance(ignore, str) else [*ignore]
    found = read_layer(Path(model), layer, cell, ignored, timeout)
    problems, wanted = problems_of(found, inputs, timeout), {}
    if expected is not None:
        wanted = expected_of(problems, inputs, expected, timeout)
    names = [backends] if isinstance(backends, str) else [*backends]
    names = names or _own_and_reference(found.convention)
    infos = select_backends(names, interpreters, hosts)
    files = {"--inputs": inputs, "--expected": expected}
    again: list[str] = []
    if all(data is None or isinstance(data, str | Path) for data in files.values()):
        options = {"--layer": layer, "--cell": cell, **files}
        said = ((option, str(value)) for option, value in options.items() if value)
        again = [str(model), *(word for pair in said for word in pair)]
        again += [word for name in ignored for word in ("--ignore", name)]
        again += [word for of in interpreters for word in ("--python", of)]
        again += [word for of in hosts for word in ("--host", of)]
    return Plan(found, problems, infos, wanted, again)


def _own_and_reference(convention: str) -> list[str]:
    """Name the framework that a file comes from, where it is installed, and NumPy."""
    form, known = formats().get(convention), known_backends()
    own = form.backend if form else REFERENCE  # a reader may name another convention
    here = own in known and not absence(known[own])
    return list(dict.fromkeys([own, REFERENCE] if here else [REFERENCE]))


def write_inputs(
    model: str | Path,
    out: str | Path,
    *,
    layer: str = "",
    cell: str = "",
    ignore: Sequence[str] = (),
    inputs: Any = None,
) -> dict[str, Array]:
    """Write a batch, and one that shows every weight, for your framework to compute.

    What it makes of them is for `verify(model, inputs=out, expected=...)`.

    Args:
        model: The file of weights.
        out: The new file, .npz or .safetensors: `inputs`, `initial_h`, …, and
            `probe.inputs`, `probe.initial_h`, …, unless that would be too large.
        layer: Which recurrent layer of the model, if there are several.
        cell: Which cell it is, if the file does not say.
        ignore: Names in the layer that take no part in it, as `verify` takes them.
        inputs: A batch of yours, in the forms that `verify` takes; without it a seeded
            one.

    Returns:
        What was written, by name.

    Raises:
        UsageError: A name is unknown, or an array is not what the layer asks for.
        FileError: A file is broken, or cannot be written.

    """
    ignored = [ignore] if isinstance(ignore, str) else [*ignore]
    found = read_layer(Path(model), layer, cell, ignored)
    problems = problems_of(found, inputs)
    write_batches(problems, Path(out), beside=(model, inputs))
    return batches(problems)
