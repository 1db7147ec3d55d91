"""TensorFlow's optimisers train as the contract has it; what is translated is needed.

TensorFlow itself is never imported here, only in processes started from here.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity.judge.certify import certify
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_core import Problem
from rnn_parity_core.arrays import unpack
from rnn_parity_fixtures import catalogue
from support import installed, judged

CASES = {
    "tensorflow": (
        "gru-variable_input-B3-T7-D4-H5-L2-bidirectional-sgd-f64-s1",
        "gru-dynamic-B3-T7-D4-H5-adam-f32-s1",
        "gru-static-B3-T4-D2-H2-sgd-f64-s1",  # kernels of the biases' shape
        # A bias comes to zero, and half of it does not.
        "gru-dynamic-B1-T1-D2-H7-G0.5-bidirectional-sgd-f64-s1201810000",
        "gru_reset_before-static-B3-T4-D6-H5-adam-f64-s1",
        "lstm-static_single-B3-T4-D6-H5-nobias-adam-f64-s1",
        "lstm_peephole-basic-B3-T4-D6-H5-sgd-f32-s1",
        "rnn_tanh-dynamic-B3-T7-D4-H5-timemajor-adam-f32-s1",
    ),
    "tensorflow:v1": (
        "lstm-dynamic-B3-T7-D4-H5-nobias-adam-f64-s1",
        "lstm_peephole-static_single-B3-T4-D6-H5-adam-f32-s1",
        "lstm_projection-variable_input-B3-T7-D4-H5-P2-L2-bidirectional-sgd-f64-s1",
        "gru_reset_before-static-B3-T4-D6-H5-nobias-sgd-f32-s1",
        "rnn_relu-basic-B3-T4-D6-H5-adam-f64-s1",
        "rnn_tanh-dynamic-B3-T7-D4-H5-timemajor-adam-f32-s1",
    ),
}

# Runs each case as the adapter does it, and once more after each change to it; a change
# may look at `inner`, what it replaces.
CHANGED = """
import json, sys
from importlib import import_module
from pathlib import Path
from rnn_parity_fixtures import catalogue
from rnn_parity_core.arrays import pack
from rnn_parity.runs.registry import known_backends
from rnn_parity_core import ADAM_EPSILON

folder, name, cases = sys.argv[1:]
info = known_backends()[name]
module, _, made = info.adapter.partition(":")
module = import_module(module)
backend = getattr(module, made)(**info.options)

def run(case_id, number, change):
    # What is kept between runs can only be changed where it is kept.
    if name == "tensorflow:v1" and not change.startswith("adapter_v1._Program"):
        module._program.cache_clear()
    outcome = backend.run(catalogue.build(catalogue.case_from_id(case_id)))
    Path(folder, f"{case_id} {number}").write_bytes(pack(outcome, {"case": case_id}))

def run_changed(case_id, number, change):
    where, _, new = change.partition(" = ")
    path, _, attribute = where.rpartition(".")
    first, *others = path.split(".")
    package = "with_keras" if first == "training" else "on_tensorflow"
    owner = import_module(f"rnn_parity_backends.{package}.{first}")
    for part in others:
        owner = getattr(owner, part)
    inner = getattr(owner, attribute)
    setattr(owner, attribute, eval(new, dict(globals(), inner=inner)))
    run(case_id, number, change)
    setattr(owner, attribute, inner)

for case_id, changes in json.loads(cases).items():
    run(case_id, 0, "")
    for number, change in enumerate(changes, 1):
        run_changed(case_id, number, change)
"""

ADAM = "rnn_tanh-dynamic-B3-T7-D4-H5-adam-f64-s1"
SGD = "rnn_tanh-dynamic-B3-T7-D4-H5-sgd-f64-s1"
EPSILON = "epsilon_hat = lambda number: ADAM_EPSILON"
PYTHON_S_BETAS = "lambda rate, first, second, eps: inner(rate, 0.9, 0.999, eps)"
PYTHON_S_RATE = "lambda rate, *others: inner(0.01, *others)"
BOTH_HALVES = "training.one_of_two = lambda case, gradients: gradients"
FROM_HALVES = (
    "training.Trainer.start = lambda self: "
    "[v.assign(0 * v) for v in self._optimizer.variables]"
)
KEPT_BY_V1 = (
    "adapter_v1._Program.run = lambda self, problem: [setattr(self, '_start', "
    "[v.initializer for v in self._ends.variables]), inner(self, problem)][1]"
)

# Backend → case → what undoes a translation, or keeps what an optimiser keeps.
UNDONE = {
    "tensorflow": {
        ADAM: (
            f"training.{EPSILON}",
            f"training.keras.optimizers.Adam = {PYTHON_S_BETAS}",
            f"training.keras.optimizers.Adam = {PYTHON_S_RATE}",
        ),
        SGD: ("training.keras.optimizers.SGD = lambda rate: inner(0.01)",),
        "gru-dynamic-B3-T7-D4-H5-sgd-f64-s1": (BOTH_HALVES,),
        "gru-dynamic-B3-T7-D4-H5-adam-f32-s1": (BOTH_HALVES, f"training.{EPSILON}"),
        "gru-dynamic-B1-T1-D2-H7-G0.5-bidirectional-sgd-f64-s1201810000": (
            FROM_HALVES,
        ),
    },
    "tensorflow:xla": {ADAM: ("training.Trainer.start = lambda self: None",)},
    "tensorflow:v1": {
        ADAM: (
            KEPT_BY_V1,
            f"adapter_v1.{EPSILON}",
            f"training_v1.v1.train.AdamOptimizer = {PYTHON_S_BETAS}",
            f"training_v1.v1.train.AdamOptimizer = {PYTHON_S_RATE}",
        ),
        SGD: (
            "training_v1.v1.train.GradientDescentOptimizer = lambda rate: inner(0.01)",
        ),
        "lstm-dynamic-B3-T7-D4-H5-nobias-sgd-f64-s1": (
            "training_v1._trained = lambda case, variables: variables",
        ),
        "lstm-dynamic-B1-T1-D1-H64-sgd-f32-s1": (
            "layout.forget_offset.__code__ = (lambda problem: 1.0).__code__",
        ),
        "lstm-dynamic-B3-T7-D4-H5-f32-s1": (
            "graphs.make_cell = lambda case, offset: inner(case, 0.0)",
        ),
    },
}


@pytest.mark.parametrize(
    ("backend", "case_id"), [(name, case) for name in CASES for case in CASES[name]]
)
def test_training_passes(
    backend: str, case_id: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    worker, info = workers(backend), installed(backend)
    worker.load(info)
    case = catalogue.case_from_id(case_id)
    result = judged(worker, info, case, RunFolder(tmp_path))
    assert result.verdict == "pass", result.detail


@pytest.mark.parametrize("backend", UNDONE)
def test_without_what_is_translated_or_begun_afresh_training_fails(
    backend: str, tmp_path: Path
) -> None:
    info, cases = installed(backend), UNDONE[backend]
    subprocess.run(
        [sys.executable, "-c", CHANGED, tmp_path, backend, json.dumps(cases)],
        check=True,
        capture_output=True,
    )
    for case_id, changes in cases.items():
        problem = catalogue.build(catalogue.case_from_id(case_id))
        for number, change in enumerate(("", *changes)):
            saved = (tmp_path / f"{case_id} {number}").read_bytes()
            outcome, _ = unpack(saved, backend)
            bound_ratio = certify(
                problem, outcome, info.accuracy_for(problem.case)
            ).bound_ratio
            assert (bound_ratio > 1) == (number > 0), (case_id, change, bound_ratio)


@pytest.mark.parametrize("backend", ["tensorflow", "tensorflow:v1", "tensorflow:xla"])
def test_every_problem_starts_with_a_fresh_optimiser(
    backend: str, workers: Callable[[str], Worker]
) -> None:
    worker, info = workers(backend), installed(backend)
    worker.load(info)

    def trained(problem: Problem) -> dict[str, bytes]:
        kind, data, _ = worker.run(backend, problem, 120)
        assert kind == "outcome", data
        found, _ = unpack(data, backend)
        return {name: array.tobytes() for name, array in found.items()}

    first, other = (
        catalogue.build(
            catalogue.case_from_id(f"lstm-static-B2-T2-D3-H4-adam-f64-s{n}")
        )
        for n in (1, 2)
    )
    alone = trained(first)
    assert trained(other) != alone
    assert trained(first) == alone
