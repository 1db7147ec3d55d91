"""XLA really compiles Keras, once for a shape; what comes of it is right.

TensorFlow itself is never imported here, only in processes started from here.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnn_parity.adapter_tools.accuracy import FUNCTIONS
from rnn_parity.runs.registry import known_backends
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_core import Case
from rnn_parity_fixtures import catalogue
from support import assert_as_stated, installed, judged

XLA = "tensorflow:xla"
SLOW = pytest.mark.slow

# Runs a case under several seeds; asks what the program was compiled to, and the same
# of one that is a graph of TensorFlow's; then has the network do what XLA cannot.
WATCHED = """
import json, sys
import tensorflow as tf
from msgspec.structs import replace
from rnn_parity_backends.on_tensorflow import adapter_xla, programs
from rnn_parity_backends.with_keras import networks
from rnn_parity_fixtures import catalogue
from rnn_parity.runs.registry import known_backends

problems = [catalogue.build(catalogue.case_from_id(name)) for name in sys.argv[1:]]
backend = adapter_xla.XlaBackend(**known_backends()["tensorflow:xla"].options)
for problem in problems:
    backend.run(problem)
built = programs._built.cache_info().misses
case = replace(problem.case, seed=None)
compiled = programs.program(case, adapter_xla.compiled)
traces = compiled.function.experimental_get_tracing_count()

def as_graph(function):
    return tf.function(function, autograph=False)

def intermediate(program):
    asked = program.function.experimental_get_compiler_ir
    try:
        made = asked(programs.tensors_of(problem))
        return made(stage="hlo", device_name="/device:CPU:0")
    except ValueError as error:
        return str(error)

def through_text(self, problem):
    outcome = inner(self, problem)
    text = tf.strings.as_string(tf.reduce_sum(outcome["outputs"]))
    nothing = 0 * tf.strings.to_number(text, case.dtype)
    return outcome | {"outputs": outcome["outputs"] + nothing}

said = {"built": built, "traces": traces, "compiled": intermediate(compiled)}
said["graph"] = intermediate(programs.Program(case, as_graph))
inner, networks.Network.__call__ = networks.Network.__call__, through_text
programs.Program(case, as_graph).run(problem)
programs._built.cache_clear()
try:
    backend.run(problem)
    said["text"] = "computed"
except tf.errors.InvalidArgumentError as error:
    said["text"] = str(error)
print(json.dumps(said))
"""


def watched(form: str) -> dict[str, Any]:
    """Watch a case being compiled under three seeds."""
    cases = [f"lstm-{form}-s{seed}" for seed in (1, 2, 3)]
    answer = subprocess.run(
        [sys.executable, "-c", WATCHED, *cases], check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "form",
    [
        "dynamic-B3-T7-D4-H5-adam-f64",
        "dynamic-B3-T7-D4-H5-f32",
        "static-B3-T4-D6-H5-gradient-f32",
    ],
)
def test_a_case_is_one_program_compiled_once_for_all_seeds_and_never_falls_back(
    form: str,
) -> None:
    installed(XLA)
    seen = watched(form)
    assert (seen["built"], seen["traces"]) == (1, 1)
    assert seen["compiled"].startswith("HloModule")
    assert "jit_compile=True" in seen["graph"]
    assert "unsupported operations" in seen["text"]


def plain(cell: str, form: str) -> Case:
    """Give a case by its variant and what follows the sizes."""
    variant, _, rest = form.partition(" ")
    size = "B3-T4-D6-H5" + ("-P2" if cell == "lstm_projection" else "")
    size += "-V7" if variant == "variable_output" else ""
    return catalogue.case_from_id(f"{cell}-{variant}-{size}{rest}-s1")


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("rnn_tanh", "dynamic -timemajor-f32"),
        ("rnn_relu", "variable_input -reverse-f32"),
        ("lstm", "dynamic -f32"),
        ("lstm", "variable_input -gradient-f64"),
        ("lstm", "variable_output -f32"),
        ("lstm_peephole", "basic -f32"),
        ("lstm_projection", "basic -f64"),
        ("gru", "static -f32"),
        ("gru", "dynamic -adam-f32"),
        ("gru_reset_before", "static_single -bidirectional-f64"),
        ("rnn_tanh", "dynamic -f16"),
        ("gru", "dynamic -bf16"),
        pytest.param("lstm", "variable_input -L2-bidirectional-adam-f64", marks=SLOW),
        pytest.param("gru", "variable_input -zerolength-gradient-f32", marks=SLOW),
        pytest.param("gru_reset_before", "dynamic -nobias-sgd-f64", marks=SLOW),
        pytest.param("lstm_projection", "basic -L2-gradient-f64", marks=SLOW),
        pytest.param("lstm_peephole", "basic -bidirectional-adam-f64", marks=SLOW),
    ],
)
def test_what_is_compiled_is_right(
    cell: str, form: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    info, worker = installed(XLA), workers(XLA)
    worker.load(info)
    result = judged(worker, info, plain(cell, form), RunFolder(tmp_path))
    assert result.verdict == "pass", result.detail


def test_what_keras_has_not_is_declined_and_declared(
    workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    info, worker = installed(XLA), workers(XLA)
    worker.load(info)
    case = plain("lstm_peephole", "dynamic -f32")
    assert judged(worker, info, case, RunFolder(tmp_path)).verdict == "gap"


def test_it_runs_only_if_it_is_named_and_says_how_it_does_what() -> None:
    info = known_backends()[XLA]
    assert info.on_request
    assert all(means.api.startswith("jit_compile: ") for means in info.implementations)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_functions_are_as_accurate_as_stated(
    dtype: str, function: str, workers: Callable[[str], Worker]
) -> None:
    info, worker = installed(XLA), workers(XLA)
    assert_as_stated(info, worker, function, dtype)
