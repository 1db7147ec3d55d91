"""A process ends with its group, and no other is ended by a number that is free."""

import subprocess
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from rnn_parity.processes import guard
from rnn_parity.processes.guard import (
    Guard,
    ended_within,
    has_ended,
    kill_process_tree,
    new_mark,
)

# Starts another process that no mark is known of, says its number, and ends.
LEAVES = "env -i sleep 1000 > /dev/null & echo $!"


def begun(script: str) -> "subprocess.Popen[bytes]":
    command = ["/bin/sh", "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)


def buried(process: "subprocess.Popen[bytes]") -> None:
    kill_process_tree(process, new_mark())


def guarded(process: "subprocess.Popen[bytes]") -> None:
    with Guard(process, new_mark(), 60, 0) as watched:
        assert watched.ended.wait(20)
    assert not watched.reason


@pytest.mark.parametrize("end", [buried, guarded])
def test_what_a_dead_leader_left_in_its_group_ends(
    end: Callable[["subprocess.Popen[bytes]"], None],
) -> None:
    with begun(LEAVES) as process:
        assert process.stdout
        left = psutil.Process(int(process.stdout.readline()))
        assert ended_within(process, 20)
        assert left.is_running()
        end(process)
        assert process.returncode is None, "it was waited for before its group ended"
        with suppress(psutil.NoSuchProcess):
            left.wait(20)
    assert process.returncode == 0


def test_the_number_of_one_that_was_waited_for_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killpg(number: int, _: int) -> None:
        pytest.fail(f"{number} may be another's")

    monkeypatch.setattr(guard.os, "killpg", killpg)
    with begun("exit 3") as process:
        assert process.wait() == 3
        buried(process)


def test_one_that_takes_too_long_is_ended_when_its_time_is_over() -> None:
    with begun("exec sleep 1000") as process:
        with Guard(process, new_mark(), 0.3, 0) as watched:
            ended = watched.ended.wait(20)
        buried(process)
    assert ended
    assert watched.reason == "hung: no answer within 0.3 s; killed"


def test_one_that_lives_has_not_ended() -> None:
    with begun("exec sleep 1000") as process:
        assert not ended_within(process, 0.1)
        buried(process)
        assert ended_within(process, 20)
    assert has_ended(process)
