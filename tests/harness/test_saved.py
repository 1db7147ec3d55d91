"""A large run is judged by several processes, as one would, and survives their end."""

import multiprocessing
import signal
import subprocess
import sys
import threading
import time

import msgspec
import psutil
import pytest

from fixtures import catalogue
from harness import session
from harness.errors import FileError, ParityError
from harness.folder import RunFolder
from harness.judge.saved import judge
from harness.run.registry import select_backends


@pytest.fixture(scope="module")
def large_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    cases = catalogue.select(["standard"], ["basic", "static", "dynamic"], ["float32"])
    assert len(cases) > 64
    out = tmp_path_factory.mktemp("large") / "run"
    infos = select_backends(["numpy"])
    return session.compute(cases, infos, out, jobs=1, timeout=60)


def test_processes_judge_as_one_does(large_run: RunFolder) -> None:
    alone, together = judge(large_run), judge(large_run, jobs=2)
    assert msgspec.json.encode(together) == msgspec.json.encode(alone)
    assert alone.summary.passed > 64


def test_what_a_process_cannot_read_is_named(large_run: RunFolder) -> None:
    case = large_run.record().cases[-1]
    path = large_run.path / "problems" / f"{case.id}.safetensors"
    whole = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(FileError, match=case.id):
        judge(large_run, jobs=2)
    path.write_bytes(whole)


JUDGES = """
import pathlib, sys
from harness.folder import RunFolder
from harness.judge.saved import judge
from harness.watch import Watch

class Says(Watch):
    def judged(self, results, total):
        print("judged", flush=True)

judge(RunFolder(pathlib.Path(sys.argv[1])), 2, Says())
"""


def test_processes_that_judge_end_with_one_that_is_killed(large_run: RunFolder) -> None:
    command = [sys.executable, "-c", JUDGES, str(large_run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"judged\n"
        helpers = psutil.Process(process.pid).children()
        assert len(helpers) == 3  # one of them cleans up
        process.kill()
    assert process.returncode == -signal.SIGKILL
    _, living = psutil.wait_procs(helpers, timeout=20)
    for left in living:
        left.kill()
    assert not living


def test_a_process_that_is_ended_is_said(large_run: RunFolder) -> None:
    judged = threading.Event()

    def end() -> None:
        while len(multiprocessing.active_children()) < 2:
            time.sleep(0.01)
        while not judged.wait(0.01):  # long before they have judged it all
            for child in multiprocessing.active_children():
                child.kill()

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    with pytest.raises(ParityError, match=r"ended from outside.*--jobs 1"):
        judge(large_run, jobs=2)
    judged.set()
    thread.join()
