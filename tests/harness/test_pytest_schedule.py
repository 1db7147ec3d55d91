"""Which process of pytest-xdist is sent what, seen without any process."""

import pytest
from xdist.remote import Producer

from rnn_parity.pytest_plugin.schedule import ByBackend


class Node:
    """A process that is sent tests and never answers."""

    id, shutting_down = "gw", False

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.gateway = self

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def handed_out(config: pytest.Config, tests: list[str], nodes: int) -> list[list[str]]:
    """Schedule tests on processes that do each of them at once, one after the other."""
    ours = {test: test.partition("[")[2] for test in tests if "[" in test}
    scheduler = ByBackend(config, Producer("test"), ours)
    made = [Node() for _ in range(nodes)]
    for node in made:
        scheduler.add_node(node)
    for node in made:
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    while not scheduler.tests_finished:
        busy = [node for node in made if len(scheduler.node2pending[node]) > 1]
        assert busy, "no process knows of a second test, so that none begins one"
        for node in busy:
            scheduler.mark_test_complete(node, scheduler.node2pending[node][0])
    return [[tests[index] for index in node.sent] for node in made]


@pytest.fixture
def config(
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> pytest.Config:
    monkeypatch.setattr(pytestconfig.option, "tx", ["popen", "popen"])
    monkeypatch.setattr(pytestconfig.option, "maxschedchunk", None)
    return pytestconfig


@pytest.mark.parametrize("cases", [1, 2, 3, 20])
@pytest.mark.parametrize("backends", [1, 2, 3, 5])
@pytest.mark.parametrize("others", [0, 1, 7, 40])
def test_a_backend_is_in_one_process_and_every_test_is_handed_out_once(
    cases: int, backends: int, others: int, config: pytest.Config
) -> None:
    tests = [f"test_mine.py::test_{n}" for n in range(others)]
    tests += [f"parity::{c}[{b}]" for b in range(backends) for c in range(cases)]
    sent = handed_out(config, tests, 2)
    assert sorted(test for own in sent for test in own) == sorted(tests)
    for backend in range(backends):
        where = [n for n, own in enumerate(sent) if f"parity::0[{backend}]" in own]
        for case in range(cases):
            assert f"parity::{case}[{backend}]" in sent[where[0]]


def test_backends_are_shared_out_among_processes(config: pytest.Config) -> None:
    tests = [f"parity::{case}[{b}]" for b in "abcd" for case in range(4)]
    first, second = handed_out(config, tests, 2)
    assert len(first) == len(second) == 8
