"""Reports and runs of version 1 are read, by today's names."""

import json
from pathlib import Path

import pytest
from msgspec import ValidationError, convert

from by_hand_reports import passing
from rnn_parity_core import (
    Arithmetic,
    BackendInfo,
    Error,
    FileError,
    Gap,
    Implementation,
)
from rnn_parity_reports.results import encode, read_report_document
from rnn_parity_reports.version_1 import upgraded
from support import report_of

RESULT = {
    "case": "c",
    "backend": "numpy",
    "verdict": "pass",
    "headroom": 0.25,
    "peers": {"onnx": True},
    "weak": ["no biases"],
    "smallest_changes": {"bias": 0.5},
}
FIGURES = {
    **dict.fromkeys(("max_abs", "max_rel", "max_ulp", "rms", "worst_at")),
    **dict.fromkeys(("mismatched", "nonfinite", "total"), 0),
}
PAIR = {"case": "c", "first": "a", "second": "b", "headroom": 2.0, "outputs": FIGURES}


def document() -> dict[str, object]:
    """Give a report as version 1 had it."""
    now = json.loads(encode(report_of(passing("c", "numpy"))))
    del now["outliers"]
    old = {"results": [RESULT], "pairs": [PAIR], "odd_one_out": {"c": "numpy"}}
    return {**now, **old, "schema": "rnn-parity.report/1"}


def test_a_report_of_version_1_is_read_by_todays_names(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(document()), encoding="utf-8")
    report = read_report_document(tmp_path)
    (result,), (pair,) = report.results, report.pairs
    assert report.schema == "rnn-parity.report/2"
    assert (result.bound_ratio, result.fixed_tolerances) == (0.25, {"onnx": True})
    assert (result.not_shown, result.sensitivity) == (["no biases"], {"bias": 0.5})
    assert pair.bound_ratio == 2.0
    assert report.outliers == {"c": "numpy"}


INFO = {
    "name": "a",
    "adapter": "a:A",
    "requires": {},
    "install": "",
    "means": [{"api": "loops", "variants": ["dynamic"], "cells": ["lstm"]}],
    "elementwise_ulp": {"tanh": {"float32": 2.0, "float64": 1.0}},
    "elementwise_near": {"tanh": {"float32": [[1.0, 1.5]]}},
    "elementwise_absolute": {"tanh": {"float64": 1e-9}},
    "accumulators": {"bfloat16": "float32"},
    "recomputes": False,
    "gaps": [
        {"kind": "never", "reason": "no GRU", "cells": ["gru"], "zero_length": False},
        {"kind": "never", "reason": "no biases", "with_biases": True},
    ],
}


def test_a_run_of_version_1_has_what_its_backends_declared() -> None:
    document = upgraded({"schema": "rnn-parity.run/1", "infos": [INFO]})
    assert document["schema"] == "rnn-parity.run/2"
    (info,) = convert(document["infos"], list[BackendInfo])
    assert info.implementations == (Implementation("loops", ("dynamic",), ("lstm",)),)
    assert info.accuracy == {
        "float32": {"tanh": Error(2.0, near=((1.0, 1.5),))},
        "float64": {"tanh": Error(1.0, absolute=1e-9)},
    }
    assert info.arithmetic == Arithmetic({"bfloat16": "float32"}, recomputes=False)
    gaps = Gap("never", "no GRU", ("gru",)), Gap("never", "no biases", biases=True)
    assert (info.gaps, info.otherwise) == (gaps, gaps)


@pytest.mark.parametrize(
    "changes",
    [
        {"elementwise_near": {"sigmoid": {"float32": [[1.0, 1.5]]}}},
        {"elementwise_ulp": 7},
        {"elementwise_ulp": {"tanh": 7}},
        {"gaps": 7},
        {"gaps": [7]},
        {"means": None},
    ],
    ids=str,
)
def test_a_run_of_version_1_whose_backends_are_unsound_is_refused(
    changes: dict[str, object],
) -> None:
    old = {"schema": "rnn-parity.run/1", "infos": [INFO | changes]}
    with pytest.raises((ValidationError, ValueError)):
        convert(upgraded(old)["infos"], list[BackendInfo])


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "rnn-parity.report/3"},
        {"results": 7},
        {"results": [{**RESULT, "bound_ratio": 1.0}]},
        {"results": [7]},
        {"peers": {}},
    ],
    ids=str,
)
def test_what_is_neither_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(document() | changes), encoding="utf-8")
    with pytest.raises(FileError, match="is not a whole report of rnn-parity"):
        read_report_document(path)


@pytest.mark.parametrize("whole", [7, None, [], {}, {"schema": 1}])
def test_what_is_no_document_stays_what_it_is(whole: object) -> None:
    assert upgraded(whole) == whole
