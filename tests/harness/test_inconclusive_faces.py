"""What faces do with a result that shows nothing: the command, pytest, the mutation."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from rnn_parity.checks import mutation
from rnn_parity.judge.verdict import Judged, judge_entry
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import read_report_document
from support import installed

torch = pytest.importorskip("torch")

Cli = Callable[..., tuple[int, str, str]]
GRADIENT = "rnn_tanh-dynamic-B2-T60-D4-H32-G8-gradient-f32-s1"
"""Through 60 steps of a gain of 8 the bound of any gradient is wider than it is."""
FORWARD = "lstm-dynamic-B3-T7-D4-H5-f32-s1"
FEWER = "next: take fewer than 60 steps: the bound grows with each"


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a suite of one case of which nothing is shown."""
    installed("torch")
    case = catalogue.case_from_id(GRADIENT)
    monkeypatch.setitem(catalogue.SUITES, "hazy", lambda: iter([case]))
    return "hazy"


def test_a_case_that_is_named_exits_with_4_and_one_of_a_suite_if_strict(
    suite: str, command_line: Cli, tmp_path: Any
) -> None:
    def status(*ask: str) -> int:
        found, said, _ = command_line("run", "--backends", "torch", "--cases", *ask)
        assert "1 inconclusive of 1" in said
        assert f"  {FEWER}" in said
        return found

    assert status(GRADIENT) == 4
    # What is judged again counts as it did.
    assert command_line("compare", "parity-report")[0] == 4
    assert status(suite) == 0
    assert command_line("compare", "parity-report")[0] == 0
    assert status(suite, "--strict") == 4
    assert status(suite, "--require-bound") == 4
    assert read_report_document(tmp_path / "parity-report").require_bound


def test_names_of_suites_and_ids_are_told_apart() -> None:
    for name in ("standard", "notebook", "random:10:1", "probe:standard"):
        assert catalogue.is_suite(name)
    for name in (FORWARD, f"probe:{FORWARD}", "notebook-basic-f32"):
        assert not catalogue.is_suite(name)


def test_pytest_fails_what_is_named_and_skips_what_is_of_a_suite(
    pytester: pytest.Pytester,
) -> None:
    installed("torch")
    pytester.makeconftest(
        "from rnn_parity_fixtures import catalogue\n"
        f"case = catalogue.case_from_id({GRADIENT!r})\n"
        "catalogue.SUITES['hazy'] = lambda: iter([case])\n"
    )
    run = ("--parity-backends=torch", "-p", "no:cacheprovider", "-rs")
    named = pytester.runpytest_subprocess(*run, f"--parity-cases={GRADIENT}")
    named.assert_outcomes(failed=1)
    assert FEWER in named.stdout.str()
    of_suite = pytester.runpytest_subprocess(*run, "--parity-cases=hazy")
    of_suite.assert_outcomes(skipped=1)
    assert "inconclusive: nothing is shown" in of_suite.stdout.str()
    strict = pytester.runpytest_subprocess(
        *run, "--parity-cases=hazy", "--parity-strict"
    )
    strict.assert_outcomes(failed=1)


def test_a_fault_of_which_nothing_is_shown_is_not_killed_nor_health_an_alarm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = mutation.KINDS["layout"]["bias doubled"]
    monkeypatch.setattr(mutation, "KINDS", {"layout": {"bias doubled": fault}})

    def hazy(*asked: Any) -> Judged:
        judged = judge_entry(*asked)
        return judged._replace(result=replace(judged.result, verdict="inconclusive"))

    monkeypatch.setattr(mutation, "judge_entry", hazy)
    cases = {"s": [catalogue.case_from_id(FORWARD)]}
    trials = mutation.mutation_test([INFO], cases, each=1, jobs=1)
    assert {trial.broken[mutation.OURS] for trial in trials} == {False}
    assert mutation.survivors(trials) == [f"layout: bias doubled survives {FORWARD}"]
