"""ONNX' models: their RNN, LSTM and GRU nodes.

The operators are those of https://onnx.ai/onnx/operators/. Weights must stand in the
file as initializers or Constant nodes; external data is not opened. Nodes inside of
loops and conditions are not looked at.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from rnn_parity.models.account import Account
from rnn_parity.models.layer import InitialState, Saved, expect, rounded, rows
from rnn_parity_backends.on_onnxruntime.layout import biases_to_canonical, to_canonical
from rnn_parity_core import CELLS, DIRECTIONS, Array, FileError, UsageError

try:
    from onnx import NodeProto, TensorProto, helper
except ModuleNotFoundError:
    raise UsageError(
        "onnx is not installed, which reads models; install it with: pip install "
        "'rnn-parity[models]'"
    ) from None

from rnn_parity.models.onnx_activations import ATTRIBUTES, of_node, words
from rnn_parity.models.onnx_graph import (
    OWN_DOMAINS,
    Graph,
    any_array,
    float_array,
    read_graph,
)
from rnn_parity.models.onnx_states import by_direction, stated

INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
_ALL = {"hidden_size", "layout", "direction", *ATTRIBUTES}
# Operator → the attributes that are used; of all others none is understood.
_USED = {"RNN": _ALL, "LSTM": _ALL, "GRU": {*_ALL, "linear_before_reset"}}


def saved(data: bytes, origin: str) -> list[Saved]:
    """Find every recurrent node of a model's graph.

    Raises:
        FileError: It is broken, or says something twice.

    """
    graph = read_graph(data, origin)
    return [
        _layer(node, graph)
        for node in graph.nodes
        if node.op_type in _USED and node.domain in OWN_DOMAINS
    ]


def _layer(node: NodeProto, graph: Graph) -> Saved:
    # Names that are no UTF-8 come as bytes.
    name = str(node.name or (node.output[0] if node.output else node.op_type))
    where = f"{graph.origin}, node {name!r}"
    cell, refused = "", ""
    passes: dict[tuple[int, str], dict[str, Array]] = {}
    entering = _Entering({}, {}, ())
    try:
        cell, ways = _told(node, graph.tensors)
        passes = _passes(node, graph.tensors, ways)
        entering = _entering(node, graph, ways)
    except (FileError, ValueError) as error:
        refused = " ".join(str(error).split())
    halves = [
        (native["B"][: native["B"].size // 2], native["B"][native["B"].size // 2 :])
        for native in passes.values()
        if "B" in native and native["B"].ndim == 1
    ]
    others = len(graph.nodes) - 1
    notes = [f"not part of it: {others} other nodes"] if others else []
    notes += rounded(cell, halves, "Wb + Rb") if cell else ()
    read = [
        given for at, given in zip(INPUTS, node.input, strict=False) if at in "WRBP"
    ]
    return Saved(
        name,
        where,
        "onnx",
        (cell,),
        passes,
        partial(_canonical, where=where),
        f"{_units(passes)} units, {len(passes)} directions" if passes else "",
        (*notes, *entering.notes),
        refused,
        account=lambda: Account(tuple(filter(None, read)), entering.unread),
        initial=entering.initial,
    )


class _Entering(NamedTuple):
    """What enters a node beside its inputs and weights."""

    initial: dict[tuple[int, str], dict[str, InitialState]]
    unread: dict[str, str]
    notes: tuple[str, ...]


def _entering(node: NodeProto, graph: Graph, ways: tuple[str, ...]) -> _Entering:
    """Tell initial states and lengths that the file states from those of its inputs."""
    found = _Entering({(0, way): {} for way in ways}, {}, ())
    by_row = any(a.name == "layout" and a.i for a in node.attribute)
    for at, name in zip(INPUTS, node.input, strict=False):
        if at not in {"initial_h", "initial_c", "sequence_lens"} or not name:
            continue
        try:
            origin = stated(name, graph.tensors, graph.made, any_array)
        except (FileError, ValueError) as error:
            said = " ".join(str(error).split())
            found.unread[name] = f"({at}: {said})"
            continue
        if origin is None:
            zeros = "all steps" if at == "sequence_lens" else "zeros"
            said = f"assumed: {at}, which comes of the model's inputs, is {zeros} "
            found = found._replace(notes=(*found.notes, f"{said}where you give none"))
        elif at == "sequence_lens" or not origin[1].size:
            found.unread[name] = f"({at} {origin[1].reshape(-1)[:8].tolist()})"
        else:
            whole = by_direction(origin[1], by_row=by_row)
            for number, way in enumerate(ways):
                own = InitialState(origin[0], whole[number % len(whole)])
                found.initial[0, way][at] = own
    return found


def _units(passes: Mapping[tuple[int, str], Mapping[str, Array]]) -> int:
    """Give the units of a node's first direction; 0 if it has no R `[G, R]`."""
    first: Mapping[str, Array] = next(iter(passes.values()), {})
    return int(first["R"].shape[-1]) if "R" in first and first["R"].ndim else 0


def _told(
    node: NodeProto, tensors: Mapping[str, TensorProto]
) -> tuple[str, tuple[str, ...]]:
    """Tell the cell and the directions of a node by its attributes.

    Raises:
        FileError: It is none of our cells.

    """
    told = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if told.get("input_forget") == 0:
        del told["input_forget"]
    empty = {name for name, value in told.items() if value in ([], b"")}
    if others := told.keys() - _USED[node.op_type] - empty:
        said = ", ".join(f"{other} {told[other]!r}" for other in sorted(others))
        raise FileError(f"it has {said[:120]}, which is not computed here")
    most = len(INPUTS) if node.op_type == "LSTM" else INPUTS.index("initial_c")
    if len(node.input) > most:
        raise FileError(f"it has {len(node.input)} inputs, expected at most {most}")
    direction = ", ".join(words(told.get("direction", b"forward")))
    if direction not in DIRECTIONS:
        raise FileError(f"its direction is {direction[:40]!r}")
    ways = DIRECTIONS[direction]
    cell = {"RNN": "rnn_tanh", "LSTM": "lstm", "GRU": "gru_reset_before"}[node.op_type]
    if node.op_type == "GRU" and told.get("linear_before_reset"):
        cell = "gru"
    if node.op_type == "LSTM" and len(node.input) == len(INPUTS) and node.input[-1]:
        cell = "lstm_peephole"
    double = _is_double(node, tensors)
    chosen = of_node(told, CELLS[cell].chosen, len(ways), double=double)
    if cell == "rnn_tanh" and chosen["activation"] == "relu":
        return "rnn_relu", ways
    return CELLS.with_functions(cell, chosen), ways


def _is_double(node: NodeProto, tensors: Mapping[str, TensorProto]) -> bool:
    """Whether a node computes in float64, by its W."""
    w = node.input[INPUTS.index("W")] if len(node.input) > 1 else ""
    return w in tensors and tensors[w].data_type == TensorProto.DOUBLE


def _passes(
    node: NodeProto, tensors: Mapping[str, TensorProto], ways: tuple[str, ...]
) -> dict[tuple[int, str], dict[str, Array]]:
    """Give the arrays of each direction, by their names in ONNX.

    Raises:
        FileError: One is computed, kept elsewhere, or misshaped.

    """
    passes: dict[tuple[int, str], dict[str, Array]] = {(0, way): {} for way in ways}
    for name, tensor in zip(INPUTS, node.input, strict=False):
        if name not in {"W", "R", "B", "P"} or not tensor:
            continue
        if tensor not in tensors:
            raise FileError(
                f"its {name} is no constant of the model; export it with constants "
                "folded"
            )
        array = float_array(tensors[tensor], name)
        if array.ndim == 0 or array.shape[0] != len(ways):
            raise FileError(
                f"its {name} has shape {list(array.shape)} for {len(ways)} directions"
            )
        for way, part in zip(ways, array, strict=True):
            passes[0, way][name] = np.asarray(part)
    units = passes[0, ways[0]].get("R", np.zeros(0)).shape[-1:]
    for attribute in node.attribute:
        if attribute.name == "hidden_size" and (attribute.i,) != units:
            raise FileError(f"its hidden_size is {attribute.i}, R is for {[*units]}")
    return passes


def _canonical(cell: str, native: Mapping[str, Array], where: str) -> dict[str, Array]:
    size = rows(native, "R")
    units = size // len(CELLS[cell].gates)
    shapes: dict[str, tuple[int, ...]] = {"W": (size, -1), "R": (size, units)}
    if "B" in native:
        shapes["B"] = (2 * size,)
    if "peephole" in CELLS[cell].weights:
        shapes["P"] = (3 * units,)
    expect(native, shapes, where)
    own = to_canonical(cell, native)
    if "B" in native:
        own["biases"] = biases_to_canonical(cell, native["B"])
    return own
