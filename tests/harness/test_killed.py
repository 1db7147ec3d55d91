"""Killed, interrupted or out of disk, a run goes on, and ends in the same report."""

import contextlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from cut_runs import CASES, SUITE, cut, files, report, run_command
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.store.folder import RunFolder
from rnn_parity_backends.on_numpy import INFO

ALL = 32  # entries of SUITE
JUDGING = ALL + 1
SEED = 20


def begin_run(out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        run_command(*SUITE, "--out", out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for(process: subprocess.Popen[bytes], out: Path, entries: int) -> None:
    """Wait until so much of a run is done."""
    while not (out / "run.json").exists() or done(out) < entries:
        assert process.poll() is None
        time.sleep(0.01)


def done(out: Path) -> int:
    """Count what a run has computed; one more once it is about to be judged."""
    entries = len(RunFolder(out).record().entries)
    return entries + (entries == ALL and not (out / "journal.jsonl").exists())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Give a run that nobody disturbs, and the seconds that it was judged for."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    process = begin_run(out)
    wait_for(process, out, JUDGING)
    judged = time.monotonic()
    assert process.wait() == 0
    return out, time.monotonic() - judged


def kill(out: Path, entries: int, seconds: float) -> bool:
    """Kill a run some seconds after so much of it is done; whether it was at work."""
    process = begin_run(out)
    wait_for(process, out, entries)
    time.sleep(seconds)
    process.kill()
    return process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("moments", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_moment_goes_on_and_gives_the_same_report(
    moments: int, undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    whole, judged = undisturbed
    draw = random.Random(SEED)  # noqa: S311 - moments, no secrets
    found = []
    for number in range(moments):
        out, judging = tmp_path / str(number), number % 2
        entries = JUDGING if judging else number * ALL // moments
        seconds = draw.uniform(0, judged if judging else 0.1)
        while not kill(out, entries, seconds):  # it came to its end before
            shutil.rmtree(out)
            seconds /= 2
        found.append(done(out))
        again = run_command("--resume", out, "--jobs", "2")
        subprocess.run(again, check=True, capture_output=True)
        assert report(out) == report(whole)
        assert files(out) == files(whole)
        shutil.rmtree(out)
    assert moments // 2 <= found.count(JUDGING) < moments - moments // 4


def test_ctrl_c_stops_at_once_and_says_how_to_go_on(
    undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(
        run_command(*SUITE, "--out", out),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    while not (out / "journal.jsonl").exists():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.endswith(f"go on with: rnn-parity run --resume {out}\n")
    assert err.count("\n") == 1
    assert {e.status for e in RunFolder(out).record().entries} <= {"done"}
    subprocess.run(run_command("--resume", out), check=True, capture_output=True)
    assert report(out) == report(undisturbed[0])


def test_ctrl_c_is_not_for_processes_that_judge(tmp_path: Path) -> None:
    """They hear it as all of a terminal do, be it while Python itself starts."""
    options = ("--cases", "random:70:3", "--backends", "numpy", "--out", tmp_path / "r")
    process = subprocess.Popen(
        run_command(*options),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    judges: list[psutil.Process] = []
    while not judges:
        assert process.poll() is None
        for child in psutil.Process(process.pid).children():
            with contextlib.suppress(psutil.Error):  # it may end meanwhile
                judges += [child] * ("spawn_main" in " ".join(child.cmdline()))
    time.sleep(0.1)  # it imports
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.count("\n") == 1, err
    psutil.wait_procs(judges, timeout=10)
    assert not any(judge.is_running() for judge in judges)


def on_a_disk_of_its_own(folder: Path, size: str, *steps: str) -> None:
    """Run a shell script where `disk` in a folder is a small file system.

    Nobody else sees that one, so that no rights are needed to make it.
    """
    (folder / "disk").mkdir()
    mount = f"mount -t tmpfs -o size={size} none {folder}/disk || exit 77"
    script = "\n".join([mount, "set -e", *steps])
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"no disk can be made: {error}")
    if done.returncode == 77 or done.stderr.startswith("unshare: "):
        pytest.skip(f"no disk can be mounted: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


def refused(said: Path, *arguments: str | Path) -> str:
    """Give the line of a script that runs us, to end in status 2."""
    command = shlex.join(run_command(*arguments))
    return f"{command} 2> {said} || [ $? = 2 ]; [ -s {said} ]"


def test_a_full_disk_is_one_line_and_after_making_room_it_goes_on(
    undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    run = tmp_path / "disk/run"
    on_a_disk_of_its_own(
        *(tmp_path, "384k"),
        refused(tmp_path / "said", *SUITE, "--out", run),
        f"cp -a {run} {tmp_path}/kept",
        f"mount -o remount,size=64m {run.parent}",
        shlex.join(run_command("--resume", run)),
        f"cp -a {run} {tmp_path}/whole",
    )
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert said.count("\n") == 1
    assert "No space left on device; what is done is kept, go on with: " in said
    kept = RunFolder(tmp_path / "kept")
    entries = kept.record().entries
    assert 0 < len(entries) < ALL
    assert all(kept.outcome(e.backend, e.case) for e in entries if e.status == "done")
    assert report(tmp_path / "whole") == report(undisturbed[0])


def test_a_disk_that_takes_nothing_is_one_line_and_once_it_does_it_goes_on(
    tmp_path: Path,
) -> None:
    judge_and_write(compute(CASES, [INFO], tmp_path / "right", jobs=1, timeout=60))
    cut(tmp_path / "begun", [INFO], 2)
    disk = tmp_path / "disk"
    on_a_disk_of_its_own(
        *(tmp_path, "64m"),
        f"cp -a {tmp_path}/begun {disk}/run",
        f"mount -o remount,ro {disk}",
        refused(tmp_path / "anew", "--backends", "numpy", "--out", disk / "new"),
        refused(tmp_path / "on", "--resume", disk / "run"),
        f"cp -a {disk}/run {tmp_path}/kept",
        f"mount -o remount,rw {disk}",
        shlex.join(run_command("--resume", disk / "run")),
        f"cp -a {disk}/run {tmp_path}/whole",
    )
    for name, folder in (("anew", "new"), ("on", "run")):
        said = (tmp_path / name).read_text(encoding="utf-8")
        assert said.count("\n") == 1
        assert f"cannot write to {disk}/{folder}: Read-only file system" in said
    assert files(tmp_path / "kept") == files(tmp_path / "begun")
    assert len(RunFolder(tmp_path / "kept").record().entries) == 2
    assert report(tmp_path / "whole") == report(tmp_path / "right")
