"""OpenVINO's adapter: its layout, what it declines, what its default would compute.

OpenVINO is never imported here, only in processes started from here.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnn_parity.runs.registry import known_backends, select_backends, with_settings
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_backends.on_openvino import layout
from rnn_parity_fixtures import catalogue
from support import assert_layout_loses_nothing, installed, judged

NAME = "openvino"
OPERATORS = ("rnn_tanh", "rnn_relu", "lstm", "gru", "gru_reset_before")
START = """
import json
import numpy as np
from rnn_parity_backends.on_openvino import INFO, layout, models
from rnn_parity_backends.on_openvino.adapter import OpenVinoBackend
from rnn_parity_fixtures import catalogue
from rnn_parity.judge.certify import certify, reference
from rnn_parity_core import Unsupported

backend = OpenVinoBackend()

def built(case_id):
    return catalogue.build(catalogue.case_from_id(case_id))

def run(cell):
    problem = built(f"{cell}-dynamic-B3-T7-D4-H5-L2-bidirectional-f32-s1")
    outcome = backend.run(problem)
    return certify(problem, outcome, INFO.accuracy_for(problem.case)).bound_ratio
"""

PLANTED = """
found = {cell: run(cell) for cell in models.OPERATORS}
orders = dict(layout._ORDERS)
for gates in list(orders):
    layout._ORDERS[gates] = gates
found |= {f"gates of {cell}": run(cell) for cell in ("lstm", "gru", "gru_reset_before")}
layout._ORDERS.update(orders)
told, whole = models.OPERATORS, layout.to_native

def three_biases(cell, weights):
    kernel, recurrent, bias = whole(cell, weights)
    return kernel, recurrent, bias[: kernel.shape[0]]

layout.to_native = three_biases
gru, told["gru"] = told["gru"], told["gru_reset_before"]
found["reset of gru"] = run("gru")
layout.to_native = whole
told["gru"] = gru
models.FUNCTIONS["tanh"] = "relu"
found["activation of rnn_tanh"] = run("rnn_tanh")
print(json.dumps(found))
"""

ASKED = """
said = []
for case_id in (
    "gru-variable_input-B3-T7-D4-H5-zerolength-f32-s1",
    "gru-dynamic-B3-T7-D4-H5-f64-s1",
):
    try:
        said.append(str(backend.run(built(case_id))))
    except Unsupported as answer:
        said.append(str(answer))
problem = built("gru-variable_input-B3-T7-D4-H5-zerolength-f32-s1")
right = {n: a.astype("float32") for n, a in reference(problem).items()}
made = backend._computed(problem)
said.append(bool(made["outputs"][problem["lengths"] == 0].any()))
backend._computed = lambda problem: right
said.append(backend.run(problem) is right)
try:
    OpenVinoBackend(precision="f8")
except ValueError as error:
    said.append(str(error))
print(json.dumps(said))
"""

DOUBLE = """
class Able:
    def __init__(self, core):
        self.compile_model = core.compile_model
    def get_property(self, *_):
        return ["FP64"]
backend._core = Able(backend._core)
problem = built("rnn_relu-dynamic-B3-T7-D4-H5-f64-s1")
outcome = backend.run(problem)
print(json.dumps([
    str(outcome["outputs"].dtype),
    certify(problem, outcome, INFO.accuracy_for(problem.case)).bound_ratio,
]))
"""


def said_by(script: str) -> Any:
    """Run a script in a process of its own; it says JSON."""
    installed(NAME)
    command = [sys.executable, "-c", START + script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("cell", OPERATORS)
def test_weights_survive_the_layout_to_the_last_bit(cell: str) -> None:
    form = "dynamic-B3-T7-D4-H5-bidirectional-f32-s1"
    assert_layout_loses_nothing(layout, f"{cell}-{form}")


def test_a_layout_has_no_place_for_a_projection() -> None:
    case = catalogue.case_from_id("lstm_projection-dynamic-B3-T7-D4-H5-P2-f32-s1")
    weights = catalogue.build(case).weights(0, "forward")
    with pytest.raises(ValueError, match="no place for \\['projection'\\]"):
        layout.to_native("lstm_projection", weights)


def test_each_order_of_gates_each_reset_and_each_activation_is_needed() -> None:
    found = said_by(PLANTED)
    healthy = {name: found.pop(name) for name in OPERATORS}
    assert max(healthy.values()) < 1
    assert len(found) == 5
    assert min(found.values()) > 1e3


def test_what_is_declined_is_declined_for_what_openvino_does() -> None:
    empty, double, outputs_past_the_end, taken_if_right, precision = said_by(ASKED)
    assert empty == (
        "a row of length 0 does not end in its initial_h: it is 0, not "
        + empty.rpartition(" ")[2]
    )
    assert double.startswith("OpenVINO computes float64 in ")
    assert not outputs_past_the_end
    assert taken_if_right
    assert precision.startswith("precision is 'f8', expected ('f32', ")


def test_what_openvino_calls_float64_is_float32() -> None:
    dtype, bound_ratio = said_by(DOUBLE)
    assert dtype == "float64"
    assert bound_ratio > 1e4


def test_the_default_precision_is_called_out_and_named(
    workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    installed(NAME)
    case = catalogue.case_from_id("rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1")
    found = {}
    for name in (NAME, f"{NAME}+precision=bf16", f"{NAME}+precision=f16"):
        info, worker = with_settings(known_backends(), name), workers(name)
        worker.load(info)
        found[name] = judged(worker, info, case, RunFolder(tmp_path))
    usual, *lower = found.values()
    assert usual.verdict == "pass", usual.detail
    # Where a processor has the one and not the other, that is what f16 gives.
    for result, words in zip(lower, ("bfloat16", "b?float16"), strict=True):
        assert result.verdict == "fail"
        assert re.search(f"matches if: {words} inside", result.detail)


def test_it_runs_only_if_it_is_named() -> None:
    assert NAME not in [info.name for info in select_backends([])]
