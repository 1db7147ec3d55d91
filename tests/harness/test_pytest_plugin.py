"""The pytest plugin, in pytest runs of their own: items, choices, outcomes, words."""

import json
import re
from collections.abc import Callable

import pytest

CASES = "--parity-cases=notebook-basic-f32,notebook-dynamic-f32"
ONE = "--parity-cases=notebook-basic-f32"

Run = Callable[..., pytest.RunResult]


def lines(result: pytest.RunResult, pattern: str) -> list[str]:
    """Give the lines of a run that match as a whole."""
    return [line for line in result.outlines if re.fullmatch(pattern, line)]


def test_without_the_option_nothing_is_collected(run_pytest: Run) -> None:
    result = run_pytest(ONE)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert lines(result, "collected 0 items")
    assert lines(result, "=+ no tests ran in .*")


def test_each_case_on_each_backend_is_an_item_that_marks_and_names_select(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile("def test_dynamic(): pass")
    result = run_pytest("--parity-backends=numpy", CASES, "-v")
    result.assert_outcomes(passed=3)
    for name in ("notebook-basic-f32", "notebook-dynamic-f32"):
        assert lines(result, rf"parity::{name}\[numpy\] PASSED .*")
    result = run_pytest(
        "--parity-backends=numpy", "-v", "-m", "parity", "-k", "dynamic"
    )
    result.assert_outcomes(passed=1, deselected=4)
    assert lines(result, r"parity::notebook-dynamic-f32\[numpy\] PASSED .*")


CHOSEN = "--parity-backends=numpy,wrong,killed,gone"


def test_a_failure_is_one_line_of_nine_words_or_so(run_pytest: Run) -> None:
    result = run_pytest(CHOSEN, ONE)
    result.assert_outcomes(passed=1, failed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert lines(result, "fail: outputs 84x its bound at step 1")
    assert lines(result, "error: the worker process was killed by SIGKILL")
    assert lines(result, "absent: nonesuch not installed; install with: .*")
    assert not lines(result, "reproduce: .*")
    assert lines(result, r"FAILED parity::.*\[wrong\] - fail: outputs 84x its bound .*")
    assert "Traceback" not in result.stdout.str()
    assert "in_pytest" not in result.stdout.str()


def test_with_v_a_failure_has_all_the_words_and_how_to_see_it_again(
    run_pytest: Run,
) -> None:
    result = run_pytest(CHOSEN, ONE, "-v")
    assert lines(result, "fail: outputs 84x its bound at step 1")
    assert lines(result, r"outputs: 1 of 40 elements outside the bound; .*")
    assert lines(result, r"first bad: step 1, row 0, unit 0, layer 0: 84x")
    assert lines(result, r"error / bound: 84, above 1 fails; .*")
    assert lines(result, r"absent: .*") == [
        "absent: nonesuch not installed; install with: pip it"
    ]
    assert lines(result, r"nonesuch not installed; install with: pip it .*")
    for name in ("wrong", "killed", "gone"):
        again = f"rnn-parity run --cases notebook-basic-f32 --backends {name}"
        assert f"reproduce: {again}" in result.outlines
    assert not lines(result, "array +max_abs .*")


def test_with_vv_a_failure_has_a_line_for_each_array(run_pytest: Run) -> None:
    result = run_pytest("--parity-backends=wrong", ONE, "-vv")
    assert lines(result, "array +max_abs +max_rel +max_ulp .*")
    assert lines(result, r"outputs +1e-05 .* 1 of 40 +\(0, 1, 0\)")
    assert lines(result, r"final_h +1.3e-07 .* 0 of 20 .*")
    assert len(lines(result, "reproduce: .*")) == 1  # not in the summary too


def test_what_failed_last_is_what_runs_again_with_lf(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    failed = {f"parity::notebook-basic-f32[{name}]": True for name in ("wrong", "gone")}
    cache = pytester.mkdir(".pytest_cache") / "v" / "cache"
    cache.mkdir(parents=True)
    (cache / "lastfailed").write_text(json.dumps(failed))
    result = run_pytest(CHOSEN, ONE, "--lf")
    result.assert_outcomes(failed=2, deselected=2)


def test_gaps_are_expected_failures_if_declared_and_failures_if_not_or_stale(
    run_pytest: Run,
) -> None:
    result = run_pytest(
        "--parity-backends=declares,stale,numpy", CASES, "-rx", "-n", "2"
    )
    result.assert_outcomes(passed=3, failed=2, xfailed=1)
    gap = "XFAIL parity::notebook-dynamic-f32[declares] - never: no such thing"
    assert gap in result.outlines
    assert lines(result, r"fail: stale gap: declared never \(no such thing\).*")
    assert lines(result, r"fail: undeclared gap: declined on purpose.*")


def test_what_is_known_to_be_wrong_is_an_expected_failure_until_it_is_right(
    run_pytest: Run,
) -> None:
    result = run_pytest("--parity-backends=known,mended", CASES, "-rx")
    result.assert_outcomes(passed=1, failed=2, xfailed=1)
    gap = "XFAIL parity::notebook-dynamic-f32[known] - wrong: its first unit is off"
    assert gap in result.outlines
    assert lines(result, "fail: outputs 84x its bound at step 1")
    stale = r"fail: stale gap: declared wrong \(its first unit is off\), yet it is .*"
    assert lines(result, stale)


def test_a_gap_of_some_data_is_an_expected_failure_where_it_shows(
    run_pytest: Run,
) -> None:
    result = run_pytest("--parity-backends=sometimes,numpy", CASES, "-rx")
    result.assert_outcomes(passed=2, failed=1, xfailed=1)
    gap = "XFAIL parity::notebook-dynamic-f32[sometimes] - *never: no such thing*"
    assert lines(result, gap.replace("[", ".").replace("]", ".").replace("*", ".*"))
    assert lines(result, r"fail: undeclared gap: declined on purpose.*")


def test_what_is_not_installed_is_skipped_among_all_backends(run_pytest: Run) -> None:
    result = run_pytest("--parity-backends=all", ONE, "-k", "gone or numpy", "-rs")
    result.assert_outcomes(passed=1, skipped=1, deselected=12)
    assert lines(result, "SKIPPED .*nonesuch not installed; install with: pip it .*")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--parity-backends=nump"], "unknown backend 'nump'; did you mean numpy"),
        (
            ["--parity-backends=numpy", "--parity-cases=noteboko"],
            "unknown case or suite 'noteboko'; did you mean notebook",
        ),
    ],
)
def test_what_is_unknown_is_a_usage_error_in_one_line(
    arguments: list[str], words: str, run_pytest: Run
) -> None:
    result = run_pytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = [line for line in result.errlines if line]
    assert len(said) == 1
    assert said[0].startswith(f"ERROR: {words}")
