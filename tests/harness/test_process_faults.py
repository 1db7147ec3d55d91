"""A worker crashes, hangs, fills memory, forks, talks nonsense: one result is lost."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from rnn_parity.processes.guard import MARK, read_memory
from rnn_parity.processes.starting import start
from rnn_parity.runs.run import compute, judge_and_write
from rnn_parity.store.journal import folder_lock
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import BackendInfo, Scalar, UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Report, Result, read_report_document

CASES = catalogue.select(["notebook"], [], ["float32"])
AT = 1  # the case that goes wrong: those before and after it are right
TIMEOUT = 6
MEMORY = 300 * 2**20
OURS = "RNN_PARITY_TEST"  # environment variable that workers of these tests inherit

# Whatever goes wrong does so in one case. `pipes` are the descriptors that the process
# speaks to us by: execnet's copies of its first stdin and stdout.
FAULTY = f"""
import ctypes, os, signal, stat, subprocess, sys, threading, time
import numpy as np
import rnn_parity_backends.worker as worker
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import Absent

def pipes():
    return [n for n in range(3, 64) if is_pipe(n)]

def is_pipe(number):
    try:
        return stat.S_ISFIFO(os.fstat(number).st_mode)
    except OSError:
        return False

def say(data):
    for number in pipes():
        try:
            os.write(number, data)
        except OSError:
            pass  # the end that is read from

def hidden(seconds):
    # A child that has left the group, and whose parent is gone.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(seconds)
        os._exit(0)
    os.wait()

def fill():
    held = []
    while True:
        held.append(np.ones(2**23))
        time.sleep(0.01)

def channel():
    frame = sys._getframe()
    while "channel" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["channel"]

def another():
    packed = worker._packed

    def once(outcome, problem):
        worker._packed = packed
        return worker.pack(outcome, {{"case": "another"}})

    worker._packed = once

class Wrong(NumpyBackend):
    def __init__(self, fault):
        super().__init__()
        self.fault = fault

    def run(self, problem):
        if problem.case.id != {CASES[AT].id!r}:
            return super().run(problem)
        return FAULTS[self.fault](super().run(problem)) or super().run(problem)

class Vanishes(NumpyBackend):
    def __init__(self, sign):
        if os.path.exists(sign):
            raise Absent("the device is gone")
        super().__init__()
        self.sign = sign

    def run(self, problem):
        if problem.case.id == {CASES[AT].id!r}:
            open(self.sign, "w")
            os._exit(9)
        return super().run(problem)

FAULTS = dict(
    killed=lambda _: os.kill(os.getpid(), signal.SIGKILL),
    segfault=lambda _: ctypes.string_at(0),
    aborted=lambda _: os.abort(),
    exits=lambda _: (print("last words"), os._exit(7)),
    hangs=lambda _: time.sleep(3600),
    stopped=lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    fills=lambda _: fill(),
    child_fills=lambda _: (os.fork() or fill(), time.sleep(3600)),
    prints=lambda _: (
        os.write(1, b"\\xff\\x00 \\x1b[2J\\n" * 2**18), os.write(2, b"\\x00" * 2**20),
        print("\\x1b[31mred\\udcff"), None)[-1],
    orphan_dies=lambda _: (hidden(3600), os._exit(8)),
    orphan_lives=lambda _: hidden(3600),
    returns_twice=lambda _: os.fork() and None,
    child_writes=lambda _: (os.fork() or (say(b"garbage" * 99), os._exit(0)),
                            time.sleep(3600)),
    garbage=lambda _: say(b"\\xff" * 2**12),
    half=lambda _: (say(b"\\x06\\x00\\x00"), os._exit(9)),
    half_hangs=lambda _: (say(b"\\x06\\x00\\x00\\x00\\x01\\x00\\x00\\xff\\xff"),
                          time.sleep(3600)),
    unasked=lambda _: channel().send((0, ("outcome", b"", 0.5))),
    no_tuple=lambda _: channel().send({{"a": [1]}}),
    huge_text=lambda _: channel().send("x" * 2**24),
    huge_number=lambda _: channel().send(2**200),
    closes=lambda _: channel().close(),
    closed=lambda _: (os.closerange(3, 64), time.sleep(3600)),
    a_list=lambda outcome: {{n: a.tolist() for n, a in outcome.items()}},
    no_mapping=lambda _: 5,
    objects=lambda outcome: {{n: a.astype(object) for n, a in outcome.items()}},
    shapes=lambda outcome: {{n: a[..., :1] for n, a in outcome.items()}},
    huge=lambda outcome: {{n: np.zeros(2**22, "float32") for n in outcome}},
    nan=lambda outcome: {{n: a * np.float32("nan") for n, a in outcome.items()}},
    another=lambda _: another(),
)
"""

DIED = "the worker process was killed by "
ENDED = "the worker process ended with status "
HUNG = f"hung: no answer within {TIMEOUT} s; killed"
FULL = "used more than 300 MiB; killed"
WENT_ON = "the worker process closed its connection and went on; killed"
GARBLED = "what comes from the worker process is no message; killed"
NONSENSE = "the worker answers what is no answer to 'run': "

# Fault → the verdict of the case that it is in, and how its detail begins.
EXPECTED = {
    "killed": ("error", f"{DIED}SIGKILL"),
    "segfault": ("error", f"{DIED}SIGSEGV"),
    "aborted": ("error", f"{DIED}SIGABRT"),
    "exits": ("error", f"{ENDED}7; it last printed: last words"),
    "hangs": ("error", HUNG),
    "stopped": ("error", HUNG),
    "fills": ("error", FULL),
    "child_fills": ("error", FULL),
    "prints": ("pass", ""),
    "orphan_dies": ("error", f"{ENDED}8"),
    "orphan_lives": ("pass", ""),
    "returns_twice": ("pass", ""),
    "child_writes": ("error", HUNG),
    "garbage": ("error", GARBLED),
    "half": ("error", f"{ENDED}9"),
    "half_hangs": ("error", HUNG),
    "unasked": ("error", f"{NONSENSE}(0, ('outcome', b'', 0.5))"),
    "no_tuple": ("error", f"{NONSENSE}{{'a': [1]}}"),
    "huge_text": ("error", f"{NONSENSE}'xxxx"),
    "huge_number": ("error", f"{NONSENSE}160693804425"),
    "closes": ("error", "OSError: "),
    "closed": ("error", WENT_ON),
    "a_list": ("error", "TypeError: "),
    "no_mapping": ("error", "AttributeError: "),
    "objects": ("error", "FileError: "),
    "shapes": ("fail", "final_h has shape "),
    "huge": ("error", "its outcome has "),
    "nan": ("fail", ""),
    "another": ("error", ""),
}


def faulty(fault: str) -> BackendInfo:
    return replace(
        INFO, name=fault, adapter="faulty_rnn:Wrong", options={"fault": fault}
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder, see that no process, descriptor or thread of its runs is left."""
    path = tmp_path_factory.mktemp("faults")
    (path / "faulty_rnn.py").write_text(FAULTY)
    # The thread that starts children, and the supervisor, stay as long as we do.
    start(["true"], "", {}, subprocess.DEVNULL).communicate()
    before = set(Path("/proc/self/fd").iterdir()), threading.active_count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(path))
        patch.setenv(OURS, str(path))
        yield path
    deadline = time.monotonic() + 10
    while (after := left(path)) != (*before, []) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert after == (*before, [])


def left(path: Path) -> tuple[set[str], int, list[str]]:
    """Give our descriptors and threads, and what lives of a test's workers."""
    living = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            of = process.environ()
            if MARK in of and of.get(OURS) == str(path):
                living.append(str(process))
    return set(Path("/proc/self/fd").iterdir()), threading.active_count(), living


def ran(infos: list[BackendInfo], out: Path) -> Report:
    limits: dict[str, Any] = {"timeout": TIMEOUT, "memory": MEMORY}
    return judge_and_write(compute(CASES, infos, out, jobs=3, **limits))


@pytest.fixture(scope="module")
def healthy(place: Path) -> Path:
    """Give the folder of a run without a fault."""
    ran([INFO], place / "healthy")
    return place / "healthy"


@pytest.fixture(scope="module")
def crowd(place: Path) -> Path:
    """Give one run of everything that goes wrong, with a healthy one in its midst."""
    infos = [faulty(fault) for fault in EXPECTED]
    ran([*infos[:9], INFO, *infos[9:]], place / "crowd")
    return place / "crowd"


def results(out: Path, backend: str) -> list[Result]:
    """Give a backend's results, without its name and times."""
    report = read_report_document(out)
    return [
        replace(result, backend="", seconds=None, reproduce="")
        for result in report.results
        if result.backend == backend
    ]


def outcome(out: Path, backend: str, case: str) -> bytes:
    return (out / f"outcomes/{backend}/{case}.safetensors").read_bytes()


def check(out: Path, fault: str, healthy: Path) -> None:
    """See that one result is wrong as it must be, and every other one whole."""
    verdict, words = EXPECTED[fault]
    found, right = results(out, fault), results(healthy, "numpy")
    said = found[AT].detail
    assert (found[AT].verdict, said[: len(words)]) == (verdict, words), said
    assert said.isprintable()
    assert len(said) < 1200
    for number in {0, 1, 2, 3} - {AT}:
        case = CASES[number].id
        assert found[number] == right[number]
        assert outcome(out, fault, case) == outcome(healthy, "numpy", case)


@pytest.mark.parametrize("fault", EXPECTED)
def test_all_faults_at_once_cost_one_result_each(
    fault: str, crowd: Path, healthy: Path
) -> None:
    check(crowd, fault, healthy)


def test_a_healthy_backend_among_all_faults_is_as_it_is_alone(
    crowd: Path, healthy: Path
) -> None:
    assert results(crowd, "numpy") == results(healthy, "numpy")
    for case in CASES:
        files = [outcome(out, "numpy", case.id) for out in (crowd, healthy)]
        assert files[0] == files[1]


@pytest.mark.slow
@pytest.mark.parametrize("fault", EXPECTED)
def test_a_fault_alone_costs_one_result(fault: str, place: Path, healthy: Path) -> None:
    ran([faulty(fault)], place / "alone")
    check(place / "alone", fault, healthy)


def test_a_device_that_is_gone_with_its_worker_ends_no_run(place: Path) -> None:
    options: dict[str, Scalar] = {"sign": str(place / "sign")}
    adapter = "faulty_rnn:Vanishes"
    infos = [replace(INFO, name="gone", adapter=adapter, options=options), INFO]
    report = ran(infos, place / "vanished")
    said = [r.verdict for r in report.results if r.backend == "gone"]
    assert said == ["pass", "error", "absent", "absent"]
    assert {r.verdict for r in report.results if r.backend == "numpy"} == {"pass"}


@pytest.mark.parametrize("words", ["4", "4GB", "-1G", "0G", "1.5G", "G", "9999999K"])
def test_a_size_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match=r"is none; give a whole number and K"):
        read_memory(words)


def test_sizes_count_by_1024() -> None:
    assert [read_memory(words) for words in ("", "3K", "2M", "4G", "1T")] == [
        *(0, 3 * 2**10, 2 * 2**20),
        *(4 * 2**30, 2**40),
    ]


def test_the_memory_of_another_machine_is_not_promised(tmp_path: Path) -> None:
    far = replace(INFO, host="ssh:box")
    with pytest.raises(UsageError, match="is not seen from here"):
        compute(CASES, [far], tmp_path / "run", jobs=1, timeout=9, memory=2**30)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "command",
    [("run",), ("graph", CASES[0].id, "--format", "json")],
)
def test_a_limit_of_memory_is_kept_by_every_command_that_has_one(
    command: tuple[str, ...], command_line: Callable[..., tuple[int, str, str]]
) -> None:
    given = (*command, "--backends", "numpy", "--memory")
    status, out, _ = command_line(*given, "1M")
    assert (status, "used more than 1 MiB; killed" in out) == (3, True)
    status, _, err = command_line(*given, "1")
    assert (status, "memory of '1' is none" in err) == (2, True)


def test_a_limit_of_memory_is_kept_in_pytest(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    given = ("--parity-backends", "numpy", "--parity-memory")
    done = run_pytest(*given, "1M")
    done.assert_outcomes(failed=4)
    done.stdout.fnmatch_lines(["*used more than 1 MiB*"])
    run_pytest(*given, "1").stderr.fnmatch_lines(["*memory of '1' is none*"])


def test_pytest_runs_in_no_folder_that_is_at_work(
    run_pytest: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    with folder_lock(pytester.path / "parity-report"):
        done = run_pytest("--parity-backends", "numpy")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*another run is at work in*"])
