"""Settings that a backend's name chooses are in force in TensorFlow, and reported.

TensorFlow itself is never imported here, only in processes started from here.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from rnn_parity.runs.registry import known_backends, with_settings
from rnn_parity.store.folder import RunFolder
from rnn_parity_core import BackendInfo, UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Report
from support import installed

CASE = "lstm-dynamic-B2-T2-D3-H4-f32-s1"

# Runs a case, and says what TensorFlow itself has of its settings then.
ASKED = """
import json, sys
from importlib import import_module
import msgspec
from rnn_parity_fixtures import catalogue
from rnn_parity_core import BackendInfo

info = msgspec.json.decode(sys.argv[1], type=BackendInfo)
module, _, made = info.adapter.partition(":")
backend = getattr(import_module(module), made)(**info.options)
before = backend.settings()
backend.run(catalogue.build(catalogue.case_from_id(sys.argv[2])))

import tensorflow as tf
from tensorflow.python.eager import context

config = context.context().config
try:
    tf.random.normal([])
    unseeded = "drawn"
except RuntimeError as error:
    unseeded = str(error)
print(json.dumps({
    "before": before,
    "reported": backend.settings(),
    "threads": [
        config.intra_op_parallelism_threads, config.inter_op_parallelism_threads
    ],
    "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
    "unseeded": unseeded,
}))
"""

# An adapter cannot have threads of its own in a process that has others.
TOO_LATE = """
from rnn_parity_backends.on_tensorflow.adapter import KerasBackend
from rnn_parity_backends.on_tensorflow.programs import tf
tf.constant(0.0) + 1
KerasBackend(tf32=False, deterministic=True, threads=1)
"""


# Computes cases of one shape under `tf.function`, and counts programs and traces.
TRACED = """
import sys
from rnn_parity_backends.on_tensorflow import adapter, programs
from rnn_parity_fixtures import catalogue
from rnn_parity.runs.registry import known_backends, with_settings

info = with_settings(known_backends(), "tensorflow+function=on")
backend = adapter.KerasBackend(**info.options)
for name in sys.argv[1:]:
    problem = catalogue.build(catalogue.case_from_id(name))
    backend.run(problem)
made = programs.program(problem.case, programs.in_a_graph)
print(programs._built.cache_info().misses, end=" ")
print(made.function.experimental_get_tracing_count(), backend.settings()["function"])
"""


def asked(info: BackendInfo) -> dict[str, Any]:
    """Ask a process of its own what is in force while a backend computes."""
    encoded = msgspec.json.encode(info).decode()
    answer = subprocess.run(
        [sys.executable, "-c", ASKED, encoded, CASE], check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    assert found.pop("before") == found["reported"]
    return found


@pytest.mark.parametrize(
    "name",
    [
        "tensorflow",
        pytest.param("tensorflow:v1", marks=pytest.mark.slow),
        pytest.param("tensorflow:xla", marks=pytest.mark.slow),
    ],
)
def test_settings_in_a_name_are_in_force(name: str) -> None:
    installed(name)
    chosen = f"{name}+tf32=on+deterministic=off+threads=3"
    found = asked(with_settings(known_backends(), chosen))
    assert found["threads"] == [3, 3]
    assert found["tf32"] is True
    assert found["unseeded"] == "drawn"
    reported = found["reported"]
    assert (reported["intra_op_threads"], reported["inter_op_threads"]) == (3, 3)
    assert (reported["tf32"], reported["deterministic"]) == (True, False)


def test_what_is_usual_is_in_force_if_nothing_is_chosen() -> None:
    found = asked(installed("tensorflow"))
    assert found["threads"] == [0, 0]
    assert found["tf32"] is False
    assert "when determinism is enabled" in found["unseeded"]
    reported = found["reported"]
    assert (reported["intra_op_threads"], reported["inter_op_threads"]) == (0, 0)
    assert (reported["tf32"], reported["deterministic"]) == (False, True)


@pytest.mark.parametrize("task", ["", "-adam"])
def test_a_function_is_traced_once_for_all_seeds(task: str) -> None:
    installed("tensorflow")
    cases = [f"gru-dynamic-B3-T7-D4-H5{task}-f32-s{seed}" for seed in (1, 2, 3)]
    answer = subprocess.run(
        [sys.executable, "-c", TRACED, *cases], check=True, capture_output=True
    )
    assert answer.stdout.split() == [b"1", b"1", b"True"]


@pytest.mark.parametrize(
    "case",
    [
        "rnn_tanh-basic-B3-T4-D6-H5-f32-s1",
        "lstm-static-B3-T4-D6-H5-f32-s1",
        "gru-static_single-B3-T4-D6-H5-f64-s1",
        "gru-variable_input-B3-T4-D6-H5-L2-bidirectional-gradient-f32-s1",
        "lstm-variable_output-B3-T4-D6-H5-V7-f32-s1",
        "lstm-dynamic-B3-T4-D6-H5-adam-f64-s1",
    ],
)
def test_what_is_traced_is_right(
    case: str, run: Callable[..., tuple[Report, RunFolder]]
) -> None:
    installed("tensorflow")
    info = with_settings(known_backends(), "tensorflow+function=on")
    report, _ = run([catalogue.case_from_id(case)], [info])
    assert [r.verdict for r in report.results] == ["pass"], report.results[0].detail


def test_threads_that_come_too_late_are_an_error() -> None:
    installed("tensorflow")
    answer = subprocess.run(
        [sys.executable, "-c", TOO_LATE], check=False, capture_output=True, text=True
    )
    assert answer.returncode == 1
    assert "cannot be modified after initialization" in answer.stderr


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow:v1", "tensorflow:xla"])
def test_every_option_may_be_chosen_and_no_other(name: str) -> None:
    info = known_backends()[name]
    known = {"tf32", "deterministic", "threads"}
    known |= {"function"} if name == "tensorflow" else set()
    assert {*info.settings} == {*info.options} == known
    with pytest.raises(UsageError, match="device"):
        with_settings(known_backends(), f"{name}+device=gpu")
