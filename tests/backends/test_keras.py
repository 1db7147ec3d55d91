"""Keras on PyTorch and JAX: conventions, its float64, gradients, its one backend.

Keras is never imported here, only in processes started from here.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity.runs.registry import known_backends, select_backends
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity.workers.protocol import WorkerError
from rnn_parity_fixtures import catalogue
from support import KERAS, installed, judged

# Says the bound_ratio of cases, each after a change to the adapter: `CASE?change`.
CHANGED = """
import json, sys
from importlib import import_module
from types import SimpleNamespace
from rnn_parity_fixtures import catalogue
from rnn_parity.judge.certify import certify
from rnn_parity.runs.registry import known_backends
from rnn_parity_core import ADAM_EPSILON

name, *runs = sys.argv[1:]
info = known_backends()[name]
module, _, made = info.adapter.partition(":")
adapter = getattr(import_module(module), made)
from rnn_parity_backends.with_keras import layout, networks, training
owners = layout, networks, training, adapter
held = [(owner, dict(vars(owner))) for owner in owners]
found = []
for run in runs:
    case_id, _, change = run.partition("?")
    problem = catalogue.build(catalogue.case_from_id(case_id))
    exec(change)
    outcome = adapter().run(problem)
    found.append(certify(problem, outcome, info.accuracy_for(problem.case)).bound_ratio)
    for owner, names in held:
        for key, value in names.items():
            if vars(owner).get(key) is not value:
                setattr(owner, key, value)
print(json.dumps(found))
"""

# What undoes a translation.
ORDER = "layout._GRU = tuple('rzn')"
OTHER = "networks.ops = SimpleNamespace(**vars(networks.ops) | "
NOT_ZEROED = OTHER + "{'where': lambda mask, x, zeros: x})"
NOT_REVERSED = OTHER + "{'flip': lambda x, axis: x})"
ONE_HALF = "layout.gradients_to_canonical = layout.from_keras"
BOTH_HALVES = "training.one_of_two = lambda case, gradients: gradients"
EPSILON = "training.epsilon_hat = lambda number: ADAM_EPSILON"
FAULTS = (
    f"gru-dynamic-B3-T7-D4-H5-f32-s1?{ORDER}",
    f"gru_reset_before-static-B3-T4-D6-H5-f32-s1?{ORDER}",
    f"lstm-variable_input-B3-T7-D4-H5-f32-s1?{NOT_ZEROED}",
    f"lstm-dynamic-B3-T7-D4-H5-reverse-f32-s1?{NOT_REVERSED}",
    f"gru-dynamic-B3-T7-D4-H5-gradient-f32-s1?{ONE_HALF}",
    f"gru-dynamic-B3-T7-D4-H5-sgd-f32-s1?{BOTH_HALVES}",
    f"gru-dynamic-B3-T7-D4-H5-adam-f32-s1?{EPSILON}",
)

# Computes what is declined for what Keras computes in float32.
FLOAT64 = "adapter.is_float32_inside = lambda self, case: False"

TRAINED = (
    "lstm-variable_input-B3-T7-D4-H5-L2-bidirectional-gradient-f32-s1",
    "gru_reset_before-static-B3-T4-D6-H5-gradient-f32-s1",
    "rnn_relu-dynamic-B3-T7-D4-H5-timemajor-gradient-f32-s1",
    "lstm_peephole-basic-B3-T4-D6-H5-gradient-f32-s1",
    "gru-variable_input-B3-T7-D4-H5-L2-bidirectional-adam-f32-s1",
    "lstm-static_single-B3-T4-D6-H5-nobias-sgd-f32-s1",
)
DOUBLE = {
    "keras:torch": (
        "lstm-dynamic-B3-T7-D4-H5-L2-bidirectional-gradient-f64-s1",
        "gru-dynamic-B3-T7-D4-H5-adam-f64-s1",
    ),
    "keras:jax": (
        "rnn_relu-variable_input-B3-T7-D4-H5-gradient-f64-s1",
        "rnn_relu-static-B3-T4-D6-H5-adam-f64-s1",
    ),
}


def bound_ratio(backend: str, *runs: str) -> list[float]:
    """Compute cases after changes, in a process of its own."""
    installed(backend)
    command = [sys.executable, "-c", CHANGED, backend, *runs]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("backend", KERAS)
def test_without_what_is_translated_cases_fail(backend: str) -> None:
    healthy = [run.partition("?")[0] for run in FAULTS]
    found = bound_ratio(backend, *healthy, *FAULTS)
    assert max(found[: len(FAULTS)]) < 1, found
    assert min(found[len(FAULTS) :]) > 1, found


@pytest.mark.parametrize(
    ("backend", "case"), [(name, case) for name in KERAS for case in TRAINED]
)
def test_gradients_and_training_pass(
    backend: str, case: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    assert_passes(backend, case, workers, tmp_path)


@pytest.mark.parametrize(
    ("backend", "case"), [(name, case) for name in DOUBLE for case in DOUBLE[name]]
)
def test_float64_passes_where_keras_has_it(
    backend: str, case: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    assert_passes(backend, case, workers, tmp_path)


def assert_passes(
    backend: str, case: str, workers: Callable[[str], Worker], path: Path
) -> None:
    info, worker = installed(backend), workers(backend)
    worker.load(info)
    result = judged(worker, info, catalogue.case_from_id(case), RunFolder(path))
    assert result.verdict == "pass", result.detail


@pytest.mark.parametrize(
    ("backend", "forms"),
    [
        (
            "keras:torch",
            (
                *("rnn_tanh-dynamic", "rnn_relu-dynamic", "gru_reset_before-dynamic"),
                *("lstm-static", "lstm-static_single", "gru-variable_input"),
            ),
        ),
        ("keras:jax", ("lstm-dynamic", "gru-dynamic", "gru_reset_before-static")),
    ],
)
def test_float32_inside_of_float64_is_called_out(
    backend: str, forms: tuple[str, ...]
) -> None:
    cases = [f"{form}-B3-T7-D4-H5-f64-s1" for form in forms]
    gap = known_backends()[backend].gap
    assert all(gap(catalogue.case_from_id(case)) for case in cases)
    assert min(bound_ratio(backend, *(f"{case}?{FLOAT64}" for case in cases))) > 1e4


@pytest.mark.parametrize(
    ("first", "second"),
    [("keras:torch", "keras:jax"), ("keras:jax", "tensorflow")],
)
def test_a_process_that_has_another_of_keras_backends_is_an_error(
    first: str, second: str, tmp_path: Path
) -> None:
    worker = Worker(tmp_path / "log")
    try:
        worker.load(installed(first))
        with pytest.raises(WorkerError, match="needs a worker of its own"):
            worker.load(installed(second))
    finally:
        worker.close()


@pytest.mark.parametrize("backend", KERAS)
def test_it_runs_only_if_it_is_named(backend: str) -> None:
    assert backend not in [info.name for info in select_backends([])]
