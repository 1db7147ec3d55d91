"""A worker that prints without end fills no disk, and its last words are kept."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from rnn_parity.processes.logs import MAX_BYTES, TAIL, shorten
from rnn_parity.workers.process import Worker
from rnn_parity.workers.protocol import WorkerError
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import FileError
from rnn_parity_core.files import appending
from rnn_parity_fixtures import catalogue

LOUD = """
import os
from rnn_parity_backends.on_numpy.adapter import NumpyBackend

class Loud(NumpyBackend):
    def run(self, problem):
        os.write(2, b"first words\\n")
        for _ in range(300):
            os.write(2, b"x\\n" * 2**19)
        os.write(2, b"last words\\n")
        if problem.case.dtype == "float64":
            os._exit(7)
        return super().run(problem)
"""


def test_a_log_of_300_mb_is_cut_and_its_last_words_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud_rnn.py").write_text(LOUD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    info = replace(INFO, name="loud", adapter="loud_rnn:Loud")
    log, said = tmp_path / "loud.log", ""
    for number, dtype in enumerate(("f32", "f64"), 1):
        problem = catalogue.build(catalogue.case_from_id(f"notebook-basic-{dtype}"))
        worker = Worker(log)
        try:
            worker.load(info)
            assert worker.run("loud", problem, 120)[0] == "outcome"
        except WorkerError as death:
            said = str(death)
        finally:
            worker.close()
        assert log.stat().st_size <= MAX_BYTES
        printed = log.read_bytes()
        assert printed.startswith(b"first words\n")
        assert printed.endswith(b"x\nx\nlast words\n")
        assert printed.count(b"was dropped]") == number
    ended = "the worker process ended with status 7; it last printed: "
    assert said == f"{ended}x | x | last words"


def test_what_is_added_while_a_log_is_cut_follows_what_is_left(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with appending(log) as file:
        for number in range(3):
            file.truncate(MAX_BYTES + 1)
            file.write(b"end %d" % number)
            shorten(log)
            assert log.stat().st_size < MAX_BYTES // 2 + 2 * TAIL
            assert log.read_bytes().endswith(b"end %d" % number)
        size = file.write(b"more")
    assert log.read_bytes()[-size - 5 :] == b"end 2more"[-size - 5 :]


@pytest.mark.parametrize("kind", ["pipe", "read pipe", "folder", "link"])
def test_what_is_no_file_is_not_added_to(kind: str, tmp_path: Path) -> None:
    path, other = tmp_path / "log", tmp_path / "other"
    other.write_text("precious")
    reader = -1
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(other)
    else:
        os.mkfifo(path)
    if kind == "read pipe":
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(FileError, match="cannot write"):
        appending(path)
    if reader >= 0:
        os.close(reader)
    assert other.read_text() == "precious"
