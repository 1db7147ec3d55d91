"""The pytest plugin, in pytest runs of their own: items, choices, outcomes, words."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import harness

CASES = "--parity-cases=notebook-basic-f32,notebook-dynamic-f32"
ONE = "--parity-cases=notebook-basic-f32"

# Backends of an installed distribution, each with one thing wrong with it.
ACME = """
from msgspec.structs import replace
from backends.on_numpy import INFO
from fixtures.faults import plant
from harness.backend import Gap

gap = Gap("never", "no such thing", variants=("dynamic",))
WRONG = replace(plant(INFO, "one unit off by 1e-5"), name="wrong")
KILLED = replace(plant(INFO, "killed"), name="killed")
DECLARES = replace(plant(INFO, "declines"), name="declares", gaps=(gap,))
STALE = replace(INFO, name="stale", gaps=(gap,))
GONE = replace(INFO, name="gone", requires={"nonesuch_": "nonesuch"}, install="pip it")
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def parity(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a function that runs pytest where the distribution `acme` is installed."""
    names = ("WRONG", "KILLED", "DECLARES", "STALE", "GONE")
    points = "\n".join(f"{name} = acme_rnn:{name}" for name in names)
    info = pytester.mkdir("site") / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[rnn_parity.backends]\n{points}\n")
    (info.parent / "acme_rnn.py").write_text(ACME)
    paths = (info.parent, Path(harness.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(
            "-W", "error", "--strict-markers", *arguments
        )

    return run


def lines(result: pytest.RunResult, pattern: str) -> list[str]:
    """Give the lines of a run that match as a whole."""
    return [line for line in result.outlines if re.fullmatch(pattern, line)]


def test_without_the_option_nothing_is_collected(parity: Run) -> None:
    result = parity(ONE)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert lines(result, "collected 0 items")
    assert lines(result, "=+ no tests ran in .*")


def test_each_case_on_each_backend_is_an_item_that_marks_and_names_select(
    parity: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile("def test_dynamic(): pass")
    result = parity("--parity-backends=numpy", CASES, "-v")
    result.assert_outcomes(passed=3)
    for name in ("notebook-basic-f32", "notebook-dynamic-f32"):
        assert lines(result, rf"parity::{name}\[numpy\] PASSED .*")
    result = parity("--parity-backends=numpy", "-v", "-m", "parity", "-k", "dynamic")
    result.assert_outcomes(passed=1, deselected=4)
    assert lines(result, r"parity::notebook-dynamic-f32\[numpy\] PASSED .*")


CHOSEN = "--parity-backends=numpy,wrong,killed,gone"


def test_a_failure_has_the_words_of_the_verdict_and_how_to_see_it_again(
    parity: Run,
) -> None:
    result = parity(CHOSEN, ONE)
    result.assert_outcomes(passed=1, failed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert lines(result, r"fail: outputs: 1 of 40 elements outside the bound; .*")
    assert lines(result, r"error: the worker process was killed by SIGKILL .*")
    assert lines(result, r"absent: nonesuch not installed; install with: pip it .*")
    for name in ("wrong", "killed", "gone"):
        again = f"rnn-parity run --cases notebook-basic-f32 --backends {name}"
        assert f"again: {again}" in result.outlines
    assert "Traceback" not in result.stdout.str()
    assert "pytest_items.py" not in result.stdout.str()


def test_what_failed_last_is_what_runs_again_with_lf(
    parity: Run, pytester: pytest.Pytester
) -> None:
    failed = {f"parity::notebook-basic-f32[{name}]": True for name in ("wrong", "gone")}
    cache = pytester.mkdir(".pytest_cache") / "v" / "cache"
    cache.mkdir(parents=True)
    (cache / "lastfailed").write_text(json.dumps(failed))
    result = parity(CHOSEN, ONE, "--lf")
    result.assert_outcomes(failed=2, deselected=2)


def test_gaps_are_expected_failures_if_declared_and_failures_if_not_or_stale(
    parity: Run,
) -> None:
    result = parity("--parity-backends=declares,stale,numpy", CASES, "-rx", "-n", "2")
    result.assert_outcomes(passed=3, failed=2, xfailed=1)
    gap = "XFAIL parity::notebook-dynamic-f32[declares] - never: no such thing"
    assert gap in result.outlines
    assert lines(result, r"fail: stale gap: declared never \(no such thing\).*")
    assert lines(result, r"fail: undeclared gap: declined on purpose.*")


def test_what_is_not_installed_is_skipped_among_all_backends(parity: Run) -> None:
    result = parity("--parity-backends=all", ONE, "-k", "gone or numpy", "-rs")
    result.assert_outcomes(passed=1, skipped=1, deselected=9)
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
    arguments: list[str], words: str, parity: Run
) -> None:
    result = parity(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = [line for line in result.errlines if line]
    assert len(said) == 1
    assert said[0].startswith(f"ERROR: {words}")
