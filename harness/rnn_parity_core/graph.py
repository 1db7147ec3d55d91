"""What a framework was asked to run, as a graph: the contract of `Drawable.graph`."""

from typing import Literal, Protocol, runtime_checkable

import msgspec
import numpy as np

from rnn_parity_core.functions import Array
from rnn_parity_core.spec import Problem

LARGEST_CONSTANT = 64
"""Bytes; the values of larger constants are left out."""

NodeKind = Literal[
    "input", "output", "constant", "product", "elementwise", "shape", "loop", "other"
]


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation, or one end of the graph."""

    id: str
    """Unique in its part."""
    op: str
    """The framework's own name: `MatMul`, `dot_general`, `aten.lstm.input`."""
    kind: NodeKind = "other"
    label: str = ""
    """The name that it has in the framework, if it has one."""
    type: str = ""
    """Dtype and shape of what it gives: `float32[4,5]`."""
    value: str = ""
    """A small constant's values, or `<stripped N bytes>`."""
    stripped: int = 0
    """Bytes of a constant whose values are left out."""
    calls: tuple[str, ...] = ()
    """Titles of the parts that it runs: a loop's condition and body."""


class Edge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one node gives and another takes, by their IDs."""

    source: str
    target: str
    control: bool = False
    """Whether it is order alone, without data."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A graph whose nodes may run other parts: the whole, or a loop's body.

    Raises:
        ValueError: Two nodes have one ID, or an edge leads to no node.

    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        """See that it hangs together."""
        known = {node.id for node in self.nodes}
        if len(known) != len(self.nodes):
            raise ValueError(f"two nodes of part {self.title[:100]!r} have one ID")
        for edge in self.edges:
            if not {edge.source, edge.target} <= known:
                raise ValueError(f"an edge of part {self.title[:100]!r} leads nowhere")


class Graph(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a case's program consists of.

    Raises:
        ValueError: Two parts have one title, or a node runs a part that is not there.

    """

    form: str
    """What the framework calls it: `GraphDef`, `jaxpr`, `ExportedProgram`."""
    parts: tuple[Part, ...]
    """The whole first, then what its nodes run."""
    note: str = ""
    """How what was run differs from what is shown, if it does."""

    def __post_init__(self) -> None:
        """See that it hangs together."""
        titles = {part.title for part in self.parts}
        if len(titles) != len(self.parts):
            raise ValueError("two parts of the graph have one title")
        for node in (node for part in self.parts for node in part.nodes):
            if not titles.issuperset(node.calls):
                raise ValueError(f"node {node.id[:100]!r} runs a part that is missing")

    @property
    def nodes(self) -> int:
        """Number of nodes in all parts."""
        return sum(len(part.nodes) for part in self.parts)

    @property
    def edges(self) -> int:
        """Number of edges in all parts."""
        return sum(len(part.edges) for part in self.parts)

    @property
    def stripped(self) -> int:
        """Number of constants whose values are left out."""
        return sum(node.stripped > 0 for part in self.parts for node in part.nodes)


class GraphResult(msgspec.Struct, frozen=True):
    """A backend's graph, or why there is none."""

    backend: str
    status: Literal["drawn", "unsupported", "absent", "error"]
    reason: str = ""
    graph: Graph | None = None


@runtime_checkable
class Drawable(Protocol):
    """An adapter that can show what it runs."""

    def graph(self, problem: Problem) -> Graph:
        """Give the graph of what `run` computes of this problem, by the same path.

        Raises:
            Unsupported: There is none; the text is the reason.

        """
        ...


def constant(name: str, op: str, array: Array, label: str = "") -> Node:
    """Make the node of a constant, its values left out if they are large."""
    large = array.nbytes > LARGEST_CONSTANT
    values = " ".join(np.array2string(array, threshold=LARGEST_CONSTANT).split())
    return Node(
        name,
        op,
        "constant",
        label,
        typed(str(array.dtype), array.shape),
        f"<stripped {array.nbytes} bytes>" if large else values,
        array.nbytes if large else 0,
    )


def typed(dtype: str, shape: tuple[int | None, ...]) -> str:
    """Write a dtype and a shape: `float32[4,5]`; `?` is an axis that is left open."""
    sizes = ",".join("?" if size is None else str(size) for size in shape)
    return f"{dtype}[{sizes}]"
