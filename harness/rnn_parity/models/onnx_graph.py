"""An ONNX model's graph and its tensors, where nothing is said twice.

Of two makers of one tensor, two attributes of one name or two fields of one tensor's
numbers readers take either, so that a file that has them may mean another network
elsewhere.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import NamedTuple

from google.protobuf.message import DecodeError
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
)

from rnn_parity_core import DTYPES, Array, FileError

OWN_DOMAINS = ("", "ai.onnx")
_FIELDS = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.SPARSE_TENSOR: "sparse_tensor",
    AttributeProto.TYPE_PROTO: "tp",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
    AttributeProto.TENSORS: "tensors",
    AttributeProto.GRAPHS: "graphs",
    AttributeProto.SPARSE_TENSORS: "sparse_tensors",
    AttributeProto.TYPE_PROTOS: "type_protos",
}
_FLOATS = {
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
}
_NUMBERS = {*_FLOATS, TensorProto.INT32, TensorProto.INT64}


class Graph(NamedTuple):
    """A model's graph."""

    tensors: Mapping[str, TensorProto]
    """Its constants by name."""
    made: Mapping[str, NodeProto]
    """The node that makes each tensor that is no initializer, by the tensor's name."""
    nodes: Sequence[NodeProto]
    origin: str


def read_graph(data: bytes, origin: str) -> Graph:
    """Read a model's graph.

    Raises:
        FileError: It is broken, says something twice, or makes a tensor of itself.

    """
    try:
        model = ModelProto.FromString(data)
    except DecodeError:
        raise FileError(
            f"{origin} is not a whole ONNX model; it was truncated, or written by "
            "something else"
        ) from None
    for function in model.functions:
        if function.domain in OWN_DOMAINS:
            raise FileError(f"{origin} defines ONNX' own {function.name!r} anew")
    graph = model.graph
    _see_made_once(graph, origin)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        _see_attributes_once(node, origin)
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value" and node.domain in OWN_DOMAINS:
                tensors |= {name: attribute.t for name in node.output if name}
    for name, tensor in tensors.items():
        _see_numbers_once(tensor, name, origin)
    made = {name: node for node in graph.node for name in node.output if name}
    for sparse in graph.sparse_initializer:  # what a Constant with a sparse value is
        made[sparse.values.name] = NodeProto(op_type="Constant")
    _see_no_circle(graph.node, origin)
    return Graph(tensors, made, graph.node, origin)


def float_array(tensor: TensorProto, name: str) -> Array:
    """Read a tensor of weights; see `_array`."""
    return _array(tensor, name, _FLOATS)


def any_array(tensor: TensorProto, name: str) -> Array:
    """Read a tensor of states or of lengths; see `_array`."""
    return _array(tensor, name, _NUMBERS)


def _array(tensor: TensorProto, name: str, kinds: Collection[int]) -> Array:
    """Read a tensor whose numbers are all in the file.

    Raises:
        FileError: They are not, or are not as many as its dimensions say.

    """
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise FileError(
            f"its {name} is kept in another file, which was not opened; save the model "
            "with all data in it: onnx.save(onnx.load(FILE), NEW)"
        )
    if tensor.data_type not in kinds:
        raise FileError(f"its {name} is none of {', '.join(DTYPES)}")
    dims = list(tensor.dims)
    if tensor.HasField("raw_data"):
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        held = len(tensor.raw_data) / dtype.itemsize
    else:
        held = len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type)))
    if len(dims) > len("dGI") or min(dims, default=0) < 0 or prod(dims) != held:
        raise FileError(f"its {name} has {held:g} numbers for shape {dims[:8]}")
    return numpy_helper.to_array(tensor)


def _see_made_once(graph: GraphProto, origin: str) -> None:
    """See that each tensor has one maker; an initializer may be an input's default.

    Raises:
        FileError: One has two.

    """
    by_nodes = [name for node in graph.node for name in node.output if name]
    stored = [tensor.name for tensor in graph.initializer]
    stored += [tensor.values.name for tensor in graph.sparse_initializer]
    inputs = [given.name for given in graph.input]
    for names in ([*by_nodes, *stored], [*by_nodes, *inputs]):
        if twice := _twice(names):
            raise FileError(f"{origin} has two tensors of one name, {twice!r:.100}")


def _see_attributes_once(node: NodeProto, origin: str) -> None:
    """See that a node has one attribute of a name, and each has one value.

    Raises:
        FileError: It has more.

    """
    made = next(iter(node.output), node.op_type)
    where = f"{origin}: what makes its {made!r:.100}"
    # Names that are no UTF-8 come as bytes.
    names = [str(attribute.name) for attribute in node.attribute]
    if twice := _twice(names):
        raise FileError(f"{where} has two attributes of one name, {twice!r:.100}")
    values = [name for name in names if name.startswith(("value", "sparse_value"))]
    if node.op_type == "Constant" and len(values) > 1:
        raise FileError(f"{where} has two values, {' and '.join(values)[:100]}")
    for attribute in node.attribute:
        own = _FIELDS.get(attribute.type)
        there = {field.name for field, _ in attribute.ListFields()}
        others = sorted(there & {*_FIELDS.values()} - {own})
        if others and (own or len(others) > 1):
            raise FileError(
                f"{where} has an attribute of two kinds, {attribute.name!r:.100}"
            )
        for tensor in (attribute.t, *attribute.tensors):
            _see_numbers_once(tensor, made, origin)


def _see_numbers_once(tensor: TensorProto, name: str, origin: str) -> None:
    """See that a tensor's numbers lie in one of the fields for them.

    Raises:
        FileError: They lie in several.

    """
    there = {field.name for field, _ in tensor.ListFields()}
    fields = sorted(name for name in there if name.endswith("_data"))
    if len(fields) > 1:
        said = " and in ".join(fields)
        raise FileError(f"{origin}: its {name!r:.100} has numbers in {said}")


def _see_no_circle(nodes: Sequence[NodeProto], origin: str) -> None:
    """See that no tensor is made of itself.

    Raises:
        FileError: One is.

    """
    maker = {name: n for n, node in enumerate(nodes) for name in node.output if name}
    before = {
        n: [maker[name] for name in node.input if name in maker]
        for n, node in enumerate(nodes)
    }
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        name = nodes[error.args[1][0]].output[0]
        raise FileError(f"{origin}: its {name!r:.100} is made of itself") from None


def _twice(names: Iterable[str]) -> str | None:
    """Give a name that is there twice, if one is."""
    return next((name for name, times in Counter(names).items() if times > 1), None)
