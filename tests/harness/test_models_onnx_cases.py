"""ONNX's own cases of RNN, LSTM and GRU, as files, against ONNX's own answers.

A case gives weights as inputs; here they are put into its model, as exporters do.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnn_parity
from rnn_parity_reports.results import Result

pytest.importorskip("onnx", reason="onnx is not installed")

# Writes NAME.onnx, what goes into it and what comes out of it, for every case.
WRITE = """
import json, sys, warnings
import numpy as np
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.helper import get_attribute_value
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    cases = collect_testcases(None)

written = []
for case in cases:
    node = case.model.graph.node[0]
    if node.op_type not in ("RNN", "LSTM", "GRU"):
        continue
    inputs, answers = case.data_sets[0]
    given = dict(zip([n for n in node.input if n], inputs, strict=True))
    wanted = dict(zip([n for n in node.output if n], answers, strict=True))
    for name in given.keys() & set("WRBP"):
        case.model.graph.initializer.append(numpy_helper.from_array(given[name], name))
    rows_first = any(a.name == "layout" and a.i for a in node.attribute)
    x = given["X"] if rows_first else given["X"].swapaxes(0, 1)
    fed = {n: given[n] for n in given.keys() & {"initial_h", "initial_c"}}
    if "sequence_lens" in given:
        fed["lengths"] = given["sequence_lens"]
    expected = {}
    for name, array in wanted.items():
        if name == "Y":  # [T, d, B, H], or [B, T, d, H]
            array = array if rows_first else array.transpose(2, 0, 1, 3)
            expected["outputs"] = array.reshape(*array.shape[:2], -1)
        else:
            array = array.swapaxes(0, 1) if rows_first else array
            expected[f"final_{name[-1]}"] = array
    written.append(case.name)
    with open(f"{case.name}.onnx", "wb") as file:
        file.write(case.model.SerializeToString())
    np.savez(f"{case.name}.inputs.npz", inputs=x, **fed)
    np.savez(f"{case.name}.expected.npz", **expected)
print(json.dumps(written))
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("cases")
    done = subprocess.run(
        [sys.executable, "-c", WRITE], cwd=folder, check=True, capture_output=True
    )
    return [folder / f"{name}.onnx" for name in json.loads(done.stdout)]


def verified(model: Path) -> dict[str, Result]:
    report = rnn_parity.verify(
        model,
        inputs=model.with_suffix(".inputs.npz"),
        expected=model.with_suffix(".expected.npz"),
        backends=["numpy"],
    )
    return {result.backend: result for result in report.results}


def test_all_of_them_agree_with_what_onnx_expects(cases: list[Path]) -> None:
    found = {model.stem: verified(model) for model in cases}
    assert len(found) == 18
    verdicts = {name: of["expected"].verdict for name, of in found.items()}
    assert set(verdicts.values()) == {"pass"}, verdicts
    assert {of["numpy"].verdict for of in found.values()} == {"pass"}


def test_an_answer_that_is_off_in_one_place_is_not_one(cases: list[Path]) -> None:
    for model in cases:
        path = model.with_suffix(".expected.npz")
        right = dict(np.load(path))
        name = min(right)
        wrong = {**right, name: right[name].copy()}
        wrong[name].flat[-1] += 1e-4
        np.savez(path, **wrong)  # type: ignore[arg-type] - not of `allow_pickle`
        assert verified(model)["expected"].verdict == "fail", model.stem
        np.savez(path, **right)  # type: ignore[arg-type] - not of `allow_pickle`
