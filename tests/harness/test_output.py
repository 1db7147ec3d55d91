"""Whatever becomes of what is printed or written: a line, status 2, no file torn."""

import os
import resource
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hostile import LONE, layer
from rnn_parity.models.formats import writers

Cli = Callable[..., tuple[int, str, str]]
Snapshot = Callable[[Path], dict[str, bytes | None]]

US = shlex.join([sys.executable, "-m", "rnn_parity"])
MODEL = "model.safetensors"
LOST = "rnn-parity: cannot write to standard output: "
SMALL = 64  # bytes that a disk has room for


def shell(script: str, folder: Path, **env: str) -> tuple[int, str, str]:
    """Give status and output of a script in which `us` is the program."""
    done = subprocess.run(
        ["sh", "-c", f'us() {{ {US} "$@"; }}; {script}'],  # noqa: S607 - the usual one
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "script",
    [
        "us --help > /dev/full",
        "us report saved > /dev/full",
        "us report saved --format json > /dev/full",
        "us report saved --format csv --out /dev/stdout > /dev/full",
        "us compare saved saved --format markdown >&-",
        "us cases >&-",
        "{ us backends --matrix; echo $? > code; } | :; exit $(cat code)",
        "{ us cases standard; echo $? > code; } | head -c1 > one; exit $(cat code)",
        (
            "us mutation-test --cases notebook-basic-f32 --backends numpy --each 1 "
            "> /dev/full"
        ),
    ],
)
def test_what_cannot_be_printed_is_said_in_one_line(script: str, copy: Path) -> None:
    status, out, err = shell(script, copy.parent)
    assert (status, out) == (2, "")
    assert err.startswith((LOST, "rnn-parity: cannot write /dev/stdout: "))
    assert err.count("\n") == 1


@pytest.mark.parametrize("end", [">&-", "> /dev/full", ">&- 2>&- <&-"])
def test_a_run_that_nobody_can_be_told_of_is_whole_in_its_folder(
    end: str, tmp_path: Path, saved_run: Path, snapshot: Snapshot
) -> None:
    status, _, err = shell(f"us run --backends numpy --out run {end}", tmp_path)
    assert status == 2
    assert err.startswith(LOST) or "2>&-" in end
    assert snapshot(tmp_path / "run").keys() == snapshot(saved_run.path).keys()
    log = (tmp_path / "run/logs/numpy.log").read_bytes()
    assert log == (saved_run.path / "logs/numpy.log").read_bytes()


@pytest.mark.parametrize("end", ["2>&-", "2> /dev/full"])
def test_where_no_error_can_be_said_the_status_says_it(end: str, copy: Path) -> None:
    assert shell(f"us report nowhere {end}", copy.parent) == (2, "", "")
    assert shell(f"us run --no-such-option {end}", copy.parent) == (2, "", "")
    assert shell(f"us report saved {end}", copy.parent)[0] == 0


def test_what_an_encoding_lacks_is_spelled_out(copy: Path) -> None:
    ascii_alone = {"PYTHONIOENCODING": "ascii"}
    status, out, err = shell("us report saved", copy.parent, **ascii_alone)
    assert (status, err) == (0, "")
    assert "\\u2713" in out
    _, out, _ = shell("us report saved --format json", copy.parent, **ascii_alone)
    assert out.encode() == (copy / "report.json").read_bytes()
    said = shell("us report naïve", copy.parent, **ascii_alone)
    line = "rnn-parity: cannot read na\\xefve: No such file or directory\n"
    assert said == (2, "", line)


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))


@pytest.mark.parametrize(
    "command",
    [
        *(["report", "saved", "--format", form] for form in ("html", "parquet")),
        ["compare", "saved", "saved", "--format", "html"],
        ["verify", MODEL, "--write-inputs"],
    ],
    ids=" ".join,
)
def test_a_good_file_outlasts_a_disk_that_fills_up(
    command: list[str], copy: Path
) -> None:
    (copy.parent / MODEL).write_bytes(writers()["canonical"].write(layer(LONE)))
    good = copy.parent / "good.npz"
    good.write_text("good")
    before = {*copy.parent.iterdir()}
    words = ["--out"] * ("verify" not in command) + [good.name]
    done = subprocess.run(
        [sys.executable, "-m", "rnn_parity", *command, *words],
        cwd=copy.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=_small_files,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    said = "rnn-parity: cannot write good.npz: File too large\n"
    assert (done.returncode, done.stderr) == (2, said)
    assert good.read_text() == "good"
    assert {*copy.parent.iterdir()} == before


def test_a_named_file_is_written_where_a_link_leads_and_for_whom_it_may_be(
    copy: Path, command_line: Cli
) -> None:
    (copy.parent / "link.csv").symlink_to("deep/own.csv")
    mask = os.umask(0o027)
    try:
        said = command_line("report", "saved", "--format", "csv", "--out", "link.csv")
    finally:
        os.umask(mask)
    assert said == (0, "", "")
    assert (copy.parent / "link.csv").is_symlink()
    own = copy.parent / "deep/own.csv"
    assert own.read_bytes() == (copy / "results.csv").read_bytes()
    assert own.stat().st_mode & 0o777 == 0o640


def test_a_pipe_or_device_that_is_named_is_written_to(
    copy: Path, command_line: Cli
) -> None:
    whole = (copy / "results.csv").read_bytes()
    pipe, read = copy.parent / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    command = ("report", "saved", "--format", "csv", "--out")
    assert command_line(*command, "pipe") == (0, "", "")
    reader.join(20)
    assert (read, pipe.is_fifo()) == ([whole], True)
    for end in ("| cat", "> file; cat file"):
        script = f"us {shlex.join(command)} /dev/stdout {end}"
        status, out, err = shell(script, copy.parent)
        assert (status, out.encode(), err) == (0, whole.replace(b"\r\n", b"\n"), "")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        *(
            ("--backends", [*command, "--backends", empty])
            for empty in ("", ",")
            for command in (
                *(["run"], ["sweep", "random:9:1"], ["verify", MODEL]),
                *(["graph", "notebook-basic-f32"], ["metamorphic"], ["measure"]),
                *(["mutation-test"], ["verify", MODEL, "--write-inputs", "x.npz"]),
            )
        ),
        ("--variants", ["run", "--variants", ""]),
        ("--dtypes", ["run", "--dtypes", " ,"]),
        ("--dtypes", ["measure", "--dtypes", ""]),
        ("--between", ["compare", "saved", "--between", ""]),
        ("''", ["cases", ""]),
    ],
)
def test_a_selection_that_is_given_and_empty_is_not_all_there_is(
    words: str, command: list[str], copy: Path, command_line: Cli, snapshot: Snapshot
) -> None:
    before = snapshot(copy.parent)
    status, out, err = command_line(*command)
    assert (status, out) == (2, "")
    assert err.startswith("rnn-parity: ")
    assert words in err
    assert err.count("\n") == 1
    assert snapshot(copy.parent) == before
