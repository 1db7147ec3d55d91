"""The report as JUnit XML, which CI servers show beside other tests."""

from junitparser import (
    Error,
    Failure,
    JUnitXml,
    Skipped,
    TestCase,
    TestSuite,
)

from rnn_parity_reports.describe import one_line, verdict_of
from rnn_parity_reports.results import Report, Result
from rnn_parity_reports.templating import cleaned

_OUTCOMES = {
    "fail": Failure,
    "error": Error,
    "inconclusive": Skipped,
    "gap": Skipped,
    "absent": Skipped,
}


def to_junit(report: Report) -> bytes:
    """Give a suite for each backend, with a test case for each of its cases.

    What is not shown is skipped, as nothing is asserted by it; where it counts against
    the run, it is a failure, so that a CI server says what the exit status says. XML
    forbids most control characters, whichever way they are written: those in names and
    details are replaced.
    """
    xml = JUnitXml()
    by_backend: dict[str, list[Result]] = {}
    for result in report.results:
        by_backend.setdefault(result.backend, []).append(result)
    for backend, results in by_backend.items():
        suite = TestSuite(cleaned(backend))
        suite.timestamp = cleaned(report.environment.started)
        if record := report.backends.get(backend):
            for distribution, version in record.versions.items():
                suite.add_property(cleaned(distribution), cleaned(version))
        suite.add_testcases([_test_case(report, result) for result in results])
        xml.add_testsuite(suite)
    xml.update_statistics()  # type: ignore[no-untyped-call]
    return bytes(xml.tostring())  # type: ignore[no-untyped-call]


def _test_case(report: Report, result: Result) -> TestCase:
    case = TestCase(
        cleaned(result.case), cleaned(result.backend), time=result.seconds or 0.0
    )
    outcome = Failure if report.is_unshown(result) else _OUTCOMES.get(result.verdict)
    if outcome:
        words = [result.detail or one_line(result), *result.next_steps]
        message = f"{verdict_of(result)}: {cleaned('; '.join(words))}"
        said = outcome(message, result.verdict)
        if result.reproduce:
            said.text = f"reproduce: {cleaned(result.reproduce)}"
        case.result = [said]
    return case
