"""Settings that a backend's name chooses are in force in TensorFlow, and reported.

TensorFlow itself is never imported here, only in processes started from here.
"""

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from harness.backend import BackendInfo
from harness.errors import UsageError
from harness.run.registry import known_backends, with_settings
from support import installed

CASE = "lstm-dynamic-B2-T2-D3-H4-f32-s1"

# Runs a case, and says what TensorFlow itself has of its settings then.
ASKED = """
import json, sys
from importlib import import_module
import msgspec
from fixtures import catalogue
from harness.backend import BackendInfo

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
from backends.on_tensorflow.adapter import KerasBackend
from backends.on_tensorflow.programs import tf
tf.constant(0.0) + 1
KerasBackend(tf32=False, deterministic=True, threads=1)
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
    assert {*info.settings} == {*info.options} == {"tf32", "deterministic", "threads"}
    with pytest.raises(UsageError, match="device"):
        with_settings(known_backends(), f"{name}+device=gpu")
