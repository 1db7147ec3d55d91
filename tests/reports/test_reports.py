"""A report follows its schema, comes back whole, and reads as a frame."""

import csv
import io
import json
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.store.folder import RunFolder
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import FileError, UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import plant
from rnn_parity_reports import read_report
from rnn_parity_reports.csv_rows import to_csv
from rnn_parity_reports.results import (
    BackendRecord,
    Report,
    Result,
    encode,
    read_report_document,
)
from rnn_parity_reports.rows import COLUMNS
from rnn_parity_reports.schema import SCHEMA_FILE, json_schema


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Give a judged run with everything in it: each verdict, a NaN, an outlier."""
    names = ("nan in outputs", "bias dropped", "declines", "raises", "output missing")
    infos = [INFO, replace(INFO, name="twin"), *(plant(INFO, name) for name in names)]
    infos.append(replace(INFO, name="gone", requires={"nonesuch_": "nonesuch"}))
    out = tmp_path_factory.mktemp("faulty") / "run"
    cases = catalogue.select(["standard"], ["dynamic"], ["float32"])[:2]
    folder = compute(cases, infos, out, jobs=2, timeout=60)
    report = judge_and_write(folder)
    assert report.summary.expected == 2 * 8
    assert {r.verdict for r in report.results} == {"pass", "fail", "error", "absent"}
    return folder


def test_the_shipped_schema_is_that_of_the_results_model() -> None:
    assert SCHEMA_FILE.read_bytes() == json_schema()
    jsonschema.Draft202012Validator.check_schema(json.loads(json_schema()))


def test_a_report_of_every_verdict_follows_the_schema_and_strangers_do_not(
    faulty: RunFolder,
) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_bytes()))
    document = json.loads((faulty.path / "report.json").read_bytes())
    validator.validate(document)
    for change in (
        {"schema": "rnn-parity.report/3"},
        {"extra": 1},
        {"results": [{"case": "c", "backend": "b", "verdict": "perhaps"}]},
        {
            "results": [
                {"case": "c", "backend": "b", "verdict": "pass", "bound_ratio": -1}
            ]
        },
    ):
        assert not validator.is_valid(document | change)


def test_numbers_in_a_report_are_finite_even_where_outcomes_are_not(
    faulty: RunFolder,
) -> None:
    def refuse(word: str) -> None:
        pytest.fail(f"report.json holds {word}")

    data = (faulty.path / "report.json").read_bytes()
    document = json.loads(data, parse_constant=refuse)
    broken = [r for r in document["results"] if "nan in" in r["backend"]]
    assert [r["figures"]["outputs"]["nonfinite"] for r in broken] == [1, 1]
    assert [r["bound_ratio"] for r in broken] == [None, None]


def test_a_report_comes_back_as_it_was_written(
    faulty: RunFolder, tmp_path: Path
) -> None:
    report = read_report_document(faulty.path)
    words = "<b> | `x`\n\0\x1b\u2028"
    strange = replace(
        report,
        results=[Result(words, words, "fail", detail=words, not_shown=[words])],
        backends={words: BackendRecord(settings={"a": None, "b": 1.5, "c": True})},
        outliers={words: words},
    )
    for document in (report, strange):
        (tmp_path / "report.json").write_bytes(encode(document))
        assert read_report_document(tmp_path) == document
        assert read_report_document(tmp_path / "report.json") == document


def test_the_frame_and_the_csv_have_one_row_for_each_case_and_backend(
    faulty: RunFolder,
) -> None:
    report = read_report_document(faulty.path)
    frame = read_report(str(faulty.path / "report.json"))
    columns = list(COLUMNS)
    assert list(frame.columns) == columns
    assert {"outputs.max_ulp", "final_h.rms", "first_bad.step", "detail"} < {*columns}
    keys = [(result.case, result.backend) for result in report.results]
    assert list(zip(frame["case"], frame["backend"], strict=True)) == keys
    assert len({*keys}) == 16
    table = list(csv.DictReader(io.StringIO(to_csv(report), newline="")))
    assert [(row["case"], row["backend"]) for row in table] == keys
    for row, result in zip(table, report.results, strict=True):
        assert row["verdict"] == result.verdict
        assert row["bound_ratio"] == (
            "" if result.bound_ratio is None else str(result.bound_ratio)
        )
        figures = result.figures.get("outputs")
        assert row["outputs.total"] == (str(figures.total) if figures else "")
        assert row["outliers"] == report.outliers.get(result.case, "")
    worst = frame.loc[frame["backend"] == "numpy", "bound_ratio"].max()
    assert worst == max(
        r.bound_ratio or 0 for r in report.results if r.backend == "numpy"
    )


def test_a_report_without_results_is_an_empty_frame(
    faulty: RunFolder, tmp_path: Path
) -> None:
    empty = replace(read_report_document(faulty.path), results=[])
    (tmp_path / "report.json").write_bytes(encode(empty))
    frame = read_report(tmp_path)
    assert len(frame) == 0
    assert {"case", "backend", "verdict", "bound_ratio"} <= set(frame.columns)


def test_without_pandas_the_command_that_installs_it_is_named(
    faulty: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.delitem(sys.modules, "rnn_parity_reports.table", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'rnn-parity\[report\]'"):
        read_report(faulty.path)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_mutated_report_is_read_or_refused_and_nothing_else(
    faulty: RunFolder, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray((faulty.path / "report.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(whole)))
        end = start + data.draw(st.integers(0, 20))
        tokens = st.sampled_from([b"null", b"-1", b"1e999", b"NaN", b"{}", b"[]", b'"'])
        whole[start:end] = data.draw(st.binary(max_size=8) | tokens)
    path = tmp_path_factory.getbasetemp() / "mutated-report.json"
    path.write_bytes(whole)
    try:
        report = read_report_document(path)
    except FileError as error:
        assert str(path) in str(error)  # noqa: PT017 - either way is right
    else:
        assert msgspec.json.decode(encode(report), type=Report) == report


def test_what_is_no_whole_report_is_refused(faulty: RunFolder, tmp_path: Path) -> None:
    whole = (faulty.path / "report.json").read_bytes()
    foreign = (faulty.path / "run.json").read_bytes()
    path = tmp_path / "report.json"
    for data in (b"", whole[:-3], whole * 2, foreign, b"[]", b"[" * 10**5, b"\x80"):
        path.write_bytes(data)
        with pytest.raises(FileError, match="is not a whole report of rnn-parity"):
            read_report(tmp_path)
    with pytest.raises(FileError, match="cannot read"):
        read_report(tmp_path / "nowhere")
