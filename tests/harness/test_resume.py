"""A run that was cut short goes on where it began, or is refused."""

import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
from msgspec.structs import replace

from cut_runs import CASES, SUITE, cut, files, report
from rnn_parity.processes.packages import folder_of
from rnn_parity.runs.run import (
    begin,
    compute,
    judge_and_write,
    new_record,
    pending,
    resume,
)
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.journal import LOCK, folder_lock
from rnn_parity.store.record import JournalLine
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import FileError, Problem, UsageError
from rnn_parity_core.arrays import pack
from rnn_parity_fixtures.faults import plant

Cli = Callable[..., tuple[int, str, str]]

TWIN = replace(INFO, name="twin")


@pytest.mark.parametrize("keep", [0, 3, 8])
def test_wherever_the_journal_ends_the_report_is_the_same(
    keep: int, tmp_path: Path
) -> None:
    infos = [plant(INFO, "raises"), TWIN]
    judge_and_write(compute(CASES, infos, tmp_path / "whole", jobs=1, timeout=60))
    folder = cut(tmp_path / "cut", infos, keep)
    with (folder.path / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"entry":{"case":"note')
    (folder.path / "outcomes" / ".writing-x").write_bytes(b"half")
    assert sum(map(len, pending(folder, folder.record()).values())) == 8 - keep
    judge_and_write(resume(folder.path, infos, jobs=2))
    assert report(folder.path) == report(tmp_path / "whole")
    assert files(folder.path) == files(tmp_path / "whole")


def test_what_is_done_and_whole_is_not_done_again_and_all_else_is(
    tmp_path: Path,
) -> None:
    folder = cut(tmp_path / "run", [INFO], 4)
    outcomes = [tmp_path / f"run/outcomes/numpy/{c.id}.safetensors" for c in CASES]
    outcomes[0].unlink()
    outcomes[1].write_bytes(outcomes[1].read_bytes()[:-9])
    (tmp_path / f"run/problems/{CASES[0].id}.safetensors").unlink()
    before = [path.stat().st_ino for path in outcomes[2:]]
    assert pending(folder, folder.record()) == {"numpy": CASES[:2]}
    report = judge_and_write(resume(folder.path, [INFO], jobs=1))
    assert [result.verdict for result in report.results] == ["pass"] * 4
    assert [path.stat().st_ino for path in outcomes[2:]] == before


def test_a_run_that_was_cut_short_can_be_judged_as_it_is(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    begin(folder, new_record(CASES, [INFO], timeout=60, memory=0))
    report = judge_and_write(folder)
    assert {result.verdict for result in report.results} == {"error"}
    assert "the run ended before this was computed" in report.results[0].detail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"versions": {"numpy": "1.0"}}, "numpy is not what began this run: numpy was"),
        ({"settings": {"threads": 99}}, "threads was 99, is nothing"),
        ({"interpreter": "/elsewhere/python"}, "interpreter was '/elsewhere/python'"),
        ({"python": "3.99"}, "python was '3.99'"),
    ],
)
def test_a_backend_that_is_another_one_now_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    folder = cut(tmp_path / "run", [INFO], 2)
    said = folder.record().backends["numpy"]
    folder.journal.append(JournalLine(said=("numpy", replace(said, **changes))))
    before = len(folder.record().entries)
    with pytest.raises(UsageError, match=words):
        resume(folder.path, [INFO], jobs=1)
    assert len(folder.record().entries) == before


def test_a_backend_that_comes_or_goes_is_refused(tmp_path: Path) -> None:
    gone = replace(INFO, requires={"nonesuch_": "nonesuch"})
    folder = cut(tmp_path / "run", [gone], 2)
    record = folder.record()
    folder.write_record(replace(record, infos=[INFO]))
    with pytest.raises(UsageError, match=r"numpy is not .*: it was absent; go on"):
        resume(folder.path, [INFO], jobs=1)
    folder = cut(tmp_path / "other", [INFO], 2)
    folder.write_record(replace(folder.record(), infos=[gone], entries=[]))
    with pytest.raises(UsageError, match="it is absent now: nonesuch not installed"):
        resume(folder.path, [gone], jobs=1)


def test_another_environment_is_refused(tmp_path: Path) -> None:
    folder = cut(tmp_path / "run", [INFO], 2)
    record = folder.record()
    other = replace(record.environment, python="3.99", cpu="another")
    folder.write_record(replace(record, environment=other))
    with pytest.raises(UsageError, match=r"python was '3\.99', is .*; cpu was 'an"):
        resume(folder.path, [INFO], jobs=1)
    folder.write_record(record)
    changed = replace(INFO, options={"x": 1})
    with pytest.raises(UsageError, match=r"numpy is not what .*: x was nothing, is 1"):
        resume(folder.path, [changed], jobs=1)


def test_a_folder_names_no_program_that_is_run(
    command_line: Cli, tmp_path: Path
) -> None:
    out = cut(tmp_path / "run", [replace(INFO, options={})], 2)
    record, made = out.record(), tmp_path / "made"
    for changes in (
        {"adapter": "os:system", "options": {"command": f"touch {made}"}},
        {"interpreter": f"{tmp_path}/evil"},
        {"host": "ssh:evil"},
    ):
        evil = [replace(INFO, **changes)]
        out.write_record(replace(record, infos=evil))
        status, _, err = command_line("run", "--resume", "run")
        assert (status, err.count("\n")) == (2, 1)
        assert "numpy is not what began this run" in err
    assert not made.exists()


def test_options_that_the_folder_says_are_refused(
    command_line: Cli, tmp_path: Path
) -> None:
    cut(tmp_path / "run", [INFO], 2)
    for option, value in (
        *(("--cases", "notebook"), ("--backends", "numpy"), ("--dtypes", "float32")),
        *(("--out", "x"), ("--timeout", "9"), ("--memory", "1G")),
        ("--variants", "basic"),
    ):
        status, _, err = command_line("run", "--resume", "run", option, value)
        assert status == 2
        assert f"{option} is said by the folder of the run that goes on" in err
    assert command_line("run", "--resume", "run", "--jobs", "1")[0] == 0
    status, _, err = command_line("run", "--resume", "nowhere")
    assert (status, "holds no run of rnn-parity" in err) == (2, True)


def test_two_runs_in_one_folder_are_refused_but_the_dead_hold_nothing(
    command_line: Cli, tmp_path: Path
) -> None:
    only = ("run", "--backends", "numpy", "--out", "run")
    with folder_lock(tmp_path / "run"):
        for command in (only, ("run", "--resume", "run"), ("compare", "run")):
            if command is not only:
                begun = new_record(CASES, [INFO], timeout=9, memory=0)
                RunFolder(tmp_path / "run").write_record(begun)
            status, _, err = command_line(*command)
            assert (status, err.count("\n")) == (2, 1)
            assert "another run is at work in run; wait for its end" in err
    shutil.rmtree(tmp_path / "run")
    holds = (
        "import os, sys, pathlib; from rnn_parity.store.journal import folder_lock\n"
        f"with folder_lock(pathlib.Path({str(tmp_path / 'run')!r})): "
        "os.kill(os.getpid(), 9)"
    )
    root = str(folder_of("rnn_parity").parent)
    done = subprocess.run([sys.executable, "-c", holds], check=False, cwd=root)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "run" / LOCK).exists()
    assert command_line(*only)[0] == 0
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_line_that_has_no_room_leaves_those_before_it(tmp_path: Path) -> None:
    folder = cut(tmp_path / "run", [INFO], 2)
    before = (tmp_path / "run/journal.jsonl").read_bytes()
    line = JournalLine(entry=folder.record().entries[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 9, hard))
        with pytest.raises(FileError, match=r"cannot write .*journal\.jsonl: "):
            folder.journal.append(line)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "run/journal.jsonl").read_bytes() == before


def test_a_lock_is_the_systems_and_no_file_that_outlives_it(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "run"), pytest.raises(filelock.Timeout):
        filelock.FileLock(tmp_path / "run" / LOCK, timeout=0).acquire()


def test_a_verified_layer_goes_on_with_what_is_expected_of_it(
    command_line: Cli, tmp_path: Path, problem: Problem
) -> None:
    weights = problem.weights(0, "forward")
    stored = {
        "weight_ih_l0": weights["kernel"].T,
        "weight_hh_l0": weights["recurrent_kernel"].T,
        "bias_ih_l0": weights["bias"],
        "bias_hh_l0": np.zeros_like(weights["bias"]),
    }
    (tmp_path / "m.safetensors").write_bytes(pack(stored, {}))
    np.save(tmp_path / "x.npy", problem["inputs"])
    outputs = np.zeros(problem.case.output_shapes()["outputs"], "float32")
    np.save(tmp_path / "y.npy", outputs)
    files = ("--inputs", "x.npy", "--expected", "y.npy", "--cell", "rnn_tanh")
    only = ("--backends", "numpy", "--memory", "2G", "--out", "run")
    status, _, err = command_line("verify", "m.safetensors", *files, *only)
    assert status == 1, err
    whole, folder = report(tmp_path / "run"), RunFolder(tmp_path / "run")
    record = folder.record()
    expected = [e for e in record.entries if e.backend == "expected"]
    folder.write_record(replace(record, entries=expected))
    assert command_line("run", "--resume", "run")[0] == 1
    assert report(folder.path) == whole
    folder.write_record(replace(record, entries=expected))
    next((folder.path / "problems").iterdir()).unlink()
    status, _, err = command_line("run", "--resume", "run")
    assert (status, err.count("\n")) == (2, 1)
    assert "cannot read run/problems/" in err


def test_an_interpreter_of_what_is_done_is_given_again_and_not_asked(
    tmp_path: Path, command_line: Cli
) -> None:
    out, of_twin = tmp_path / "run", ("--python", f"numpy#twin={sys.executable}")
    assert command_line("run", *SUITE[2:], *of_twin, "--out", str(out))[0] == 0
    for backend in ("numpy", "numpy%23twin"):
        (out / f"outcomes/{backend}/{CASES[0].id}.safetensors").unlink()
        status, said, trouble = command_line("run", "--resume", str(out), *of_twin)
        assert status == 0, said + trouble
    status, _, trouble = command_line("run", "--resume", str(out), "--python", "nump=x")
    assert (status, "unknown backend of --python 'nump'" in trouble) == (2, True)
