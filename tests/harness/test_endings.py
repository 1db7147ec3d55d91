"""Whatever ends a command, two seconds later none of its processes is left.

At one random moment for each command and signal; at more with ENDINGS=8 in the
environment.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import save_file

from cut_runs import run_command
from rnn_parity.runs.run import compute
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_fixtures import catalogue

FILES = Path(__file__).parent / "files"
MOMENTS = int(os.environ.get("ENDINGS", "1"))
SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGKILL")
WITHIN = 2.0
STARTED = 60.0  # seconds that a command may take to listen to signals
OURS = "RNN_PARITY_ENDINGS"
LONGEST = 4.0  # seconds from when a command listens to signals to when one comes

# Sleeps in one way or another, each with a child of its own that has left its session:
# in C with the GIL held, in Python, or stopped.
SLEEPER = """
import ctypes, os, signal, subprocess, time
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_backends.on_numpy import INFO
from msgspec.structs import replace

class Sleeper(NumpyBackend):
    def __init__(self, how): self.how = how
    def run(self, problem):
        subprocess.Popen(["sleep", "900"], start_new_session=True)
        if self.how == "c": ctypes.PyDLL(None).sleep(900)
        if self.how == "stopped": os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(900)

def info(how):
    return replace(INFO, name=how, adapter="sleeper_rnn:Sleeper", options={"how": how})

c, python, stopped = info("c"), info("python"), info("stopped")
"""
ENTRY_POINTS = "[rnn_parity.backends]\n" + "".join(
    f"{how} = sleeper_rnn:{how}\n" for how in ("c", "python", "stopped")
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder where backends sleep, whose processes are known by it."""
    installed = tmp_path / "installed"
    metadata = installed / "sleeper_rnn-1.dist-info"
    metadata.mkdir(parents=True)
    (installed / "sleeper_rnn.py").write_text(SLEEPER)
    (metadata / "METADATA").write_text("Name: sleeper-rnn\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.setenv("PYTHONPATH", str(installed), prepend=os.pathsep)
    monkeypatch.setenv(OURS, str(tmp_path))
    yield tmp_path
    for process in left(tmp_path):
        process.kill()


def left(place: Path) -> list[psutil.Process]:
    """Find all that was started there and still is, but for this process."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(OURS) == str(place)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid()]


def listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether SIGTERM is caught already."""
    said = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(said.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def in_pytest(*options: str) -> list[str]:
    cases = ("--parity-cases", "notebook", "--parity-backends", "c,stopped,python")
    return [sys.executable, "-m", "pytest", "-q", *cases, *options]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a run that is judged for a while, by two processes."""
    names = [f"lstm-dynamic-B16-T200-D16-H64-f32-s{seed}" for seed in range(70)]
    out = tmp_path_factory.mktemp("saved") / "run"
    compute([catalogue.case_from_id(n) for n in names], [INFO], out, jobs=1, timeout=60)
    return out


def command(name: str, place: Path, saved: Path) -> list[str]:
    """Give a command line that lasts until it is ended."""
    all_three, out = "c,stopped,python,numpy", str(place / "out")
    if name == "pytest":
        return in_pytest("-n2", "--parity-out", out)
    rnn_parity = run_command()[:-1]
    if name == "compare":
        return [*rnn_parity, "compare", str(saved), "--jobs", "2"]
    if name == "reading":
        shutil.copy(FILES / "read_for_ever.hdf5", place / "m.h5")
        return [*rnn_parity, "verify", str(place / "m.h5"), "--cell", "lstm"]
    if name == "verify":
        model = {
            "weight_ih_l0": np.ones((4, 3), "f4"),
            "weight_hh_l0": np.ones((4, 4), "f4"),
        }
        save_file(model, place / "m.safetensors")
        rest = [str(place / "m.safetensors"), "--cell", "rnn_tanh"]
    else:
        rest = ["random:40:1"] if name == "sweep" else ["--cases", "notebook"]
    return [*rnn_parity, name, *rest, "--backends", all_three, "--out", out]


def ended(line: list[str], number: str, moment: float, place: Path) -> tuple[int, str]:
    """Run a command until a signal comes; give its status, and what it said."""
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=place
    ) as process:
        deadline = time.monotonic() + STARTED
        while not listens(process):
            assert process.poll() is None
            assert time.monotonic() < deadline, "it does not listen to SIGTERM"
            time.sleep(0.01)
        time.sleep(moment)
        assert process.poll() is None, "it came to its end before"
        process.send_signal(getattr(signal, number))
        begun = time.monotonic()
        while (found := left(place)) and time.monotonic() < begun + WITHIN:
            time.sleep(0.02)
        lines = [" ".join(each.cmdline())[:300] for each in found]
        for each in found:
            each.kill()
        said = process.communicate()[0].decode()
        assert not found, f"left after {moment:.2f} s: {lines}; {said}"
        return process.returncode, said


HANGS = """
import subprocess, time
from rnn_parity.processes import starting
program = "import ctypes; print('here'); ctypes.PyDLL(None).sleep(900)"
hangs = starting.python("", program)
child = starting.start(hangs, starting.new_mark(), {}, subprocess.DEVNULL)
child.stdout.readline()
print(child.pid, starting._supervisor.pid, flush=True)
time.sleep(900)
"""


def test_what_hangs_in_c_ends_with_us_even_without_a_supervisor() -> None:
    command = [sys.executable, "-c", HANGS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pids = map(int, process.stdout.readline().split())
        child, supervisor = map(psutil.Process, pids)
        supervisor.kill()
        assert child.is_running()
        process.kill()
    gone, living = psutil.wait_procs([child], timeout=WITHIN)
    for each in living:
        each.kill()
    assert gone


FORKS = """
import os, subprocess
from rnn_parity.processes import guard, starting

def started():
    child = starting.start(["true"], guard.new_mark(), {}, subprocess.DEVNULL)
    child.communicate()
    return guard.ours(), starting._supervisor.pid

before = started()
fork = os.fork()
if not fork:
    after = started()
    apart = all(one != other for one, other in zip(before, after))
    starting._dismiss()
    os._exit(0 if apart else 1)
status = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
raise SystemExit(status or started() != before)
"""


def test_a_fork_starts_children_of_its_own() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKS]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


OPEN = """
import sys
from pathlib import Path
from rnn_parity.workers.process import Worker
from rnn_parity_backends.on_numpy import INFO
worker = Worker(Path(sys.argv[1]))
worker.load(INFO)
print(worker._process.popen.pid)
"""


def test_a_worker_that_nobody_closed_ends_with_us_and_nothing_is_said(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", OPEN, str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not psutil.pid_exists(int(done.stdout))


@pytest.mark.slow  # alone on a machine: two seconds are short beside other tests
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "name", ["run", "verify", "reading", "sweep", "compare", "pytest"]
)
def test_no_process_outlives_a_command(
    name: str, number: str, place: Path, saved: Path
) -> None:
    line = command(name, place, saved)
    draw = random.Random(f"{name} {number}")  # noqa: S311 - moments, no secrets
    for _ in range(MOMENTS):
        moment = draw.uniform(0, LONGEST)
        status, said = ended(line, number, moment, place)
        assert status != 0, said
        assert "Traceback" not in said or name == "pytest"  # whose own workers do
        if number != "SIGKILL":
            ways = ("go on with: rnn-parity", "begin again")
            assert any(way in said for way in ways), f"after {moment:.2f} s: {said}"
        shutil.rmtree(place / "out", ignore_errors=True)
