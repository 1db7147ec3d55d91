"""The frame has tidy dtypes, and comes back from CSV and Parquet as it was."""

import io
import sys
from pathlib import Path

import pandas as pd
import pytest

from rnn_parity_core import UsageError
from rnn_parity_reports import read_report
from rnn_parity_reports.csv_rows import to_csv
from rnn_parity_reports.results import (
    Figures,
    FirstBad,
    Published,
    Result,
    encode,
    read_report_document,
)
from rnn_parity_reports.table import dtypes, to_parquet
from support import report_of

REPORT = report_of(
    Result(
        "one",
        "torch",
        "fail",
        1 / 3,
        figures={"outputs": Figures(0.1, None, 2.5, 0.1, 2**40, 1, 9, (0, 1))},
        published=Published(1e-7, 1e-6, 2),
        fixed_tolerances={"onnx": False},
        first_bad=FirstBad(3, 2, 1, gate="i"),
        explanations=["bias dropped", "NA"],
        not_shown=["null"],
        sensitivity={"bias": None},
        detail="None",
        reproduce="again",
        seconds=0.25,
    ),
    Result("two", "jax", "gap"),
    outliers={"one": "torch"},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "report.json").write_bytes(encode(REPORT))
    return tmp_path


def test_counts_are_integers_words_are_strings_and_verdicts_a_category(
    path: Path,
) -> None:
    frame = read_report(path)
    for name, dtype in (
        ("case", "string"),
        ("bound_ratio", "Float64"),
        ("outputs.max_ulp", "Float64"),
        ("outputs.mismatched", "Int64"),
        ("tokens.total", "Int64"),
        ("first_bad.step", "Int64"),
        ("first_bad.gate", "string"),
        ("seconds", "Float64"),
    ):
        assert frame[name].dtype == dtype, name
    assert list(frame["verdict"].cat.categories) == [
        "pass",
        "consistent",
        "fail",
        "inconclusive",
        "gap",
        "error",
        "absent",
    ]
    assert frame.loc[0, "outputs.mismatched"] == 2**40
    assert frame.loc[0, "bound_ratio"] == 1 / 3
    missing = frame.loc[1].isna()
    assert [*missing[~missing].index] == ["case", "backend", "verdict"]


def test_csv_and_parquet_come_back_equal(path: Path) -> None:
    frame = read_report(path)
    for back in (
        pd.read_csv(
            io.StringIO(to_csv(REPORT)),
            dtype=dtypes(),
            keep_default_na=False,
            na_values=[""],
        ),
        pd.read_parquet(io.BytesIO(to_parquet(read_report_document(path)))),
    ):
        pd.testing.assert_frame_equal(back, frame)


def test_without_pyarrow_the_command_that_installs_it_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'rnn-parity\[report\]'"):
        to_parquet(read_report_document(path))
