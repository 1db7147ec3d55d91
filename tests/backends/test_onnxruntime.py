"""ONNX Runtime's adapter: ONNX's layout, models that ONNX accepts, what it declines.

Neither is ever imported here, only in processes started from here.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from rnn_parity.adapter_tools.accuracy import FUNCTIONS
from rnn_parity.workers.process import Worker
from rnn_parity_backends.on_onnxruntime import INFO, layout
from rnn_parity_core import CELLS
from rnn_parity_fixtures import catalogue
from support import assert_as_stated, assert_layout_loses_nothing, installed

NAME = "onnxruntime"
OPERATORS = [cell for cell in CELLS.in_suites if cell != "lstm_projection"]

# What processes start with: `bound_ratio` of a problem's outcome.
START = """
import json, sys
import numpy as np
from rnn_parity_backends.on_onnxruntime import INFO, layout, models, operators
from rnn_parity_backends.on_onnxruntime.adapter import OnnxRuntimeBackend
from rnn_parity_fixtures import catalogue
from rnn_parity.judge.certify import certify
from rnn_parity_core import Case, Problem

backend = OnnxRuntimeBackend()

def built(case_id):
    return catalogue.build(catalogue.case_from_id(case_id))

def bound_ratio(problem, outcome):
    return certify(problem, outcome, INFO.accuracy_for(problem.case)).bound_ratio

def run(cell):
    problem = built(f"{cell}-dynamic-B3-T7-D4-H5-L2-bidirectional-f32-s1")
    return bound_ratio(problem, backend.run(problem))
"""

PLANTED = """
found = {cell: run(cell) for cell in layout.OPERATORS}
orders = dict(layout._ORDERS)
layout._ORDERS[tuple("ifgo")] = tuple("ifgo")
layout._ORDERS[tuple("rzn")] = tuple("rzn")
cells = ("lstm", "lstm_peephole", "gru", "gru_reset_before")
found |= {f"gates of {cell}": run(cell) for cell in cells}
layout._ORDERS.update(orders)
layout._THEIR_PEEPHOLES = layout._PEEPHOLES
found["peepholes"] = run("lstm_peephole")
told = layout.OPERATORS
told["gru"], told["gru_reset_before"] = told["gru_reset_before"], told["gru"]
found |= {f"reset of {cell}": run(cell) for cell in ("gru", "gru_reset_before")}
print(json.dumps(found))
"""

CHECKED = """
import onnx
count = 0
for case in catalogue.suites()["standard"]:
    if not INFO.gap(case):
        onnx.checker.check_model(models.build(catalogue.build(case)), full_check=True)
        count += 1
print(json.dumps(count))
"""

# n is tanh(64 r): from -18 on r should be next to nothing, and 64 times it is seen.
RESET_GATE = """
case = catalogue.case_from_id("gru-dynamic-B100000-T1-D1-H1-f32-s1")
arrays = {n: np.zeros(s, "float32") for n, s in case.input_shapes().items()}
x = np.random.default_rng(1).uniform(-40, -18, case.batch).astype("float32")
arrays["inputs"][:, 0, 0] = x
arrays["layer0.forward.kernel"][0] = 1, 0, 0
arrays["layer0.forward.bias"][:] = 0, -40, 0
arrays["layer0.forward.recurrent_bias"][:] = 64
n = backend.run(Problem(case, arrays))["outputs"].ravel().astype(float)
off = np.abs(np.arctanh(n) / 64 - 1 / (1 + np.exp(-x.astype(float))))
print(json.dumps([off.max(), INFO.accuracy_for(case).functions["sigmoid"].absolute]))
"""

EMPTY_ROWS = """
from rnn_parity_core import Unsupported
from rnn_parity.judge.certify import reference
problem = built("gru-variable_input-B3-T7-D4-H5-zerolength-f32-s1")
made = backend._computed(problem)
past_the_end = bool(made["outputs"][problem["lengths"] == 0].any())
try:
    backend.run(problem)
    said = "nothing"
except Unsupported as answer:
    said = str(answer)
right = {n: a.astype("float32") for n, a in reference(problem).items()}
backend._computed = lambda problem: right
print(json.dumps([said, past_the_end, backend.run(problem) is right]))
"""

# ONNX's own cases, their weights made ours, their answers put over those of ours.
FROM_ONNX = """
import warnings
from onnx.backend.test.case.node import collect_testcases
from onnx.helper import get_attribute_value
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    cases = {c.name: c for c in collect_testcases(None)}

def asked(model_case):
    node = model_case.model.graph.node[0]
    told = {a.name: get_attribute_value(a) for a in node.attribute}
    inputs, answers = model_case.data_sets[0]
    given = dict(zip([n for n in node.input if n], inputs, strict=True))
    wanted = dict(zip([n for n in node.output if n], answers, strict=True))
    if told.get("layout"):
        given["X"] = given["X"].swapaxes(0, 1)
        wanted = {
            n: a.transpose(1, 2, 0, 3) if n == "Y" else a.swapaxes(0, 1)
            for n, a in wanted.items()
        }
    cell = {"RNN": "rnn_tanh", "LSTM": "lstm", "GRU": "gru_reset_before"}[node.op_type]
    cell = "gru" if told.get("linear_before_reset") else cell
    return "lstm_peephole" if "P" in given else cell, told, given, wanted

def problem_of(cell, told, given):
    steps, batch, features = given["X"].shape
    case = Case(
        cell=cell, variant="dynamic", batch=batch, steps=steps, features=features,
        units=told["hidden_size"], dtype="float32", seed=0, bias="B" in given,
        direction=told.get("direction", b"forward").decode(),
    )
    arrays = {n: np.zeros(s, "float32") for n, s in case.input_shapes().items()}
    arrays["inputs"] = np.ascontiguousarray(given["X"].swapaxes(0, 1))
    for number, way in enumerate(case.directions):
        native = {n: given[n][number] for n in "WRBP" if n in given}
        for name, array in layout.to_canonical(cell, native).items():
            arrays[f"layer0.{way}.{name}"] = array
    return Problem(case, arrays)

def answered(problem, wanted):
    case, outcome = problem.case, dict(backend.run(problem))
    outputs = outcome["outputs"].copy()
    for number, way in enumerate(case.directions):
        at = 0 if way == "reverse" else -1
        units = slice(number * case.units, (number + 1) * case.units)
        outputs[:, at, units] = wanted["Y_h"][number]
    if "Y" in wanted:
        outputs = wanted["Y"].transpose(2, 0, 1, 3).reshape(outputs.shape)
    finals = {f"final_{n[-1]}": a for n, a in wanted.items() if n != "Y"}
    return {**outcome, "outputs": outputs, **finals}

def judged():
    found = {}
    for name, model_case in cases.items():
        if model_case.model.graph.node[0].op_type not in ("RNN", "LSTM", "GRU"):
            continue
        cell, told, given, wanted = asked(model_case)
        if told.keys() <= {"hidden_size", "direction", "layout", "linear_before_reset"}:
            problem = problem_of(cell, told, given)
            found[name] = bound_ratio(problem, answered(problem, wanted))
    return found

right = judged()
orders = dict(layout._ORDERS)
layout._ORDERS[tuple("rzn")] = tuple("rzn")
moved = judged()
print(json.dumps([right, moved]))
"""


def said_by(script: str) -> Any:
    """Run a script in a process of its own; it says JSON."""
    installed(NAME)
    command = [sys.executable, "-c", START + script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("cell", OPERATORS)
@pytest.mark.parametrize("nobias", ["", "-nobias"])
def test_weights_survive_onnx_layout_to_the_last_bit(cell: str, nobias: str) -> None:
    form = f"dynamic-B3-T7-D4-H5-bidirectional{nobias}-f32-s1"
    assert_layout_loses_nothing(layout, f"{cell}-{form}")


def test_a_layout_has_no_place_for_a_projection() -> None:
    case = catalogue.case_from_id("lstm_projection-dynamic-B3-T7-D4-H5-P2-f32-s1")
    weights = catalogue.build(case).weights(0, "forward")
    with pytest.raises(ValueError, match="no place for \\['projection'\\]"):
        layout.to_native("lstm_projection", weights)


def test_each_order_of_gates_and_peepholes_and_each_reset_is_needed() -> None:
    found = said_by(PLANTED)
    healthy = {name: found.pop(name) for name in OPERATORS}
    assert max(healthy.values()) < 1
    assert len(found) == 7
    assert min(found.values()) > 1e3


def test_the_reset_gate_is_off_by_more_than_others_and_by_no_more_than_stated() -> None:
    off, stated = said_by(RESET_GATE)
    assert 2e-7 < off < stated


def test_onnx_accepts_the_model_of_every_case() -> None:
    standard = catalogue.suites()["standard"]
    count = sum(not INFO.gap(case) for case in standard)
    assert count > 200
    assert said_by(CHECKED) == count


def test_rows_of_length_0_are_declined_for_what_they_end_in_alone() -> None:
    said, outputs_past_the_end, taken_if_right = said_by(EMPTY_ROWS)
    assert said.startswith("a row of length 0 does not end in its initial_h: Y_h is 0,")
    assert not outputs_past_the_end
    assert taken_if_right


def test_onnx_own_answers_are_certified_and_tell_gates_apart() -> None:
    right, moved = said_by(FROM_ONNX)
    assert max(right.values()) < 1, right
    assert len(right) == 18  # all there are: 6 of each operator
    # Most have constant weights, in which any order is right.
    assert [name for name in moved if moved[name] > 1] == ["test_gru_seq_length"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_are_as_accurate_as_stated(
    dtype: str, function: str, workers: Callable[[str], Worker]
) -> None:
    assert_as_stated(installed(NAME), workers(NAME), function, dtype)
