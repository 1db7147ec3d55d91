"""The run that the pytest plugin leaves: that of `rnn-parity run`, or a part of it."""

import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from rnn_parity.runs.judge_run import judge
from rnn_parity.runs.run import judge_and_write
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import RunRecord
from rnn_parity_reports.results import Report, Result, read_report_document
from support import installed

BACKENDS = "numpy,wrong,killed,declares,stale"
BASIC = "notebook-basic-f32"
DYNAMIC = "notebook-dynamic-f32"
CASES = f"--parity-cases={BASIC},{DYNAMIC}"

Run = Callable[..., pytest.RunResult]


def without_times(report: Report, record: RunRecord) -> tuple[Report, RunRecord]:
    untimed = replace(report.environment, started="")
    results = [replace(result, seconds=None) for result in report.results]
    entries = [replace(entry, seconds=None) for entry in record.entries]
    return (
        replace(report, environment=untimed, results=results),
        replace(record, environment=untimed, entries=entries),
    )


def saved(path: Path) -> tuple[Report, RunRecord]:
    return without_times(read_report_document(path), RunFolder(path).record())


def verdicts(path: Path) -> dict[tuple[str, str], str]:
    report = read_report_document(path / "parity-report")
    return {(r.case, r.backend): r.verdict for r in report.results}


def names(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*")}


def test_with_workers_the_run_is_that_of_the_command_line_apart_from_times(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    (here := pytester.path / "mine").mkdir()
    result = run_pytest(
        f"--parity-backends={BACKENDS}", "--parity-out=mine/a", CASES, "-n2"
    )
    result.stdout.fnmatch_lines(
        ["verdict  3 pass, 4 fail, 1 gap, 2 error of 10", "report   mine/a/report.json"]
    )
    words = ["--backends", BACKENDS, "--cases", f"{BASIC},{DYNAMIC}"]
    command = [sys.executable, "-m", "rnn_parity", "run", *words, "--out", "mine/b"]
    done = subprocess.run(command, cwd=pytester.path, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    assert saved(here / "a") == saved(here / "b")
    assert names(here / "a") == names(here / "b")
    problems = sorted((here / "b" / "problems").iterdir())
    for file in problems:
        assert (here / "a/problems" / file.name).read_bytes() == file.read_bytes()


def test_what_was_not_selected_is_in_no_report_and_judged_again_neither(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    chosen = "basic and wrong or dynamic and numpy"
    result = run_pytest("--parity-backends=numpy,wrong", CASES, "-k", chosen)
    result.stdout.fnmatch_lines(["verdict  1 pass, 1 fail of 2; 2 not selected"])
    expected = {(BASIC, "wrong"): "fail", (DYNAMIC, "numpy"): "pass"}
    assert verdicts(pytester.path) == expected
    folder = RunFolder(pytester.path / "parity-report")
    assert folder.record().left_out == [(BASIC, "numpy"), (DYNAMIC, "wrong")]
    assert judge(folder, folder.record()) == read_report_document(folder.path)
    assert {(r.case, r.backend) for r in judge(folder, folder.record()).results} == set(
        expected
    )


def test_with_x_the_report_holds_what_ran_and_the_screen_says_that_more_did_not(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    result = run_pytest("--parity-backends=wrong,numpy", CASES, "-x")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["verdict  1 fail of 1; 3 not reached"])
    assert verdicts(pytester.path) == {(BASIC, "wrong"): "fail"}


INTERRUPTS = """
def pytest_runtest_setup(item):
    if "dynamic" in item.nodeid:
        raise KeyboardInterrupt
"""


def test_an_interrupted_run_does_not_pass_for_a_whole_one(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(INTERRUPTS)
    result = run_pytest("--parity-backends=numpy", CASES)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    said = (
        "outcomes so far are kept, go on with: rnn-parity run --resume *parity-report"
    )
    result.stdout.fnmatch_lines([f"rnn-parity: interrupted; {said}"])
    run = pytester.path / "parity-report"
    assert not (run / "report.json").exists()  # nobody waits for one
    report = judge_and_write(RunFolder(run))
    passed, cut = report.results
    assert passed.verdict == "pass"
    assert cut.verdict == "error"
    assert cut.detail.startswith("the run ended before this was computed")
    assert report.exit_status == 3


KILLS = """
import os, signal, time

def pytest_runtest_setup(item):
    if item.name == "notebook-dynamic-f32[wrong]":
        journal = item.config.rootpath / "a" / "journal.jsonl"
        while journal.read_bytes().count(b'{"entry":{') < 3:
            time.sleep(0.01)
        main = os.getppid() if hasattr(item.config, "workerinput") else os.getpid()
        os.kill(main, signal.SIGKILL)
        signal.pause()
"""


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=str)
def test_a_killed_run_keeps_what_is_done_and_goes_on_as_a_run_of_the_command_line(
    workers: tuple[str, ...], run_pytest: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(KILLS)
    backends = "--parity-backends=numpy,wrong"
    result = run_pytest(backends, CASES, "--parity-out=a", *workers)
    assert result.ret == -signal.SIGKILL
    (pytester.path / "conftest.py").unlink()
    begun = RunFolder(pytester.path / "a")
    entries = begun.record().entries
    assert [e.status for e in entries] == ["done"] * 3
    words = ["--backends", "numpy,wrong", "--cases", f"{BASIC},{DYNAMIC}"]
    for options in (["--resume", "a"], [*words, "--out", "b"]):
        command = [sys.executable, "-m", "rnn_parity", "run", *options]
        done = subprocess.run(command, cwd=begun.path.parent, check=False)
        assert done.returncode == 1
    assert saved(begun.path) == saved(pytester.path / "b")
    assert names(begun.path) == names(pytester.path / "b")


DIES_AND_SKIPS = """
import os, pathlib, pytest

def pytest_runtest_setup(item):
    if item.name == "notebook-dynamic-f32[numpy]":
        os._exit(3)
    if item.name == "notebook-static-f32[wrong]":
        pytest.skip("not today")

def pytest_runtest_logreport(report):
    if report.when == "call" and hasattr(report, "node"):  # the main process
        line = f"{report.nodeid} {report.node.gateway.id}"
        with pathlib.Path("who").open("a") as file:
            print(line, file=file)
"""


def test_a_process_of_pytest_that_dies_costs_one_case_and_backends_stay_together(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(DIES_AND_SKIPS)
    pytester.makepyfile("def test_mine(): pass")
    result = run_pytest("--parity-backends=numpy,wrong", "-n2")
    result.assert_outcomes(passed=4, failed=4, skipped=1)
    result.stdout.fnmatch_lines(["verdict  3 pass, 3 fail, 1 error of 7; 1 not sel*"])
    report = read_report_document(pytester.path / "parity-report")
    (died,) = [r for r in report.results if r.verdict == "error"]
    assert (died.case, died.backend) == (DYNAMIC, "numpy")
    assert died.detail.startswith("pytest: worker 'gw")
    processes = defaultdict(set)
    for line in (pytester.path / "who").read_text().splitlines():
        node, process = line.split()
        processes[node.partition("[")[2]].add(process)
    assert len(processes["numpy]"]) == len(processes["wrong]"]) == 1
    assert processes["numpy]"] != processes["wrong]"]


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_folder_of_something_else_is_refused_in_one_line(
    workers: str,
    run_pytest: Run,
    pytester: pytest.Pytester,
    snapshot: Callable[[Path], object],
) -> None:
    (pytester.mkdir("precious") / "thesis.tex").write_text("years")
    before = snapshot(pytester.path / "precious")
    result = run_pytest("--parity-backends=numpy", "--parity-out=precious", workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (said,) = [line for line in result.errlines if line]
    assert "is not empty and holds no run of rnn-parity; nothing was written" in said
    assert snapshot(pytester.path / "precious") == before


BREAKS = """
import pathlib, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    for path in pathlib.Path("parity-report/problems").iterdir():
        path.write_bytes(b"")
"""


def test_a_report_that_cannot_be_made_is_said_and_fails(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(BREAKS)
    result = run_pytest("--parity-backends=numpy", CASES)
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["no report: *is not a whole safetensors file*"])


def test_collecting_alone_leaves_an_earlier_run_as_it_was(
    run_pytest: Run,
    copy: Path,
    snapshot: Callable[[Path], object],
) -> None:
    before = snapshot(copy)
    out = f"--parity-out={copy}"
    result = run_pytest("--parity-backends=numpy", out, "--collect-only")
    result.stdout.fnmatch_lines(["collected 4 items"])
    assert snapshot(copy) == before


@pytest.mark.slow
def test_frameworks_in_two_processes_give_the_run_of_the_command_line(
    run_pytest: Run, pytester: pytest.Pytester
) -> None:
    names = ",".join(installed(n).name for n in ("numpy", "torch", "jax", "tensorflow"))
    run_pytest(f"--parity-backends={names}", "--parity-out=a", "-n2").assert_outcomes(
        passed=16
    )
    command = [sys.executable, "-m", "rnn_parity", "run", "--backends", names]
    subprocess.run([*command, "--out=b"], cwd=pytester.path, check=True)
    assert saved(pytester.path / "a") == saved(pytester.path / "b")


def test_times_alone_are_taken_out_of_what_is_compared(
    saved_run: RunFolder,
) -> None:
    report, record = read_report_document(saved_run.path), saved_run.record()
    one = report.results[0]
    worse: Result = replace(one, bound_ratio=(one.bound_ratio or 0) + 1e-15)
    other = replace(report, results=[worse, *report.results[1:]])
    assert without_times(other, record) != without_times(report, record)
