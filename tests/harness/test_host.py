"""A backend's worker runs on another machine, and dies there as it does here."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from backends.on_numpy import INFO
from fixtures import catalogue
from fixtures.faults import plant
from harness.backend import BackendInfo
from harness.errors import UsageError
from harness.folder import RunFolder
from harness.results import read_report_document
from harness.run.answers import WorkerError
from harness.run.engine import Runner
from harness.run.host import CONFIG, check_host
from harness.run.process import Worker
from harness.run.registry import select_backends
from harness.session import compute, judge_and_write
from harness.spec import Problem
from sshd import Sshd, wait_until

Cli = Callable[..., tuple[int, str, str]]
CASES = catalogue.select(["notebook"], ["basic", "dynamic"], ["float32"])

# What is installed over there.
ADAPTER = """
import os, subprocess, sys
import harness
from backends.on_numpy.adapter import NumpyBackend

class Talkative(NumpyBackend):
    def run(self, problem):
        print("famous \\x1b[31m last words")
        os.kill(os.getpid(), 11)

class Parent(NumpyBackend):
    def run(self, problem):
        sleep = "import time; time.sleep(3600)"
        subprocess.run([sys.executable, "-c", sleep, harness.__file__])
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Give a machine that ssh logs in to."""
    started = Sshd(tmp_path_factory.mktemp("machine"))
    (started.site / "acme_far.py").write_text(ADAPTER)
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _ssh_config(machine: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG, str(machine.config))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """Give a machine to be changed and stopped."""
    folder = tmp_path / "own"
    folder.mkdir()
    started = Sshd(folder)
    monkeypatch.setenv(CONFIG, str(started.config))
    yield started
    started.stop()


def on(machine: Sshd, info: BackendInfo, **changes: str) -> BackendInfo:
    return replace(info, host=machine.address, interpreter=sys.executable, **changes)


def asked(machine: Sshd, name: str, python: str = sys.executable) -> list[str]:
    """Give the options that send a backend there."""
    return ["--host", f"{name}={machine.address}", "--python", f"{name}={python}"]


def refusal(machine: Sshd, python: str = "", backend: str = "numpy") -> str:
    """Give the line that refuses a backend on a machine."""
    chosen = [f"{backend}={python}"] if python else []
    with pytest.raises(UsageError) as caught:
        select_backends([backend], chosen, [f"{backend}={machine.address}"])
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_backend_there_gives_the_same_bits_as_here_and_the_report_says_where(
    backend: str, machine: Sshd, rnn_parity: Cli, tmp_path: Path
) -> None:
    far = f"{backend}#far"
    chosen = ["--backends", f"{backend},{far}", *asked(machine, far)]
    status, out, err = rnn_parity("run", "--cases", "notebook", *chosen)
    assert (status, err) == (0, ""), out
    report = read_report_document(tmp_path / "parity-report")
    here, there = report.backends[backend], report.backends[far]
    assert there == replace(here, host=machine.address)
    assert report.results[1].reproduce.endswith(shlex.join(asked(machine, far)))
    for view in ("report.html", "report.md"):
        text = (tmp_path / "parity-report" / view).read_text()
        assert f"{far} on {machine.address}" in text.replace("\\", "")
    between = ["parity-report", "--between", f"{backend},{far}"]
    status, out, _ = rnn_parity("compare", *between)
    assert status == 0
    assert f"{far}: 4 equal to the last bit, 0 moved" in out
    assert f"host: none → {machine.address}" in out
    wait_until(machine.is_clean)


def test_what_is_missing_there_is_named_with_a_command_that_works(
    machine: Sshd, tmp_path: Path
) -> None:
    venv.create(tmp_path / "it's bare", symlinks=True)
    python = str(tmp_path / "it's bare/bin/python")
    said = refusal(machine, python, "jax")
    assert "ml_dtypes, msgspec, numpy, safetensors, jax, jaxlib, optax not inst" in said
    command = shlex.split(said.partition("install with: ")[2])
    assert command[:4] == ["ssh", "-F", str(machine.config), "-p"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith("No module named pip")


def test_an_adapter_of_another_package_must_be_installed_there(
    machine: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("acme_far", "acme_here"):
        info = f"replace(INFO, name={name!r}, adapter='{name}:Talkative')"
        (tmp_path / f"{name}_info.py").write_text(
            f"from backends.on_numpy import *\nfrom msgspec.structs import replace\n"
            f"INFO = {info}\n"
        )
        entry = tmp_path / f"{name}-1.dist-info"
        entry.mkdir()
        (entry / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
        points = f"[rnn_parity.backends]\nx = {name}_info:INFO\n"
        (entry / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = "acme_here not installed there; install with: ssh "
    assert words in refusal(machine, sys.executable, "acme_here")
    python, host = f"acme_far={sys.executable}", f"acme_far={machine.address}"
    (found,) = select_backends(["acme_far"], [python], [host])
    assert (found.host, found.interpreter) == (machine.address, sys.executable)


def test_who_cannot_log_in_hears_what_ssh_says(own: Sshd) -> None:
    words = f"cannot log in to {own.address}: ssh says '"
    own.believe("other")
    assert refusal(own).startswith(f"{words}Host key verification failed.'; this must")
    own.believe("host")
    own.log_in_with("other")
    said = refusal(own)
    assert said.startswith(words)
    assert "Permission denied (publickey)." in said
    own.log_in_with("user")
    own.stop()
    assert "Connection refused'" in refusal(own)
    own.config.write_text("Nonsense yes\n")
    assert "terminating, 1 bad configuration options'" in refusal(own)
    own.start()


def test_a_machine_that_nobody_has_seen_before_is_not_believed_and_nobody_is_asked(
    own: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = own.python("asking", f"touch {own.folder}/asked; echo yes")
    monkeypatch.setenv("SSH_ASKPASS", asking)
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    (own.folder / "known").unlink()
    assert "Host key verification failed." in refusal(own)
    assert not (own.folder / "known").exists()
    assert not (own.folder / "asked").exists()


def test_a_python_there_that_is_none_is_refused(machine: Sshd) -> None:
    words = f"no Python answers on {machine.address}, which says"
    said = refusal(machine, "/nowhere/python")
    assert said.startswith(words)
    assert "/nowhere/python: No such file or directory'; give --python" in said
    hello = machine.python("hello", f'echo Welcome; exec {sys.executable} "$@"')
    assert f"{words} 'rnn-parity 3" in refusal(machine, hello)
    old = machine.python("old", "echo rnn-parity 3 9")
    assert "is Python 3.9, expected 3.11 or later; give --python" in refusal(
        machine, old
    )
    assert f"{words} 'nothing'" in refusal(machine, "true")


def test_a_path_there_reaches_no_shell(machine: Sshd, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    for path in (
        f"python3; touch {planted};",
        f"$(touch {planted})",
        f"'`touch {planted}`",
    ):
        assert "no Python answers" in refusal(machine, path)
    for path in ("", "python3\ntouch x"):
        with pytest.raises(UsageError, match="is no path; give --python"):
            select_backends(["numpy"], [f"numpy={path}"], [f"numpy={machine.address}"])
    assert not planted.exists()


def test_a_path_there_may_begin_at_the_home_directory(machine: Sshd) -> None:
    home = subprocess.check_output(machine.run("pwd"), text=True).strip()
    path = os.path.relpath(sys.executable, home)
    chosen = [f"numpy=~/{path}"], [f"numpy={machine.address}"]
    assert select_backends(["numpy"], *chosen)[0].interpreter == f"~/{path}"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "box",
            "ssh:",
            "ssh://box",
            "ssh:@box",
            "ssh:me@",
            "ssh:a@b@c",
            "rsh:box",
        ),
        *("ssh:-oProxyCommand=true", "ssh:me@-F", "ssh:-me@box", "ssh:.", "ssh:~"),
        *("ssh:a b", "ssh:a;b", "ssh:a'b", 'ssh:a"b', "ssh:a\nb", "ssh:a\n", "ssh:a\0"),
        *("ssh:$(a)", "ssh:a`b`", "ssh:a%h", "ssh:a,b", "ssh:a/b", "ssh:bücher"),
        *("ssh:a:", "ssh:a:0", "ssh:a:65536", "ssh:a:-1", "ssh:a:22:23", "ssh:a:٢"),
        *("ssh:::1", "ssh:[::1", "ssh:[::1%lo]", "ssh:[]"),
    ],
)
def test_a_hostile_host_is_refused_in_one_line(host: str) -> None:
    with pytest.raises(UsageError, match="is no host, expected ssh:") as caught:
        check_host(host)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "host",
    ["ssh:box", "ssh:me@gpu-1.example.org:2222", "ssh:10.0.0.1", "ssh:me@[::1]:22"],
)
def test_a_host_is_taken_as_it_is_given(host: str) -> None:
    assert check_host(host) == host


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("numpy", "--host numpy names no backend; for example: --host 'jax=ssh:"),
        ("jax=ssh:box", "unknown backend of --host 'jax'"),
        ("numpy=box", "'box' is no host, expected ssh:"),
    ],
)
def test_an_option_that_names_no_backend_or_host_is_refused(
    given: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        select_backends(["numpy"], [], [given])


def test_without_ssh_there_is_no_other_machine(
    machine: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "cannot start ssh: No such file or directory" in refusal(machine)
    with pytest.raises(WorkerError, match="cannot start ssh: No such file"):
        Worker(tmp_path / "log", "", machine.address).load(INFO)


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
    monkeypatch.setattr("harness.run.process.START_TIMEOUT", 2)
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
    command = [sys.executable, "-m", "harness.cli", "run", "--cases", "standard"]
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
