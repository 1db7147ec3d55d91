"""The first signal ends a command in good order, the second one at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rnn_parity.processes.ending import heed, unbroken

HEEDS = """
import os, signal, time
from rnn_parity.processes.ending import Ended, heed
heed()
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
except Ended as ended:
    print(ended, ended.status, flush=True)
    {then}
"""


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Give the signals that came."""
    found: list[int] = []
    restore = heed(found.append)
    yield found
    restore()


def run(then: str, *before: str) -> tuple[int, str]:
    command = [*before, sys.executable, "-c", HEEDS.format(then=then)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_first_signal_is_raised() -> None:
    assert run("pass") == (0, "ended by SIGTERM 143\n")


@pytest.mark.parametrize("second", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_the_second_signal_ends_at_once(second: str) -> None:
    then = f"os.kill(os.getpid(), signal.{second}); time.sleep(60)"
    status, _ = run(then)
    assert status == -getattr(signal, second)


def test_what_is_to_be_ignored_stays_so() -> None:
    then = "os.kill(os.getpid(), signal.SIGHUP); print('went on')"
    status, said = run(then, "env", "--ignore-signal=HUP")
    assert (status, said.splitlines()[-1]) == (0, "went on")


def test_no_signal_comes_in_the_middle_of_what_is_unbroken(heard: list[int]) -> None:
    with unbroken():
        with unbroken():
            os.kill(os.getpid(), signal.SIGTERM)
        assert heard == []
    assert heard == [signal.SIGTERM]
    with unbroken():
        pass
    assert heard == [signal.SIGTERM]


def test_signals_do_afterwards_what_they_did_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    heed()()
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
