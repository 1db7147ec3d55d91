"""The page of graphs: laid out in layers, everything in it text, nothing left out."""

import importlib
import re
import sys
from html.parser import HTMLParser

import pytest

from rnn_parity_core import UsageError
from rnn_parity_core.graph import Edge, Graph, GraphResult, Node, Part
from rnn_parity_reports import layers
from rnn_parity_reports.page import to_page

EVIL = "<script>alert(1)</script>\"'>\n]]>\x1b[2J&lt;\u202e{{ 7 * 7 }}"


class Tags(HTMLParser):
    """Collects elements, their attributes and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def chain(*names: str, **edges: str) -> Part:
    nodes = tuple(Node(name, f"op {name}") for name in names)
    return Part("whole", nodes, tuple(Edge(a, b) for a, b in edges.items()))


def page_of(*parts: Part) -> str:
    return to_page("case", [GraphResult("fake", "drawn", graph=Graph("jaxpr", parts))])


def boxes(part: Part) -> dict[str, layers.Box]:
    drawing = layers.lay_out(part)
    assert drawing
    return {box.node.id: box for box in drawing.boxes}


def test_names_stay_text_whatever_is_in_them() -> None:
    def part(text: str) -> list[GraphResult]:
        nodes = (
            Node(text, text, "loop", text, text, text, 99, (text,)),
            Node("c", text, "constant", text, text, text),
        )
        parts = (Part(text, nodes, (Edge("c", text),)),)
        declined = GraphResult(text + "2", "unsupported", text)
        return [GraphResult(text, "drawn", graph=Graph(text, parts, text)), declined]

    evil, plain = (Tags(to_page(text, part(text))) for text in (EVIL, "plain"))
    assert evil.tags == plain.tags
    assert evil.attributes == plain.attributes
    assert "script" not in evil.tags
    assert "<script>alert(1)</script>" in evil.text
    assert "{{ 7 * 7 }}" in evil.text
    assert not {"\x1b", "\u202e"} & set(evil.text)


def test_a_page_asks_nothing_of_the_network() -> None:
    page = page_of(chain("a", "b", a="b"))
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|//|@import|url\((?!#)", page)


def test_every_edge_goes_down_from_a_box_to_a_box() -> None:
    at = boxes(chain("a", "b", "c", a="b", b="c"))
    assert at["a"].y + layers.HEIGHT < at["b"].y
    assert at["b"].y + layers.HEIGHT < at["c"].y


@pytest.mark.parametrize(
    "pairs",
    [
        ["af", "bc", "cd", "ce", "df", "dg"],  # igraph 1.0 has f and g half apart
        ["ab", "cd", "ef", "gg", "hh"],
    ],
)
def test_boxes_never_overlap(pairs: list[str]) -> None:
    names = sorted(set("".join(pairs)))
    edges = tuple(Edge(a, b) for a, b in pairs)
    at = [*boxes(Part("whole", tuple(Node(n, "op") for n in names), edges)).values()]
    for number, one in enumerate(at):
        for other in at[number + 1 :]:
            apart = abs(one.x - other.x) >= layers.WIDTH
            assert apart or abs(one.y - other.y) >= layers.HEIGHT


def test_a_long_edge_of_one_of_two_pieces_goes_past_its_own_boxes() -> None:
    # igraph 1.0 mixes up the routes of pieces that are laid out at once.
    nodes = tuple(Node(name, "op") for name in "abcdpqrs")
    pairs = ("ab", "bc", "cd", "ad", "pq", "qr", "rs", "ps", "pr")
    part = Part("whole", nodes, tuple(Edge(*pair) for pair in pairs))
    drawing = layers.lay_out(part)
    assert drawing
    for line in drawing.lines:
        heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", line.path)]
        assert heights == sorted(heights), line.path


def test_a_small_constant_of_one_node_is_said_in_its_box() -> None:
    nodes = (
        Node("small", "Const", "constant", value="[1 0 2]"),
        Node("large", "Const", "constant", value="<stripped 96 bytes>", stripped=96),
        Node("shared", "Const", "constant", value="7"),
        Node("x", "Transpose"),
        Node("y", "Add"),
    )
    edges = [("small", "x"), ("large", "x"), ("shared", "x"), ("shared", "y")]
    part = Part("whole", nodes, tuple(Edge(a, b) for a, b in edges))
    at = boxes(part)
    assert {*at} == {"large", "shared", "x", "y"}
    assert [node.id for node in at["x"].constants] == ["small"]
    page = page_of(part)
    assert "with [1 0 2]" in page
    assert ">&lt;stripped 96 bytes&gt;</text>" in page


def test_a_part_too_large_to_read_is_listed_and_said_not_to_be_drawn() -> None:
    names = [str(number) for number in range(layers.MOST_NODES + 1)]
    page = page_of(chain(*names))
    assert f"Not drawn: {len(names)} nodes, more than the {layers.MOST_NODES}" in page
    assert "<title>op" not in page
    assert page.count("<li><strong>op ") == len(names)
    assert "<title>op 7" in page_of(chain(*names[1:]))


def test_a_node_leads_to_the_part_that_it_runs() -> None:
    whole = Part("whole", (Node("w", "While", "loop", calls=("body",)),), ())
    page = page_of(whole, Part("body", (Node("a", "add"),), ()))
    (anchor,) = set(re.findall(r'href="#([^"]+)"', page))
    assert f'<h3 id="{anchor}">body</h3>' in page


def test_without_igraph_a_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    monkeypatch.delitem(sys.modules, "rnn_parity_reports.layers")
    with pytest.raises(UsageError, match=r"pip install 'rnn-parity\[report\]'"):
        importlib.import_module("rnn_parity_reports.layers")
