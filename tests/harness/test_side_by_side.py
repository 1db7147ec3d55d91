"""Work in threads, and its end where a signal comes."""

import threading
from collections.abc import Callable, Iterator

import pytest

from rnn_parity.workers.pool import side_by_side


def test_what_each_gives_comes_in_order() -> None:
    first_may_end = threading.Event()

    def first() -> str:
        assert first_may_end.wait(10)
        return "first"

    def second() -> str:
        first_may_end.set()
        return "second"

    assert side_by_side([first, second], 2, lambda: None) == ["first", "second"]


def test_a_signal_while_threads_are_started_ends_those_that_run() -> None:
    ended = threading.Event()

    def work() -> Iterator[Callable[[], bool]]:
        yield lambda: ended.wait(60)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work(), 2, ended.set)
    assert ended.is_set()
