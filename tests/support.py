"""Helpers of tests that are no fixtures."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.adapter_tools.accuracy import can_measure, measure
from rnn_parity.adapter_tools.statement import held, stated
from rnn_parity.judge.certify import reference
from rnn_parity.judge.verdict import judge_entry
from rnn_parity.processes.packages import roots
from rnn_parity.runs.registry import absence, known_backends, select_backends
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import Entry
from rnn_parity.workers.process import Worker
from rnn_parity_core import (
    CELLS,
    Accuracy,
    Array,
    BackendInfo,
    Case,
    Error,
    Outcome,
    Problem,
    UsageError,
)
from rnn_parity_core.arrays import unpack
from rnn_parity_fixtures import catalogue, trained
from rnn_parity_fixtures.trained.fetch import kept_file
from rnn_parity_fixtures.trained.weights import kept_arrays
from rnn_parity_reports.results import Environment, Report, Result, summarize

OURS = os.pathsep.join(roots())
"""A `PYTHONPATH` of our packages."""
BACKENDS = tuple(info.name for info in select_backends([]))
LAYERS_ON_JAX = ("flax", "equinox", "haiku")
KERAS = ("keras:torch", "keras:jax")
ARGUMENTS = 100_000
SEEDED = "rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1"


def installed(name: str) -> BackendInfo:
    """Give a backend, or skip the test with the reason why it cannot run here."""
    info = known_backends()[name]
    if reason := absence(info):
        pytest.skip(f"{name}: {reason}")
    return info


def honest(problem: Problem) -> dict[str, Array]:
    """Round the float64 trajectory to the case's dtype: as right as can be."""
    exact = reference(problem)
    return {name: a.astype(problem.case.dtype) for name, a in exact.items()}


def judged(worker: Worker, info: BackendInfo, case: Case, folder: RunFolder) -> Result:
    """Compute a case in a worker that has the backend loaded, and judge it."""
    problem = catalogue.build(case)
    kind, *rest = worker.run(info.name, problem, 120)
    if kind == "outcome":
        folder.write_outcome(info.name, case.id, rest[0])
        entry = Entry(case.id, info.name, "done", seconds=rest[1])
    else:
        entry = Entry(case.id, info.name, kind, rest[0])
    return judge_entry(folder, problem, reference(problem), info, entry).result


def judged_after(
    backend: str, script: str, runs: list[str], path: Path
) -> dict[str, Result]:
    """Judge what an adapter computes of cases, each after a change of it.

    The script is given the backend, a folder, and the runs, `CASE?change` each; it
    writes their outcomes to files named by their numbers.
    """
    info = installed(backend)
    subprocess.run([sys.executable, "-c", script, backend, path, *runs], check=True)
    folder, found = RunFolder(path), {}
    for number, run in enumerate(runs):
        case_id = run.partition("?")[0]
        problem = catalogue.build(catalogue.case_from_id(case_id))
        folder.write_outcome(backend, case_id, (path / str(number)).read_bytes())
        entry = Entry(case_id, backend, "done", seconds=0.0)
        judged = judge_entry(folder, problem, reference(problem), info, entry)
        found[run] = judged.result
    return found


def assert_named_after(
    backend: str, script: str, faults: dict[str, str], path: Path
) -> None:
    """See that each planted change fails with the words that name it.

    Args:
        backend: The backend that is changed.
        script: See `judged_after`.
        faults: `CASE?change` → words; the cases themselves must pass.
        path: An empty folder.

    """
    healthy = list(dict.fromkeys(run.partition("?")[0] for run in faults))
    results = judged_after(backend, script, [*healthy, *faults], path)
    wrong = {run: results[run] for run in healthy if results[run].verdict != "pass"}
    assert wrong == {}
    for run, words in faults.items():
        assert results[run].verdict == "fail", run
        assert words in results[run].detail, (run, results[run].detail)


def assert_layout_loses_nothing(layout: Any, case_id: str) -> None:
    """See that weights survive a framework's layout to the last bit."""
    case = catalogue.case_from_id(case_id)
    problem = catalogue.build(case)
    for way in case.directions:
        ours = problem.weights(0, way)
        back = layout.to_canonical(case.cell, layout.to_native(case.cell, ours))
        assert back.keys() == ours.keys()
        assert [name for name in ours if not bits_equal(back[name], ours[name])] == []


def assert_as_stated(
    info: BackendInfo,
    worker: Worker,
    function: str,
    dtype: str,
    arguments: int = ARGUMENTS,
) -> None:
    """Measure a function through a worker, and hold it to what the backend states."""
    if not can_measure(dtype):
        pytest.skip(f"this machine's long double is no wider than {dtype}")
    worker.load(info)

    def compute(problem: Problem) -> Outcome:
        kind, data, _ = worker.run(info.name, problem, 120)
        assert kind == "outcome", data
        return unpack(data, info.name)[0]

    figures = measure(info, function, dtype, arguments, compute)
    assert figures, "every way to compute it is a declared gap"
    for figure, said in zip(figures, stated(info, function, dtype), strict=True):
        assert held(figure, said, dtype) == "kept", (figure, said)


def report_of(*results: Result, **changes: Any) -> Report:
    """Give a report of results alone."""
    environment = Environment("1", "3", "p", "c", 1, None, "now")
    return Report(
        **{
            "schema": "rnn-parity.report/2",
            "environment": environment,
            "backends": {},
            "results": list(results),
            "pairs": [],
            "outliers": {},
            "summary": summarize(list(results)),
            **changes,
        }
    )


def full_name(problem: Problem, name: str) -> str:
    """Give an array's full name; a short one is of the first layer's forward pass."""
    weights = CELLS[problem.case.cell].weights
    return f"layer0.forward.{name}" if name in weights else name


def weight(problem: Problem, name: str) -> Array:
    """Give a weight of the first layer's forward pass, by short name."""
    return problem[full_name(problem, name)]


def with_arrays(problem: Problem, **arrays: Array) -> Problem:
    """Give the problem with other arrays in place of some, by short or full name.

    Dots of a full name are underscores twice: `layer1__reverse__kernel`.
    """
    changed = {
        full_name(problem, name.replace("__", ".")): array
        for name, array in arrays.items()
    }
    assert changed.keys() <= problem.arrays.keys(), changed.keys()
    return Problem(problem.case, {**problem.arrays, **changed}, problem.published)


def allowing(problem: Problem, ulp: dict[str, float]) -> Accuracy:
    """State functions' ulps in a problem's dtype."""
    stated = {function: Error(most) for function, most in ulp.items()}
    return Accuracy(problem.case.dtype, stated)


def stating(info: BackendInfo, dtype: str, **errors: Error) -> BackendInfo:
    """Give a backend with other statements of some functions in a dtype."""
    functions = {**info.accuracy.get(dtype, {}), **errors}
    return replace(info, accuracy={**info.accuracy, dtype: functions})


def bits_equal(first: Array, second: Array) -> bool:
    """Whether two arrays are the same to the last bit, NaN and -0.0 included."""
    return (
        first.dtype == second.dtype
        and first.shape == second.shape
        and np.ascontiguousarray(first).tobytes()
        == np.ascontiguousarray(second).tobytes()
    )


def downloaded(network: str) -> Path:
    """Give the file of a trained network, or skip the test with what brings it here."""
    name = trained.manifest().networks[network].file
    try:
        kept_arrays(network)
        return kept_file(name)
    except UsageError as error:
        pytest.skip(str(error))
