"""Graphs of several backends as one HTML page that needs nothing else."""

from typing import NamedTuple

from rnn_parity_core.graph import GraphResult, Node, Part
from rnn_parity_reports.layers import (
    HEIGHT,
    MOST_NODES,
    WIDTH,
    Drawing,
    lay_out,
    sources,
)
from rnn_parity_reports.templating import environment

_KINDS = {
    "input": "input",
    "output": "output",
    "constant": "constant",
    "product": "matrix product",
    "elementwise": "elementwise",
    "shape": "shape, copy",
    "loop": "loop, fused layer",
    "other": "other",
}


class _Section(NamedTuple):
    part: Part
    anchor: str
    drawing: Drawing | None
    listed: list[tuple[Node, list[str]]]


def to_page(case: str, found: list[GraphResult]) -> str:
    """Render the graphs of a case side by side.

    Raises:
        rnn_parity_core.errors.UsageError: igraph is not installed.

    """
    templates = environment(html=True)
    templates.filters["short"] = _short
    templates.filters["line"] = _line
    sections = {
        drawn.backend: _sections(number, drawn) for number, drawn in enumerate(found)
    }
    return templates.get_template("graph.html.jinja").render(
        case=case,
        found=found,
        sections=sections,
        anchors={
            backend: {section.part.title: section.anchor for section in of}
            for backend, of in sections.items()
        },
        kinds=_KINDS,
        width=WIDTH,
        height=HEIGHT,
        most=MOST_NODES,
    )


def _sections(number: int, drawn: GraphResult) -> list[_Section]:
    parts = drawn.graph.parts if drawn.graph else ()
    return [
        _Section(part, f"g{number}-{place}", lay_out(part), _listed(part))
        for place, part in enumerate(parts)
    ]


def _listed(part: Part) -> list[tuple[Node, list[str]]]:
    """Give each node and what it takes, by the numbers of the list."""
    numbers = {node.id: number for number, node in enumerate(part.nodes, 1)}
    taken = sources(part)
    return [
        (
            node,
            [
                f"{numbers[edge.source]}{' (order alone)' * edge.control}"
                for edge in taken.get(node.id, [])
            ],
        )
        for node in part.nodes
    ]


def _short(text: str, most: int) -> str:
    """Cut text to what a box holds: its end, which tells names of one scope apart."""
    text = _line(text)
    return text if len(text) <= most else f"…{text[1 - most :]}"


def _line(text: str) -> str:
    """Set text on one line, without what no page may hold."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return " ".join(shown.split())
