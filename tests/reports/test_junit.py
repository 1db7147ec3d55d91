"""JUnit: a test case for each case and backend, and why it is not a pass."""

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from msgspec.structs import replace

from rnn_parity_core import BackendRecord
from rnn_parity_reports.junit import to_junit
from rnn_parity_reports.results import Result
from support import report_of

REPORT = report_of(
    *(
        Result(v, "torch", v, detail=f"why {v}", reproduce="again", seconds=0.5)  # type: ignore[arg-type]
        for v in ("pass", "fail", "error", "gap", "absent")
    ),
    Result("pass", "jax", "pass"),
    backends={"torch": BackendRecord({"torch": "2.9"})},
)


def test_each_case_on_each_backend_is_a_test_case_with_its_verdict() -> None:
    torch, jax = JUnitXml.fromstring(to_junit(REPORT))
    assert [(c.classname, c.name) for c in (*torch, *jax)] == [
        *(("torch", verdict) for verdict in ("pass", "fail", "error", "gap", "absent")),
        ("jax", "pass"),
    ]
    outcomes = [[type(said) for said in case.result] for case in torch]
    assert outcomes == [[], [Failure], [Error], [Skipped], [Skipped]]
    _, failed, *_ = torch
    assert (failed.result[0].message, failed.result[0].text) == (
        "fail: why fail",
        "reproduce: again",
    )
    assert failed.time == pytest.approx(0.5)
    assert [(p.name, p.value) for p in torch.properties()] == [("torch", "2.9")]


def test_the_counts_are_those_of_the_report() -> None:
    xml = JUnitXml.fromstring(to_junit(REPORT))
    counts = (xml.tests, xml.failures, xml.errors, xml.skipped)
    assert counts == (6, 1, 1, 2)
    assert xml.time == pytest.approx(2.5)


def test_a_report_without_results_is_valid_and_empty() -> None:
    xml = JUnitXml.fromstring(to_junit(replace(REPORT, results=[])))
    assert (xml.tests, list(xml)) == (0, [])
