"""A part of a graph laid out in layers, by igraph: where boxes stand, how edges run."""

from collections import Counter
from itertools import islice
from typing import NamedTuple

from rnn_parity_core import UsageError
from rnn_parity_core.graph import Edge, Node, Part

try:
    import igraph
except ModuleNotFoundError:
    raise UsageError(
        "igraph is not installed; install it with: pip install 'rnn-parity[report]'"
    ) from None

MOST_NODES = 300
"""Nodes of a part that is drawn: these take 1 to 4 s to lay out, twice as many 10."""

WIDTH, HEIGHT = 172, 56
_ACROSS, _DOWN, _MARGIN = 190, 92, 12

_Point = tuple[float, float]


class Box(NamedTuple):
    """A node and where its upper left corner is."""

    node: Node
    x: float
    y: float
    constants: list[Node]
    """Small constants that it alone takes: said in its box."""


class Polyline(NamedTuple):
    """An edge as the path of an SVG."""

    path: str
    control: bool


class Drawing(NamedTuple):
    """A part, ready to be drawn."""

    width: float
    height: float
    boxes: list[Box]
    lines: list[Polyline]


def lay_out(part: Part) -> Drawing | None:
    """Lay a part out from top to bottom; None if it has too many nodes to be read."""
    folded = _folded(part)
    nodes = [node for node in part.nodes if node.id not in folded]
    if len(nodes) > MOST_NODES:
        return None
    at = {node.id: number for number, node in enumerate(nodes)}
    edges = [edge for edge in part.edges if edge.source not in folded]
    pairs = [(at[edge.source], at[edge.target]) for edge in edges]
    corners, routes = _placed(len(nodes), pairs)
    taken = _taken(part, folded)
    boxes = [
        Box(node, *corners[number], taken.get(node.id, []))
        for number, node in enumerate(nodes)
    ]
    lines = [
        Polyline(_path(corners[a], corners[b], routes[number]), edge.control)
        for number, (edge, (a, b)) in enumerate(zip(edges, pairs, strict=True))
    ]
    ends = [*corners.values(), *(point for route in routes.values() for point in route)]
    width = max((x for x, _ in ends), default=0) + WIDTH + _MARGIN
    height = max((y for _, y in ends), default=0) + HEIGHT + _MARGIN
    return Drawing(width, height, boxes, lines)


def _placed(
    count: int, pairs: list[tuple[int, int]]
) -> tuple[dict[int, _Point], dict[int, list[_Point]]]:
    """Give the corner of each node's box, and the corners that each edge goes past.

    What hangs together is laid out by itself, side by side: igraph 1.0 mixes up the
    routes of a graph that falls apart. Nodes alone stand in a column.
    """
    corners: dict[int, _Point] = {}
    routes: dict[int, list[_Point]] = {}
    whole = igraph.Graph(n=count, edges=pairs, directed=True)
    alone, left = [], 0.0
    pieces = whole.connected_components(mode="weak")
    for piece in sorted(pieces, key=len, reverse=True):
        own = [number for number, pair in enumerate(pairs) if pair[0] in {*piece}]
        if not own:
            alone += piece
            continue
        at = {node: number for number, node in enumerate(piece)}
        ends = [
            (at[source], at[target]) for source, target in map(pairs.__getitem__, own)
        ]
        nodes, ways = _apart(igraph.Graph(n=len(piece), edges=ends, directed=True))
        columns = [x for x, _ in (*nodes, *(point for way in ways for point in way))]
        start = left - min(columns)
        corners |= {
            n: _corner(start + x, y) for n, (x, y) in zip(piece, nodes, strict=True)
        }
        for number, way in zip(own, ways, strict=True):
            routes[number] = [_corner(start + x, y) for x, y in way]
        left = start + max(columns) + 1
    corners |= {node: _corner(left, row) for row, node in enumerate(alone)}
    return corners, routes


def _apart(graph: igraph.Graph) -> tuple[list[_Point], list[list[_Point]]]:
    """Lay a graph out, no two points of a row closer than 1, as igraph has some.

    Gives the points of nodes, and those that each edge goes past.
    """
    layout = graph.layout_sugiyama(hgap=1, vgap=1)
    given = [*layout.coords, *(point for way in layout.edge_routing for point in way)]
    points: list[_Point] = [(0, 0)] * len(given)
    reached: dict[float, float] = {}  # row → its last column
    for number in sorted(range(len(given)), key=given.__getitem__):
        x, y = given[number]
        reached[y] = max(x, reached.get(y, x - 1) + 1)
        points[number] = reached[y], y
    later = iter(points[graph.vcount() :])
    ways = [list(islice(later, len(way))) for way in layout.edge_routing]
    return points[: graph.vcount()], ways


def _corner(column: float, row: float) -> _Point:
    return _MARGIN + column * _ACROSS, _MARGIN + row * _DOWN


def _folded(part: Part) -> set[str]:
    """Give the small constants that a single node takes, and nothing else."""
    uses = Counter(edge.source for edge in part.edges)
    held = {edge.target for edge in part.edges}
    return {
        node.id
        for node in part.nodes
        if node.kind == "constant"
        and not node.stripped
        and uses[node.id] == 1
        and node.id not in held
    }


def _taken(part: Part, folded: set[str]) -> dict[str, list[Node]]:
    """Give the folded constants of each node."""
    by_id = {node.id: node for node in part.nodes}
    found: dict[str, list[Node]] = {}
    for edge in part.edges:
        if edge.source in folded:
            found.setdefault(edge.target, []).append(by_id[edge.source])
    return found


def _path(source: _Point, target: _Point, route: list[_Point]) -> str:
    """Draw a curve out of the lower edge of a box, between others, to the next box."""
    half = WIDTH / 2
    x, y = source[0] + half, source[1] + HEIGHT
    words = [f"M{x:g} {y:g}"]
    for corner in route:
        for to_y in (corner[1], corner[1] + HEIGHT):  # straight past a row of boxes
            to_x = corner[0] + half
            words.append(_curve(x, y, to_x, to_y))
            x, y = to_x, to_y
    words.append(_curve(x, y, target[0] + half, target[1]))
    return "".join(words)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (y + to_y) / 2
    if x == to_x:
        return f"L{to_x:g} {to_y:g}"
    return f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"


def sources(part: Part) -> dict[str, list[Edge]]:
    """Give the edges that end at each node."""
    found: dict[str, list[Edge]] = {}
    for edge in part.edges:
        found.setdefault(edge.target, []).append(edge)
    return found
