"""A jaxpr as a graph: programs within it in place, loops' bodies apart."""

from typing import Any

import jax
import numpy as np
from jax.extend import core

from rnn_parity_core.graph import Edge, Graph, Node, NodeKind, Part, constant, typed

_KINDS: dict[str, NodeKind] = {
    **dict.fromkeys(("dot_general",), "product"),
    **dict.fromkeys(
        (
            *("add", "sub", "mul", "div", "neg", "max", "min", "tanh", "logistic"),
            *("exp", "log", "select_n", "lt", "le", "gt", "ge", "eq", "ne", "and"),
            *("or", "not", "sqrt", "rsqrt", "square", "integer_pow", "pow", "add_any"),
        ),
        "elementwise",
    ),
    **dict.fromkeys(
        (
            *("reshape", "squeeze", "expand_dims", "broadcast_in_dim", "transpose"),
            *("slice", "dynamic_slice", "dynamic_update_slice", "concatenate", "rev"),
            *("gather", "scatter", "stack", "unstack", "pad", "split"),
            "convert_element_type",
        ),
        "shape",
    ),
    **dict.fromkeys(("scan", "while", "cond"), "loop"),
}


def graph_of(function: Any, *arguments: Any, note: str) -> Graph:
    """Trace a function as JAX does before it runs it, and give what it found."""
    traced, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    drawing = _Drawing()
    drawing.part("whole", traced, _names(arguments), _names(shapes))
    return Graph("jaxpr", tuple(drawing.parts), note)


def _names(tree: Any) -> list[str]:
    """Name what a tree's leaves are, in the order in which JAX has them."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    keys = [
        [str(getattr(k, "key", getattr(k, "idx", k))) for k in p] for p, _ in leaves
    ]
    # An only argument needs no number.
    only = isinstance(tree, tuple) and len(tree) == 1
    return [" ".join(path[1:] if only else path) for path in keys]


class _Drawing:
    """The parts of a graph as they are found."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._titles: dict[int, str] = {}  # of what was drawn already
        self._calls = 0  # equations that ran something new
        self._kept: list[Any] = []  # so that no `id` is used again

    def part(self, title: str, closed: Any, takes: list[str], gives: list[str]) -> None:
        """Draw a jaxpr, whose ends have names."""
        at = len(self.parts)
        drawn = _Part(self)
        jaxpr = closed.jaxpr
        for variable, value in zip(jaxpr.constvars, closed.consts, strict=True):
            drawn.sources[variable] = drawn.constant(np.asarray(value))
        for variable, name in zip(jaxpr.invars, takes, strict=True):
            node = Node(drawn.new(), "input", "input", name, _type(variable))
            drawn.nodes.append(node)
            drawn.sources[variable] = node.id
        drawn.equations(jaxpr)
        for variable, name in zip(jaxpr.outvars, gives, strict=True):
            node = Node(drawn.new(), "output", "output", name, _type(variable))
            drawn.add(node, [variable])
        self.parts.insert(at, Part(title, tuple(drawn.nodes), tuple(drawn.edges)))

    def called(self, equation: Any) -> tuple[str, ...]:
        """Draw what an equation runs, each once; give the titles."""
        titles, programs = [], _programs(equation)
        self._calls += any(id(closed) not in self._titles for _, closed in programs)
        name = f"{equation.primitive.name} {self._calls}"
        for role, closed in programs:
            if id(closed) not in self._titles:
                title = f"{role} of {name}"
                while title in self._titles.values():  # a second branch
                    title += ", another"
                self._titles[id(closed)] = title
                self._kept.append(closed)
                takes = [f"input {n}" for n in range(len(closed.jaxpr.invars))]
                gives = [f"output {n}" for n in range(len(closed.jaxpr.outvars))]
                self.part(title, closed, takes, gives)
            titles.append(self._titles[id(closed)])
        return tuple(titles)


class _Part:
    """The nodes and edges of one part as they are found."""

    def __init__(self, drawing: _Drawing) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.sources: dict[Any, str] = {}  # variable → the node that gives it
        self._drawing = drawing

    def new(self) -> str:
        return str(len(self.nodes))

    def constant(self, value: Any) -> str:
        node = constant(self.new(), "constant", value)
        self.nodes.append(node)
        return node.id

    def add(self, node: Node, takes: list[Any]) -> None:
        self.nodes.append(node)
        sources = [self._source(variable) for variable in takes]
        self.edges += [Edge(source, node.id) for source in dict.fromkeys(sources)]

    def _source(self, variable: Any) -> str:
        if isinstance(variable, core.Literal):
            return self.constant(np.asarray(variable.val))
        return self.sources[variable]

    def equations(self, jaxpr: Any) -> None:
        for equation in jaxpr.eqns:
            programs = _programs(equation)
            kind = _KINDS.get(equation.primitive.name, "other")
            if len(programs) == 1 and kind != "loop":
                self._in_place(equation, programs[0][1])
                continue
            calls = self._drawing.called(equation)
            name = equation.primitive.name
            given = " ".join(_type(v) for v in equation.outvars)
            node = Node(self.new(), name, kind, "", given, calls=calls)
            self.add(node, equation.invars)
            self.sources |= dict.fromkeys(equation.outvars, node.id)

    def _in_place(self, equation: Any, closed: Any) -> None:
        """Draw a program within the program as if it were written there."""
        inner = closed.jaxpr
        for variable, value in zip(inner.constvars, closed.consts, strict=True):
            self.sources[variable] = self.constant(np.asarray(value))
        for variable, given in zip(inner.invars, equation.invars, strict=True):
            self.sources[variable] = self._source(given)
        self.equations(inner)
        for variable, given in zip(equation.outvars, inner.outvars, strict=True):
            self.sources[variable] = self._source(given)


def _programs(equation: Any) -> list[tuple[str, Any]]:
    """Give the programs that an equation runs, and what they are to it."""
    found = []
    for name, value in equation.params.items():
        role = {"cond_jaxpr": "condition", "branches": "branch"}.get(name, "body")
        several = value if isinstance(value, tuple) else (value,)
        found += [(role, v) for v in several if isinstance(v, core.ClosedJaxpr)]
    return found


def _type(variable: Any) -> str:
    return typed(str(variable.aval.dtype), variable.aval.shape)
