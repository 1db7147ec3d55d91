"""An FX graph, as `torch.export` and Dynamo give it, in the words of the contract."""

from typing import Any

import numpy as np
import torch
from torch import nn

from rnn_parity_backends.on_torch.cells import Compute, Tensors
from rnn_parity_core import Case, Problem, Unsupported
from rnn_parity_core.graph import Edge, Graph, Node, NodeKind, Part, constant, typed

_KINDS: dict[str, NodeKind] = {
    **dict.fromkeys(("mm", "matmul", "linear", "addmm", "bmm"), "product"),
    **dict.fromkeys(
        (
            *("add", "sub", "mul", "div", "truediv", "neg", "tanh", "sigmoid", "relu"),
            *("where", "ne", "eq", "lt", "le", "and_", "__and__", "rsub", "maximum"),
        ),
        "elementwise",
    ),
    **dict.fromkeys(
        (
            *("select", "slice", "unbind", "stack", "cat", "flip", "transpose", "t"),
            *("numpy_T", "contiguous", "clone", "expand", "repeat", "reshape", "view"),
            *("unsqueeze", "squeeze", "getitem", "setitem", "chunk", "split", "index"),
            *(
                "to",
                "long",
                "int",
                "permute",
                "gather",
                "expand_as",
                "T",
                "unsafe_chunk",
            ),
            *("unsafe_split", "copy_", "setitem", "getattr"),
        ),
        "shape",
    ),
    **dict.fromkeys(
        (
            *("rnn_tanh", "rnn_relu", "lstm", "gru", "rnn_tanh_cell", "rnn_relu_cell"),
            *("lstm_cell", "gru_cell", "mkldnn_rnn_layer"),
        ),
        "loop",
    ),
}
_IN_PLACE = ("setitem", "aten.copy_.default")


class _Exported(nn.Module):
    """A computation as `torch.export` takes it."""

    def __init__(self, compute: Compute, case: Case) -> None:
        super().__init__()
        self._compute, self._case = compute, case

    def forward(self, arrays: Tensors) -> Tensors:
        return self._compute(Problem(self._case, arrays))


def exported(compute: Compute, case: Case, tensors: Tensors) -> Graph:
    """Export a computation on tensors of a problem.

    Raises:
        Unsupported: `torch.export` refuses it.

    """
    try:
        with torch.no_grad():
            program = torch.export.export(_Exported(compute, case), (tensors,))
    except Unsupported:
        raise
    except Exception as error:  # it raises whatever the operations raise
        reason = str(error).strip().partition("\n")[0]
        raise Unsupported(f"torch.export refuses: {reason}") from error
    signature = program.graph_signature
    lifted = signature.inputs_to_lifted_tensor_constants
    constants = {name: program.constants[target] for name, target in lifted.items()}
    inputs = dict(zip(signature.user_inputs, tensors, strict=True))
    outputs = list(program.call_spec.out_spec.context)
    return graph_of(program.graph, "ExportedProgram", inputs, outputs, constants)


def graph_of(
    fx: Any,
    form: str,
    inputs: dict[str, str] | None = None,
    outputs: list[str] | None = None,
    constants: Tensors | None = None,
) -> Graph:
    """Give an FX graph.

    Args:
        fx: A `torch.fx.Graph`.
        form: What the framework calls it.
        inputs: Names of what it takes, by the names of their nodes, if they are known.
        outputs: Names of what it gives, if they are known.
        constants: Tensors that are in the program, by the names of their nodes.

    """
    nodes, edges = [], []
    for node in fx.nodes:
        if node.op == "output":
            given = node.all_input_nodes
            names = outputs or [""] * len(given)
            for number, (source, name) in enumerate(zip(given, names, strict=True)):
                end = f"output {number}"
                nodes.append(Node(end, "output", "output", name, _type(source)))
                edges.append(Edge(source.name, end))
            continue
        nodes.append(_node(node, inputs or {}, constants or {}))
        edges += [Edge(source.name, node.name) for source in node.all_input_nodes]
    in_place = any(node.op in _IN_PLACE for node in nodes)
    note = "writes in place have no edge to what reads them" if in_place else ""
    return Graph(form, (Part("whole", tuple(nodes), tuple(edges)),), note)


def _node(node: Any, inputs: dict[str, str], constants: Tensors) -> Node:
    if node.name in constants:
        array = np.asarray(constants[node.name].detach().cpu())
        return constant(node.name, "constant", array, node.name)
    if node.op == "placeholder":
        label = inputs.get(node.name, node.name.removeprefix("l_tensors_"))
        return Node(node.name, "input", "input", label, _type(node))
    if node.op == "get_attr":
        return Node(node.name, "get_attr", "constant", str(node.target), _type(node))
    op = str(node.target) if node.op == "call_function" else f".{node.target}"
    if callable(node.target) and not isinstance(node.target, torch._ops.OpOverload):  # noqa: SLF001 - the type has no public name
        op = str(getattr(node.target, "__name__", node.target))
    short = op.removeprefix("aten.").removeprefix(".").partition(".")[0]
    return Node(node.name, op, _KINDS.get(short, "other"), node.name, _type(node))


def _type(node: Any) -> str:
    value = node.meta.get("val", node.meta.get("example_value"))
    several = value if isinstance(value, list | tuple) else [value]
    return " ".join(
        typed(str(one.dtype).removeprefix("torch."), tuple(map(int, one.shape)))
        for one in several
        if isinstance(one, torch.Tensor)
    )
