"""What is in the way of a run or a sweep, or taken away: a line, nothing lost."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cut_runs import run_command
from hostile import LONE, layer
from rnn_parity.models.formats import writers
from sweeping import command as sweep_command
from sweeping import frame, wait_for

Snapshot = Callable[[Path], dict[str, bytes | None]]

NAME = os.fsdecode(b"n\xff")  # no UTF-8
LOG = "logs/numpy.log"
OUTCOME = "outcomes/numpy/notebook-basic-f32.safetensors"
HERE = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
NUMPY = ("--backends", "numpy", "--out")


def put(kind: str, path: Path) -> None:
    """Put something in place of whatever is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)  # of a whole path the name would be too long
    elif kind == "folder":
        (path / "full").mkdir(parents=True)
    else:
        path.symlink_to("../" * (path.parent.name == "logs") + "run.json")


def ended(words: list[str]) -> tuple[int, str]:
    """Give a command's status, and what it says of a mistake, if it ends in time."""
    done = subprocess.run(
        words, env=HERE, capture_output=True, check=False, timeout=100
    )
    return done.returncode, done.stderr.decode()


def assert_refused(said: tuple[int, str], words: str) -> None:
    status, err = said
    assert status == 2, err
    assert err.startswith("rnn-parity: ")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("pipe", "logs", "logs is no folder; nothing was written"),
        ("socket", "problems", "problems is no folder; nothing was written"),
        ("link", "outcomes", "cannot write to"),
        ("folder", "report.html", "report.html is no file; nothing was written"),
        ("folder", "journal.jsonl", "journal.jsonl is no file; nothing was written"),
        ("folder", ".lock", "cannot write to"),
        ("link", ".lock", "cannot write to"),
        ("pipe", "run.json", "holds no run"),
    ],
)
def test_a_run_is_not_replaced_where_something_else_is_in_its_place(
    kind: str, name: str, words: str, copy: Path, snapshot: Snapshot
) -> None:
    put(kind, copy / name)
    before = snapshot(copy.parent)
    assert_refused(ended(run_command(*NUMPY, copy)), words)
    assert snapshot(copy.parent) == before


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((kind, LOG) for kind in ("pipe", "socket", "folder", "link")),
        ("pipe", "outcomes/numpy"),
        ("socket", "logs"),
        ("folder", OUTCOME),
    ],
)
def test_a_run_does_not_go_on_into_what_is_no_file_or_folder(
    kind: str, name: str, copy: Path
) -> None:
    (copy / OUTCOME).unlink()
    record = (copy / "run.json").read_bytes()
    put(kind, copy / name)
    said = ended(run_command("--resume", copy))
    assert_refused(said, f"cannot write {copy / name}")
    assert (copy / "run.json").read_bytes() == record
    if name != LOG:
        return
    shutil.move(copy / LOG, copy.parent / "away")
    again = said[1].rpartition("go on with: rnn-parity run ")[2].split()
    assert ended(run_command(*again)) == (0, "")


def test_a_folder_named_as_what_is_unfinished_is_left_alone(copy: Path) -> None:
    for place in (copy, copy / "outcomes"):
        put("folder", place / ".writing-x")
        (place / ".writing-y").touch()
    for words in (("--resume", copy), (*NUMPY, copy)):
        assert ended(run_command(*words)) == (0, "")
        assert not list(copy.rglob(".writing-y"))
    assert (copy / ".writing-x/full").is_dir()


def test_a_sweep_that_was_killed_before_it_began_begins_anew(tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    put("folder", out / ".writing-x")
    (out / ".writing-y").touch()
    (out / ".lock").touch()
    assert_refused(ended(sweep_command("--resume", out)), "holds no sweep")
    assert ended(sweep_command("random:4:1", *NUMPY, out)) == (0, "")
    assert not (out / ".writing-y").exists()
    whole = frame(out)
    put("pipe", out / "parts/numpy/00001.parquet")
    assert ended(sweep_command("--resume", out)) == (0, "")
    assert list(frame(out)["verdict"]) == list(whole["verdict"])


def taken(path: Path) -> None:
    """Take a file or a folder away, though somebody is writing into it."""
    path.unlink() if path.is_file() else path.rename(path.with_name("away"))


@pytest.mark.parametrize("name", ["", "run.json"])
def test_of_a_run_that_is_taken_away_nothing_is_promised(
    name: str, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = run_command("--cases", "random:400:3", *NUMPY, out)
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=HERE, text=True) as run:
        wait_for((out / "journal.jsonl").exists)
        taken(out / name)
        _, err = run.communicate(timeout=60)
    assert_refused((run.returncode, err), "; nothing is there to go on with\n")
    assert out.exists() == bool(name)


@pytest.mark.parametrize("name", ["", "sweep.json"])
def test_of_a_sweep_that_is_taken_away_nothing_is_promised(
    name: str, tmp_path: Path
) -> None:
    out = tmp_path / "sweep"
    words = sweep_command("random:2000:3", *NUMPY, out, "--workers", "1")
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=HERE, text=True) as sweep:
        wait_for((out / "parts/numpy/00000.parquet").exists)
        taken(out / name)
        _, err = sweep.communicate(timeout=60)
    assert_refused((sweep.returncode, err), "; nothing is there to go on with\n")
    assert out.exists() == bool(name)


def test_a_name_that_is_not_utf_8_does_or_is_refused_at_once(tmp_path: Path) -> None:
    name = tmp_path / NAME
    swept = sweep_command("random:4:1", *NUMPY, name)
    assert ended(swept) == (0, "")
    assert len(list(name.glob("parts/numpy/*"))) == 4
    assert ended(run_command(*NUMPY, f"{name}-run")) == (0, "")
    report = [sys.executable, "-m", "rnn_parity", "report"]
    assert ended([*report, f"{name}-run"]) == (0, "")
    model = tmp_path / f"{NAME}.safetensors"
    model.write_bytes(writers()["canonical"].write(layer(LONE)))
    words = ["verify", str(model), *NUMPY, f"{name}-run"]
    verify = [sys.executable, "-m", "rnn_parity", *words]
    assert_refused(ended(verify), "is no Unicode")


@pytest.mark.parametrize("out", ["x" * 300, f"{'x' * 300}/x", "/dev/null/x"])
def test_a_folder_that_cannot_be_is_refused_before_anything_is_computed(
    out: str, tmp_path: Path
) -> None:
    for words in (
        run_command("--cases", "exhaustive", *NUMPY, tmp_path / out),
        sweep_command("random:1000000:1", *NUMPY, tmp_path / out),
    ):
        assert_refused(ended(words), "cannot write to")
    assert not list(tmp_path.iterdir())
