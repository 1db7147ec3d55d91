"""A worker on another machine dies as one here, and nothing of it is left there."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnn_parity.runs.engine import Runner
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity.workers.protocol import WorkerError
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import Problem
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import plant
from sshd import Sshd, asked, on, wait_until

pytestmark = pytest.mark.usefixtures("ssh_config")

CASES = catalogue.select(["notebook"], ["basic", "dynamic"], ["float32"])


def test_misbehaviour_there_is_an_error_for_each_case_and_disturbs_nobody(
    machine: Sshd, tmp_path: Path
) -> None:
    where = f"the worker process on {machine.address}"
    expected = {
        "numpy+killed": f"{where} was killed by SIGKILL [",
        "numpy+exits": f"{where} ended with status 7 [",
        "numpy+hangs": "hung: no answer within 3 s; killed [",
        "talkative": f"{where} was killed by SIGSEGV; it last printed: "
        "famous \ufffd[31m last words [",
        "parent": "hung: no answer within 3 s; killed [",
    }
    infos = [on(machine, plant(INFO, fault)) for fault in ("killed", "exits", "hangs")]
    for name in ("talkative", "parent"):
        adapter = f"acme_far:{name.title()}"
        infos.append(on(machine, INFO, name=name, adapter=adapter))
    infos.insert(3, INFO)
    folder = compute(CASES, infos, tmp_path / "run", jobs=3, timeout=3)
    results = judge_and_write(folder).results
    assert [r.verdict for r in results if r.backend == "numpy"] == ["pass", "pass"]
    for result in results:
        if result.backend != "numpy":
            assert result.verdict == "error"
            assert result.detail.startswith(expected[result.backend])
    wait_until(machine.is_clean)


@pytest.fixture
def hanging(machine: Sshd, tmp_path: Path) -> Iterator[Worker]:
    """Give a worker over there that will never answer."""
    worker = Worker(tmp_path / "log", sys.executable, machine.address)
    worker.load(plant(INFO, "hangs"))
    yield worker
    worker.close()
    wait_until(machine.is_clean)


def _ends(worker: Worker, problem: Problem, kill: Callable[[], None]) -> str:
    """Give what is said when something is killed in the middle of a problem."""
    timer = threading.Timer(0.5, kill)
    timer.start()
    with pytest.raises(WorkerError) as caught:
        worker.run("numpy+hangs", problem, 60)
    timer.join()
    return str(caught.value)


def test_ssh_killed_in_the_middle_is_said_and_leaves_nothing_there(
    hanging: Worker, problem: Problem
) -> None:
    assert hanging._process
    said = _ends(hanging, problem, hanging._process.popen.kill)
    assert said == "the ssh program was killed by SIGKILL"


def test_what_a_terminal_sends_to_all_of_a_run_does_not_reach_ssh(
    hanging: Worker,
) -> None:
    assert hanging._process
    assert os.getpgid(hanging._process.popen.pid) != os.getpgid(0)


def test_a_lost_connection_is_said_and_leaves_nothing_there(
    hanging: Worker, machine: Sshd, problem: Problem
) -> None:
    def lose() -> None:
        for pid in machine.sessions():
            os.kill(pid, signal.SIGKILL)

    said = _ends(hanging, problem, lose)
    assert said.startswith(f"the connection to {machine.address} was lost; it last ")
    assert "closed by remote host" in said


def test_the_worker_killed_from_outside_is_said(
    hanging: Worker, machine: Sshd, problem: Problem
) -> None:
    (pid,) = machine.workers()
    said = _ends(hanging, problem, lambda: os.kill(pid, signal.SIGABRT))
    assert said == f"the worker process on {machine.address} was killed by SIGABRT"


def test_what_starts_but_is_no_worker_is_said(
    machine: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnn_parity.workers.child.START_TIMEOUT", 2)
    for name, script, words in (
        ("echoes", "cat", "what was started answers, but as no worker"),
        ("silent", "cat > /dev/null", "hung: no answer within 2 s; killed"),
        ("ends", "echo sorry >&2; exit 3", f"on {machine.address} ended with status 3"),
    ):
        worker = Worker(tmp_path / name, machine.python(name, script), machine.address)
        with pytest.raises(WorkerError) as caught:
            worker.load(INFO)
        worker.close()
        assert words in str(caught.value)
    assert str(caught.value).endswith("; it last printed: sorry")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_who_ends_a_run_ends_it_there_too(
    machine: Sshd, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    command = [sys.executable, "-m", "rnn_parity", "run", "--cases", "standard"]
    chosen = ["--backends", "numpy", "--out", str(tmp_path), *asked(machine, "numpy")]
    process = subprocess.Popen(
        [*command, *chosen],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: bool(list((tmp_path / "outcomes").glob("*/*"))))
    os.killpg(process.pid, number)  # as a terminal does
    assert process.wait(20) == status
    wait_until(machine.is_clean)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_ends_the_keeper_ends_the_worker(
    hanging: Worker, machine: Sshd, problem: Problem, number: signal.Signals
) -> None:
    (pid,) = machine.keepers()
    said = _ends(hanging, problem, lambda: os.kill(pid, number))
    assert said.endswith(f"on {machine.address} was killed by {number.name}")


def test_a_worker_that_reads_nothing_and_cannot_end_by_itself_is_ended_there(
    hanging: Worker, machine: Sshd
) -> None:
    case = "rnn_tanh-dynamic-B64-T256-D256-H5-f32-s1"  # more than pipes hold
    (pid,) = machine.workers()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match="hung: no answer within 1 s; killed"):
        hanging.run("numpy+hangs", catalogue.build(catalogue.case_from_id(case)), 1)
    wait_until(machine.is_clean)


def test_a_machine_that_goes_away_is_an_error_from_then_on(
    own: Sshd, problem: Problem, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    with Runner(on(own, INFO), folder, 60) as runner:
        assert runner.entry(problem).status == "done"
        own.stop()
        lost, gone = runner.entry(problem), runner.entry(problem)
    assert (lost.status, gone.status) == ("error", "error")
    assert lost.detail.startswith(f"the connection to {own.address} was lost")
    assert gone.detail.startswith("did not start: the connection to")
    assert gone.detail.endswith("Connection refused")
    with Runner(on(own, INFO), folder, 60) as runner:
        entry = runner.entry(problem)
    assert entry.detail.startswith("did not start: cannot log in to")
    own.start()
