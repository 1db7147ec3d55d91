"""A graph hangs together, large constants are stripped, and what is none is refused."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.runs.graphs import exit_status, graphs
from rnn_parity.workers.process import Worker
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import Problem, Unsupported
from rnn_parity_core.graph import Edge, Graph, GraphResult, Node, Part, constant, typed

ADD = Node("a", "add")


def test_a_constant_of_64_bytes_is_shown_and_a_larger_one_stripped() -> None:
    small = constant("c", "Const", np.arange(16, dtype=np.float32))
    large = constant("c", "Const", np.arange(17, dtype=np.float32))
    assert (small.stripped, large.stripped) == (0, 68)
    assert small.value.startswith("[ 0. 1. 2.")
    assert large.value == "<stripped 68 bytes>"
    assert large.type == "float32[17]"


def test_sizes_that_are_left_open_are_question_marks() -> None:
    assert typed("int32", (None, 5)) == "int32[?,5]"


@pytest.mark.parametrize(
    ("words", "nodes", "edges"),
    [
        ("two nodes", (ADD, ADD), ()),
        ("leads nowhere", (ADD,), (Edge("a", "b"),)),
        ("leads nowhere", (ADD,), (Edge("b", "a"),)),
    ],
)
def test_a_part_that_does_not_hang_together_is_none(
    words: str, nodes: tuple[Node, ...], edges: tuple[Edge, ...]
) -> None:
    with pytest.raises(ValueError, match=words):
        Part("whole", nodes, edges)


def test_parts_that_are_missing_or_there_twice_make_no_graph() -> None:
    loop = Part("whole", (Node("w", "while", calls=("body",)),), ())
    body = Part("body", (ADD,), ())
    assert Graph("jaxpr", (loop, body)).nodes == 2
    with pytest.raises(ValueError, match="part that is missing"):
        Graph("jaxpr", (loop,))
    with pytest.raises(ValueError, match="one title"):
        Graph("jaxpr", (body, body))


ADAPTERS = """
import os, time
import msgspec
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core.graph import Edge, Graph, Node, Part

class Raw(msgspec.Struct):
    form: str
    parts: list

class Old:
    def __init__(self):
        self.inner = NumpyBackend()
        self.versions, self.settings = self.inner.versions, self.inner.settings
        self.run = self.inner.run

class Torn(NumpyBackend):
    def graph(self, problem):
        edge = {"source": "a", "target": "b"}
        return Raw("torn", [{"title": "whole", "nodes": [], "edges": [edge]}])

class Raising(NumpyBackend):
    def graph(self, problem):
        raise KeyError("no such tensor")

class Whole(NumpyBackend):
    def graph(self, problem):
        nodes = (Node("a", problem.case.cell, "input"), Node("b", "Tanh"))
        return Graph("drawn", (Part("whole", nodes, (Edge("a", "b"),)),))

class Endless(NumpyBackend):
    def graph(self, problem):
        open(os.environ["TRACES"], "w").close()
        time.sleep(3600)
"""


@pytest.mark.parametrize(
    ("attribute", "status", "words"),
    [
        ("Old", "unsupported", "its adapter gives no graph"),
        ("Torn", "error", "what it gives is no graph: an edge of part 'whole'"),
        ("Raising", "error", "KeyError: 'no such tensor'"),
        ("Whole", "drawn", ""),
    ],
)
def test_an_adapter_has_a_graph_or_a_reason_why_not(
    attribute: str,
    status: str,
    words: str,
    problem: Problem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "graph_rnn.py").write_text(ADAPTERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    info = replace(INFO, name="odd", adapter=f"graph_rnn:{attribute}")
    (found,) = graphs(problem, [info], jobs=1, timeout=60)
    assert found.status == status
    assert found.reason.startswith(words)
    ops = [n.op for n in found.graph.parts[0].nodes] if found.graph else []
    assert ops == (["rnn_tanh", "Tanh"] if status == "drawn" else [])


def test_an_interruption_ends_what_is_traced(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "graph_rnn.py").write_text(ADAPTERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TRACES", str(tmp_path / "traces"))
    info = replace(INFO, adapter="graph_rnn:Endless")

    def interrupt() -> None:
        while not (tmp_path / "traces").exists():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        graphs(problem, [info, replace(info, name="next")], jobs=1, timeout=60)
    assert time.monotonic() - begun < 50


def test_numpy_says_that_it_keeps_no_graph(
    workers: Callable[[str], Worker], problem: Problem
) -> None:
    worker = workers("numpy")
    worker.load(INFO)
    with pytest.raises(Unsupported, match="keeps no graph"):
        worker.graph("numpy", problem, 60)


def test_the_exit_status_is_that_of_the_worst() -> None:
    empty = Graph("jaxpr", ())
    drawn = GraphResult("a", "drawn", graph=empty)
    declined, died = (
        GraphResult("b", "unsupported", "no"),
        GraphResult("c", "error", "died"),
    )
    assert exit_status([drawn, declined]) == 0
    assert exit_status([declined, GraphResult("d", "absent", "no")]) == 2
    assert exit_status([drawn, died]) == 3


def test_a_graph_is_the_same_after_a_journey_as_json() -> None:
    graph = Graph("jaxpr", (Part("whole", (ADD, Node("b", "c")), (Edge("a", "b"),)),))
    assert msgspec.json.decode(msgspec.json.encode(graph), type=Graph) == graph
