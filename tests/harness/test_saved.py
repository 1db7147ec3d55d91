"""A large run is judged by several processes, as one would, and survives their end."""

import multiprocessing
import threading
import time

import msgspec
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
