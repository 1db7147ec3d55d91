"""A large run is judged by several processes, as one would, and survives their end."""

import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import get_context

import msgspec
import psutil
import pytest
from msgspec.structs import replace

from rnn_parity.runs import run as session
from rnn_parity.runs.judge_run import JudgePool, judge
from rnn_parity.runs.registry import select_backends
from rnn_parity.store.folder import RunFolder
from rnn_parity_core import FileError, ParityError
from rnn_parity_fixtures import catalogue


@pytest.fixture(scope="module")
def large_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    cases = catalogue.select(["standard"], ["basic", "static", "dynamic"], ["float32"])
    assert len(cases) > 64
    out = tmp_path_factory.mktemp("large") / "run"
    infos = select_backends(["numpy"])
    return session.compute(cases, infos, out, jobs=1, timeout=60)


def test_processes_judge_as_one_does(large_run: RunFolder) -> None:
    alone, together = (
        judge(large_run, large_run.record()),
        judge(large_run, large_run.record(), jobs=2),
    )
    assert msgspec.json.encode(together) == msgspec.json.encode(alone)
    assert alone.summary.passed > 64


def test_what_a_process_cannot_read_is_named(large_run: RunFolder) -> None:
    case = large_run.record().cases[-1]
    path = large_run.path / "problems" / f"{case.id}.safetensors"
    whole = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(FileError, match=case.id):
        judge(large_run, large_run.record(), jobs=2)
    path.write_bytes(whole)


JUDGES = """
import pathlib, sys
from rnn_parity.store.folder import RunFolder
from rnn_parity.runs.judge_run import judge
from rnn_parity.runs.observer import RunObserver

class Says(RunObserver):
    def on_judged(self, results, total):
        print("judged", flush=True)

folder = RunFolder(pathlib.Path(sys.argv[1]))
judge(folder, folder.record(), 2, Says())
"""


def test_processes_that_judge_end_with_one_that_is_killed(large_run: RunFolder) -> None:
    command = [sys.executable, "-c", JUDGES, str(large_run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"judged\n"
        helpers = psutil.Process(process.pid).children()
        assert len(helpers) == 4  # one of them cleans up, one supervises
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
        judge(large_run, large_run.record(), jobs=2)
    judged.set()
    thread.join()


def test_cases_are_judged_while_others_are_computed(large_run: RunFolder) -> None:
    record, judged = large_run.record(), judge(large_run, large_run.record())
    with JudgePool(large_run, jobs=2) as judges:
        judges.on_run_start(large_run.record())
        for entry in record.entries[:10]:
            judges.on_case_end(entry)
        ahead = dict(judges._begun)
        assert len(ahead) == 10
        again = judge(large_run, large_run.record(), jobs=2, judges=judges)
        assert all(judges._begun[case] is begun for case, begun in ahead.items())
    assert msgspec.json.encode(again) == msgspec.json.encode(judged)


def test_a_case_waits_for_the_last_of_its_backends(large_run: RunFolder) -> None:
    record = large_run.record()
    other = replace(record.infos[0], name="numpy#other")
    large_run.write_record(replace(record, infos=[*record.infos, other], entries=[]))
    entry = record.entries[0]
    with JudgePool(large_run, jobs=2) as judges:
        judges.on_run_start(large_run.record())
        judges.on_case_end(entry)
        assert judges._begun == {}
        judges.on_case_end(replace(entry, backend=other.name, status="absent"))
        ((_, future),) = judges._begun.values()
        verdicts = [result.verdict for result in future.result().results]
    assert verdicts == ["pass", "absent"]
    large_run.write_record(record)


def test_what_has_changed_since_is_judged_again(large_run: RunFolder) -> None:
    record = large_run.record()
    first, *rest = record.entries
    planted = replace(first, status="error", detail="planted")
    with JudgePool(large_run, jobs=2) as judges:
        judges.on_run_start(large_run.record())
        judges.on_case_end(first)
        large_run.write_record(replace(record, entries=[planted, *rest]))
        found = judge(large_run, large_run.record(), jobs=2, judges=judges)
    assert found.results[0].detail == f"planted [numpy, {first.case}]"
    large_run.write_record(record)


def test_an_outcome_that_was_computed_again_is_judged_again(
    large_run: RunFolder,
) -> None:
    entry = large_run.record().entries[0]
    path = large_run.path / "outcomes" / "numpy" / f"{entry.case}.safetensors"
    whole = path.read_bytes()
    with JudgePool(large_run, jobs=2) as judges:
        judges.on_run_start(large_run.record())
        path.write_bytes(b"")
        judges.on_case_end(entry)
        ((_, future),) = judges._begun.values()
        assert future.result().results[0].verdict == "error"
        path.write_bytes(whole)
        judges.on_case_end(entry)
        ((_, future),) = judges._begun.values()
        assert future.result().results[0].verdict == "pass"


def test_a_process_that_is_ended_meanwhile_ends_no_computing(
    large_run: RunFolder,
) -> None:
    entries = large_run.record().entries
    with JudgePool(large_run, jobs=2) as judges:
        judges.on_run_start(large_run.record())
        judges.on_case_end(entries[0])
        for child in multiprocessing.active_children():
            child.kill()
            child.join()
        for entry in entries[1:20]:
            judges.on_case_end(entry)
            time.sleep(0.01)
        with pytest.raises(ParityError, match=r"ended from outside.*--jobs 1"):
            judge(large_run, large_run.record(), jobs=2, judges=judges)


def test_a_process_that_was_being_started_when_another_died_is_not_waited_for(
    large_run: RunFolder,
) -> None:
    entries = large_run.record().entries
    with JudgePool(large_run, jobs=2) as judges:
        judges.on_run_start(large_run.record())
        judges.on_case_end(entries[0])
        ((_, future),) = judges._begun.values()
        future.result()
        pool = judges._pool
        assert pool is not None
        late = get_context("spawn").Process(target=time.sleep, args=(3600,))
        manager = pool._executor_manager_thread
        for child in multiprocessing.active_children():
            child.kill()
        while not pool._broken:
            time.sleep(0.01)
        manager.join(30)  # type: ignore[union-attr] # it goes over what is added below
        late.start()  # as the pool may be doing in another thread
        assert late.pid is not None
        pool._processes[late.pid] = late
    late.join(30)
    assert late.exitcode == -signal.SIGKILL
