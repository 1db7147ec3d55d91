"""A recurrent layer of a file, on every backend; and the same layer in another form."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec.structs import replace

from fixtures import seeded
from harness.backend import BackendInfo
from harness.contract import contract_violations, nonfinite
from harness.errors import FileError, UsageError
from harness.folder import RunFolder
from harness.models.layer import Recurrent, difference, given_case
from harness.models.read import read_arrays, read_whole
from harness.models.write import WRITERS
from harness.results import Report
from harness.run.engine import Engine
from harness.session import begin, judge_and_write
from harness.spec import Array, Problem
from harness.watch import Watch

_BATCH, _STEPS, _SEED = 4, 16, 1


def problem_of(layer: Recurrent, inputs: Path | None = None) -> Problem:
    """Make a problem of a layer: on a seeded batch and states, or on given inputs.

    Given inputs `[B, T, D]` start from zero states, unless their file has others.

    Raises:
        FileError: The inputs are not `[B, T, D]` of the layer's dtype, or not finite.

    """
    given = _inputs(inputs) if inputs else {}
    shape = given["inputs"].shape if given else (_BATCH, _STEPS, 0)
    case = replace(layer.case, batch=shape[0], steps=shape[1], seed=_SEED)
    if given:
        states = case.state_shapes().items()
        zeros = {f"initial_{n}": np.zeros(s, case.dtype) for n, s in states}
        arrays = {**zeros, **given}
    else:
        arrays = dict(seeded.problem(case).arrays)
    arrays |= layer.weights
    wrong = contract_violations(arrays, case.input_shapes(), case.dtype)
    if wrong := wrong or nonfinite(arrays):
        raise FileError(f"{inputs or layer.name} for {layer.name}: {'; '.join(wrong)}")
    for name, array in arrays.items():
        arrays[name] = np.array(array)
        arrays[name].flags.writeable = False
    return Problem(given_case(case, arrays), arrays)


def verify(  # noqa: PLR0913 - as many as a run has
    layer: Recurrent,
    infos: list[BackendInfo],
    out: Path,
    *,
    again: Sequence[str],
    inputs: Path | None = None,
    jobs: int = 1,
    timeout: float = 300.0,
    watch: Watch | None = None,
) -> Report:
    """Compute a layer on backends, judge what they return, and write the report.

    Args:
        layer: What `harness.models.read.read` gives.
        infos: The backends.
        out: Folder for the results.
        again: Arguments of `rnn-parity verify` that do this again.
        inputs: File of inputs; a seeded batch without it.
        jobs: Workers at a time.
        timeout: Seconds for one backend.
        watch: Told of what begins and ends.

    Raises:
        FileError: The inputs are wrong, or the folder cannot be used.

    """
    folder = RunFolder(out)
    problem = problem_of(layer, inputs)
    record = replace(begin(folder, [problem], infos), verify=list(again))
    engine = Engine(folder, jobs=jobs, timeout=timeout, watch=watch or Watch())
    entries = engine.run(infos, [problem])
    said = {i.name: engine.records[i.name] for i in infos if i.name in engine.records}
    folder.write_record(replace(record, backends=said, entries=entries))
    return judge_and_write(folder, jobs, watch)


def convert(layer: Recurrent, to: str, out: Path) -> None:
    """Write a layer in another form, once it was read back and is the same.

    Raises:
        UsageError: The file's name does not end as the form's do.
        FileError: The form cannot hold it, or the file cannot be written.

    """
    suffix, write = WRITERS[to]
    if out.suffix != suffix:
        raise UsageError(f"{out}: the name must end in {suffix} for --to {to}")
    data = write(layer)
    with TemporaryDirectory(prefix="rnn-parity-") as path:
        file = RunFolder(Path(path)).write(out.name, data)
        back = read_whole(file, layer.case.cell)
    if said := difference(layer, back):
        raise FileError(
            f"{to} does not hold {layer.name} exactly: {said}; nothing was written"
        )
    RunFolder(out.parent).write(out.name, data)


def _inputs(path: Path) -> dict[str, Array]:
    """Read `inputs` `[B, T, D]`, and initial states if the file has some."""
    arrays, _ = read_arrays(path)
    if "inputs" not in arrays or arrays["inputs"].ndim != len("BTD"):
        raise FileError(f"{path} has no array 'inputs' of shape [B, T, D]")
    return arrays
