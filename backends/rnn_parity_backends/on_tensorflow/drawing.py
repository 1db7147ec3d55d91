"""A graph of TensorFlow in the words of the contract, functions of its loops apart."""

from typing import Any

import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from rnn_parity_core.graph import Edge, Graph, Node, NodeKind, Part, constant, typed

_KINDS: dict[str, NodeKind] = {
    **dict.fromkeys(("MatMul", "BatchMatMulV2"), "product"),
    **dict.fromkeys(
        (
            *(
                "Add",
                "AddV2",
                "BiasAdd",
                "Sub",
                "Mul",
                "RealDiv",
                "Neg",
                "Tanh",
                "Relu",
            ),
            *(
                "Sigmoid",
                "SelectV2",
                "Select",
                "Less",
                "LessEqual",
                "Equal",
                "NotEqual",
            ),
            *("GreaterEqual", "Greater", "LogicalAnd", "LogicalNot", "LogicalOr"),
            *("Maximum", "Minimum", "TanhGrad", "SigmoidGrad", "ReluGrad", "AddN"),
        ),
        "elementwise",
    ),
    **dict.fromkeys(
        (
            *("Reshape", "Transpose", "StridedSlice", "Slice", "Split", "SplitV"),
            *("Pack", "Unpack", "ConcatV2", "ExpandDims", "Squeeze", "ReverseV2"),
            *("ReverseSequence", "Fill", "Tile", "GatherV2", "Cast", "Shape", "Range"),
            *("ZerosLike", "BroadcastTo", "TensorListGetItem", "TensorListSetItem"),
            *("TensorListFromTensor", "TensorListStack", "TensorListReserve"),
            *("Identity", "IdentityN"),
        ),
        "shape",
    ),
    **dict.fromkeys(("While", "StatelessWhile", "If", "StatelessIf"), "loop"),
    **dict.fromkeys(("Placeholder", "PlaceholderWithDefault"), "input"),
    **dict.fromkeys(("VarHandleOp",), "input"),
}
_ROLES = {"cond": "condition", "body": "body", "then_branch": "then", "f": "body"}


def graph_of(
    graph: Any,
    outputs: dict[str, Any],
    inputs: dict[str, str] | None = None,
    note: str = "",
) -> Graph:
    """Give a `tf.Graph`.

    Args:
        graph: It, or a `FuncGraph`.
        outputs: The tensors that it gives, by name.
        inputs: Names of placeholders, by the names of their operations.
        note: What to say of it.

    """
    functions = {
        definition.signature.name: definition
        for definition in graph.as_graph_def().library.function
    }
    titles = _titles(graph, functions)
    parts = [_part("whole", graph, outputs, inputs or {}, titles)]
    for name, title in titles.items():
        with graph.as_default():
            inner = function_def_to_graph(functions[name])
        given = {str(number): tensor for number, tensor in enumerate(inner.outputs)}
        parts.append(_part(title, inner, given, {}, titles))
    return Graph("GraphDef", tuple(parts), note)


def _titles(graph: Any, functions: dict[str, Any]) -> dict[str, str]:
    """Name every function that operations run, those of inner ones too."""
    titles: dict[str, str] = {}
    waiting = [(op.type, op.name, op.node_def) for op in graph.get_operations()]
    while waiting:
        op, name, definition = waiting.pop(0)
        for role, function in _called(definition).items():
            if function in functions and function not in titles:
                short = name.rpartition("/")[2]
                number = len(set(titles.values())) + 1
                titles[function] = f"{_ROLES.get(role, role)} of {op} {short}, {number}"
                waiting += [(n.op, n.name, n) for n in functions[function].node_def]
    return titles


def _called(definition: Any) -> dict[str, str]:
    """Give the functions that a node runs, by what they are to it.

    Of gradients' functions, which a node names but does not run, nothing is said.
    """
    return {
        role: definition.attr[role].func.name
        for role in sorted(definition.attr)
        if definition.attr[role].HasField("func")
    }


def _part(
    title: str,
    graph: Any,
    outputs: dict[str, Any],
    inputs: dict[str, str],
    titles: dict[str, str],
) -> Part:
    nodes, edges = [], []
    for op in graph.get_operations():
        nodes.append(_node(op, inputs, titles))
        sources = dict.fromkeys(tensor.op.name for tensor in op.inputs)
        edges += [Edge(source, op.name) for source in sources]
        edges += [Edge(c.name, op.name, control=True) for c in op.control_inputs]
    for name, tensor in outputs.items():
        node = Node(f"output {name}", "output", "output", name, _type(tensor))
        nodes.append(node)
        edges.append(Edge(tensor.op.name, node.id))
    return Part(title, tuple(nodes), tuple(edges))


def _node(op: Any, inputs: dict[str, str], titles: dict[str, str]) -> Node:
    if op.type == "Const":
        array = tf.make_ndarray(op.get_attr("value"))
        return constant(op.name, op.type, array, op.name)
    called = _called(op.node_def).values()
    return Node(
        op.name,
        op.type,
        _KINDS.get(op.type, "other"),
        inputs.get(op.name, op.name),
        " ".join(_type(tensor) for tensor in op.outputs),
        calls=tuple(dict.fromkeys(titles[f] for f in called if f in titles)),
    )


def _type(tensor: Any) -> str:
    if tensor.shape.rank is None:
        return f"{tensor.dtype.name}[…]"
    return typed(tensor.dtype.name, tuple(tensor.shape.as_list()))
