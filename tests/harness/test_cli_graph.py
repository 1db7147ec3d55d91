"""The command that shows graphs: what it refuses, and when it writes nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.graph import Drawn, Edge, Graph, Node, Part

Cli = Callable[..., tuple[int, str, str]]

CASE = "notebook-basic-f32"
WHOLE = Part("whole", (Node("a", "MatMul"), Node("b", "Tanh")), (Edge("a", "b"),))
DRAWN = Drawn("fake", "drawn", graph=Graph("GraphDef", (WHOLE,)))
DIED = Drawn("other", "error", "it \x1b[2J died")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Drawn]:
    """Give what backends will answer."""
    found: list[Drawn] = []
    monkeypatch.setattr("harness.drawn.graphs", lambda *_, **__: found)
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
    words: str, arguments: list[str], rnn_parity: Cli, tmp_path: Path
) -> None:
    status, out, err = rnn_parity("graph", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not [*tmp_path.iterdir()]


def test_nothing_is_written_where_nothing_is_drawn(
    rnn_parity: Cli, tmp_path: Path
) -> None:
    status, out, _ = rnn_parity("graph", CASE, "--backends", "numpy")
    assert status == 2
    assert re.search(r"^numpy +unsupported .*keeps no graph", out, re.MULTILINE)
    assert "nothing is written" in out
    assert not (tmp_path / "graph.html").exists()


def test_a_page_is_written_and_what_failed_is_said(
    rnn_parity: Cli, answers: list[Drawn], tmp_path: Path
) -> None:
    answers += [DRAWN, DIED]
    status, out, _ = rnn_parity("graph", CASE, "--out", "deep/page.html")
    assert status == 3
    assert re.search(r"^fake +GraphDef +2 +1 +1 +0", out, re.MULTILINE)
    assert re.search(r"^other +error .*it \N{REPLACEMENT CHARACTER}", out, re.MULTILINE)
    page = (tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert ">MatMul</text>" in page


def test_machines_get_json_and_no_page(
    rnn_parity: Cli, answers: list[Drawn], tmp_path: Path
) -> None:
    answers.append(DRAWN)
    status, out, _ = rnn_parity("graph", CASE, "--format", "json")
    document = json.loads(out)
    assert (status, document["case"]) == (0, CASE)
    nodes = document["backends"][0]["graph"]["parts"][0]["nodes"]
    assert [node["op"] for node in nodes] == ["MatMul", "Tanh"]
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("command", "does"),
    [
        (("graph", CASE), "harness.drawn.graphs"),
        (("audit",), "harness.audit.audit"),
        (("relations",), "harness.relations.run.relate"),
        (("measure",), "harness.measuring.measure.measure_backends"),
        (("compare", "run"), "harness.session.judge_and_write"),
    ],
)
def test_ctrl_c_is_one_line_and_what_shells_expect(
    command: tuple[str, ...],
    does: str,
    rnn_parity: Cli,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(does, interrupted)
    status, out, err = rnn_parity(*command)
    said = "rnn-parity: interrupted; nothing is kept of what was done; begin again\n"
    assert (status, out, err) == (130, "", said)
    assert not [*tmp_path.iterdir()]


def test_a_page_that_cannot_be_written_is_said(
    rnn_parity: Cli, answers: list[Drawn], tmp_path: Path
) -> None:
    answers.append(DRAWN)
    (tmp_path / "file").write_text("mine")
    status, _, err = rnn_parity("graph", CASE, "--out", "file/page.html")
    assert (status, "cannot write file/page.html" in err) == (2, True)
    assert (tmp_path / "file").read_text() == "mine"
