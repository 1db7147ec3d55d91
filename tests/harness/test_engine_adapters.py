"""Whatever an adapter does in its process, it does to nobody else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from rnn_parity.store.folder import RunFolder
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import BackendInfo
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Report, Result

CASES = catalogue.select(["notebook"], ["basic", "dynamic"], ["float32"])

Run = Callable[..., tuple[Report, RunFolder]]


def named(info: BackendInfo, name: str, **changes: object) -> BackendInfo:
    return replace(info, name=name, **changes)


def of(report: Report, backend: str) -> list[Result]:
    return [result for result in report.results if result.backend == backend]


NOISY = """
import os, sys
from rnn_parity_backends.on_numpy.adapter import NumpyBackend

print("while imported")
os.write(1, b"raw on import\\n")

class Noisy(NumpyBackend):
    def run(self, problem):
        print("printed", file=sys.__stdout__, flush=True)
        print("complained", file=sys.stderr)
        os.write(1, b"\\xff\\x00 raw bytes \\x1b[31m\\n" * 1000)
        os.system("echo from a child")
        return super().run(problem)
"""


def test_whatever_an_adapter_prints_goes_to_its_log_and_disturbs_nothing(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "noisy_rnn.py").write_text(NOISY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    noisy = named(INFO, "noisy", adapter="noisy_rnn:Noisy")
    report, folder = run(CASES, [noisy])
    assert [result.verdict for result in report.results] == ["pass", "pass"]
    log = folder.log("noisy").read_bytes()
    for words in (
        b"while imported",
        b"raw on import",
        b"printed\n",
        b"complained",
        b"a child",
    ):
        assert words in log
    assert log.count(b"raw bytes") == 3 * 1000  # the first case is computed twice
    assert capfd.readouterr() == ("", "")


ODD = """
import os, time
import rnn_parity_backends.worker
from rnn_parity_backends.on_numpy.adapter import NumpyBackend

class Odd(NumpyBackend):
    def versions(self):
        return {"odd": None}

class Gone(NumpyBackend):
    def run(self, problem):
        os.kill(os.getpid(), 35)  # SIGRTMIN + 1, which Python has no name for

class Closing(NumpyBackend):
    def run(self, problem):
        os.closerange(3, 100)
        time.sleep(3600)

class Talks(NumpyBackend):
    def run(self, problem):
        if problem.case.variant == "basic":
            print("not the last words")
        os._exit(7)

class Wordy(NumpyBackend):
    def run(self, problem):
        raise TypeError(f"{[0.5] * 9000} is no tensor")

def forged(answer):
    def construct():
        rnn_parity_backends.worker._Adapter.answer = lambda self, *problem: answer
        return NumpyBackend()
    return construct

nothing, number, unknown = forged(()), forged(5), forged(("done", b"", 1.0))
unnamed, loaded = forged(((), b"", 1.0)), forged(("loaded", b""))
textual, too_much = forged(("outcome", "", 1.0)), forged(("outcome", b"", 1.0, 1))
untimed, endless = forged(("outcome", b"", None)), forged(("outcome", b"", 1e999))
early, no_reason = forged(("outcome", b"", -1.0)), forged(("error", 7))
lines = forged(("error", "it\\nraised \\x1b[31m"))
"""

NO_ANSWER = "the worker answers what is no answer to 'run': "


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ("Odd", "did not start"),
        ("Gone", "the worker process was killed by"),
        ("Closing", "the worker process closed its connection and went on; killed"),
        ("nothing", f"{NO_ANSWER}() ["),
        ("number", f"{NO_ANSWER}5 ["),
        ("unknown", f"{NO_ANSWER}('done', b'', 1.0) ["),
        ("unnamed", f"{NO_ANSWER}((), b'', 1.0) ["),
        ("loaded", f"{NO_ANSWER}('loaded', b'') ["),
        ("textual", f"{NO_ANSWER}('outcome', '', 1.0) ["),
        ("too_much", f"{NO_ANSWER}('outcome', b'', 1.0, 1) ["),
        ("untimed", f"{NO_ANSWER}('outcome', b'', None) ["),
        ("endless", f"{NO_ANSWER}('outcome', b'', inf) ["),
        ("early", f"{NO_ANSWER}('outcome', b'', -1.0) ["),
        ("no_reason", f"{NO_ANSWER}('error', 7) ["),
        ("lines", "it raised \N{REPLACEMENT CHARACTER}[31m ["),
    ],
)
def test_what_nobody_expects_of_an_adapter_leaves_the_others_alone(
    attribute: str,
    words: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "odd_rnn.py").write_text(ODD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    odd = named(INFO, "odd", adapter=f"odd_rnn:{attribute}")
    report, _ = run(CASES, [odd, INFO])
    assert [result.verdict for result in of(report, "numpy")] == ["pass", "pass"]
    assert [result.verdict for result in of(report, "odd")] == ["error", "error"]
    assert all(result.detail.startswith(words) for result in of(report, "odd"))


def test_last_words_are_the_workers_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_rnn.py").write_text(ODD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report, _ = run(CASES, [named(INFO, "odd", adapter="odd_rnn:Talks")])
    first, second = (result.detail for result in report.results)
    assert "status 7; it last printed: not the last words [" in first
    assert "status 7 [" in second


def test_of_a_long_error_both_ends_are_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_rnn.py").write_text(ODD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report, _ = run(CASES[:1], [named(INFO, "odd", adapter="odd_rnn:Wordy")])
    (said,) = (result.detail for result in report.results)
    assert said.startswith("TypeError: [0.5, 0.5, ")
    assert " … " in said
    assert "0.5] is no tensor [odd, " in said
    assert len(said) < 600
