"""Reports and runs of version 1 are read, by today's names."""

import json
from pathlib import Path

import pytest

from by_hand_reports import passing
from rnn_parity_core import FileError
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


def test_a_run_of_version_1_has_its_backends_implementations() -> None:
    old = {"schema": "rnn-parity.run/1", "infos": [{"name": "a", "means": []}]}
    assert upgraded(old) == {
        "schema": "rnn-parity.run/2",
        "infos": [{"name": "a", "implementations": []}],
    }


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
