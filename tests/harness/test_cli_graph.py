"""The command that shows graphs: what it refuses, and when it writes nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_parity_core.graph import Edge, Graph, GraphResult, Node, Part

Cli = Callable[..., tuple[int, str, str]]

CASE = "notebook-basic-f32"
WHOLE = Part("whole", (Node("a", "MatMul"), Node("b", "Tanh")), (Edge("a", "b"),))
DRAWN = GraphResult("fake", "drawn", graph=Graph("GraphDef", (WHOLE,)))
DIED = GraphResult("other", "error", "it \x1b[2J died")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[GraphResult]:
    """Give what backends will answer."""
    found: list[GraphResult] = []
    monkeypatch.setattr("rnn_parity.runs.graphs.graphs", lambda *_, **__: found)
    return found


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("unknown case or suite 'notebook-basik-f32'", ["notebook-basik-f32"]),
        ("unknown backend 'jaxx'; did you mean jax", [CASE, "--backends", "jaxx"]),
        ("a timeout of 0 s is none", [CASE, "--timeout", "0"]),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_line(
    words: str, arguments: list[str], command_line: Cli, tmp_path: Path
) -> None:
    status, out, err = command_line("graph", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not [*tmp_path.iterdir()]


def test_nothing_is_written_where_nothing_is_drawn(
    command_line: Cli, tmp_path: Path
) -> None:
    status, out, _ = command_line("graph", CASE, "--backends", "numpy")
    assert status == 2
    assert re.search(r"^numpy +unsupported .*keeps no graph", out, re.MULTILINE)
    assert "nothing is written" in out
    assert not (tmp_path / "graph.html").exists()


def test_a_page_is_written_and_what_failed_is_said(
    command_line: Cli, answers: list[GraphResult], tmp_path: Path
) -> None:
    answers += [DRAWN, DIED]
    status, out, _ = command_line("graph", CASE, "--out", "deep/page.html")
    assert status == 3
    assert re.search(r"^fake +GraphDef +2 +1 +1 +0", out, re.MULTILINE)
    assert re.search(r"^other +error .*it \N{REPLACEMENT CHARACTER}", out, re.MULTILINE)
    page = (tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert ">MatMul</text>" in page


def test_machines_get_json_and_no_page(
    command_line: Cli, answers: list[GraphResult], tmp_path: Path
) -> None:
    answers.append(DRAWN)
    status, out, _ = command_line("graph", CASE, "--format", "json")
    document = json.loads(out)
    assert (status, document["case"]) == (0, CASE)
    nodes = document["backends"][0]["graph"]["parts"][0]["nodes"]
    assert [node["op"] for node in nodes] == ["MatMul", "Tanh"]
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("command", "does"),
    [
        (("graph", CASE), "rnn_parity.runs.graphs.graphs"),
        (
            ("mutation-test", "--backends", "numpy"),
            "rnn_parity.checks.mutation.mutation_test",
        ),
        (("metamorphic",), "rnn_parity.checks.metamorphic.relate"),
        (("measure",), "rnn_parity.adapter_tools.measure.measure_backends"),
        (("compare", "run"), "rnn_parity.runs.run.judge_and_write"),
    ],
)
def test_ctrl_c_is_one_line_and_what_shells_expect(
    command: tuple[str, ...],
    does: str,
    command_line: Cli,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(does, interrupted)
    status, out, err = command_line(*command)
    said = "rnn-parity: interrupted; nothing is kept of what was done; begin again\n"
    assert (status, out, err) == (130, "", said)
    assert not [*tmp_path.iterdir()]


def test_a_page_that_cannot_be_written_is_said(
    command_line: Cli, answers: list[GraphResult], tmp_path: Path
) -> None:
    answers.append(DRAWN)
    (tmp_path / "file").write_text("mine")
    status, _, err = command_line("graph", CASE, "--out", "file/page.html")
    assert (status, "cannot write file/page.html" in err) == (2, True)
    assert (tmp_path / "file").read_text() == "mine"
