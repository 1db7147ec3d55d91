"""A model of a layer for ONNX Runtime and others."""

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from rnn_parity.models.layer import Recurrent
from rnn_parity.models.onnx_file import INPUTS
from rnn_parity_backends.on_onnxruntime.layout import (
    OPERATORS,
    biases_to_native,
    possible,
    to_native,
    told,
)
from rnn_parity_core import CELLS, Array, FileError

_OPSET, _IR_VERSION = 22, 10  # the latest in which RNN, LSTM and GRU have changed


def write(layer: Recurrent) -> bytes:
    """Give a model of a layer, for any batch and number of steps.

    Its inputs are `inputs` `[B, T, D]`, `initial_h` and of an LSTM `initial_c`
    `[L * directions, B, H]`, its outputs `outputs` `[B, T, R]`, `final_h`, `final_c`.

    Raises:
        FileError: ONNX has no such operator.

    """
    case = layer.case
    if CELLS[case.cell].base not in OPERATORS:
        raise FileError(f"ONNX has no operator for {case.cell}: choose --to torch")
    if not possible(case.cell):
        raise FileError(
            f"ONNX has not all functions of {case.cell}: choose --to canonical"
        )
    nodes, tensors = _graph(layer)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(case.dtype))
    states = CELLS[case.cell].states
    passes = len(case.passes)

    def typed(name: str, *shape: int | str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        nodes,
        "layer",
        [
            typed("inputs", "B", "T", case.features),
            *(typed(f"initial_{s}", passes, "B", case.units) for s in states),
        ],
        [
            typed("outputs", "B", "T", case.output_size),
            *(typed(f"final_{s}", passes, "B", case.units) for s in states),
        ],
        tensors,
    )
    opset = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _native(layer: Recurrent, n: int, way: str) -> dict[str, Array]:
    """Give ONNX' arrays of one layer and direction, two biases as they were."""
    native = to_native(layer.case.cell, layer.of_pass(n, way))
    if (n, way) in layer.biases:
        native["B"] = biases_to_native(layer.case.cell, layer.biases[n, way])
    return native


def _graph(layer: Recurrent) -> tuple[list[NodeProto], list[TensorProto]]:
    """Give the nodes of a layer's layers, one after the other, and their weights."""
    case, make = layer.case, helper.make_node
    operator, _ = OPERATORS[CELLS[case.cell].base]
    ways = case.directions
    numbers = {"merged": [0, 0, -1], "cuts": [len(ways)] * case.layers}
    tensors = [
        numpy_helper.from_array(np.array(array, np.int64), name)
        for name, array in numbers.items()
    ]
    nodes = [make("Transpose", ["inputs"], ["x_0"], perm=[1, 0, 2])]
    states = list(CELLS[case.cell].states)
    for s in states:
        each = [f"initial_{s}_{n}" for n in range(case.layers)]
        nodes.append(make("Split", [f"initial_{s}", "cuts"], each, axis=0))
    for n in range(case.layers):
        native = [_native(layer, n, way) for way in ways]
        for name in native[0]:
            array = np.stack([of[name] for of in native])
            tensors.append(numpy_helper.from_array(array, f"{name}_{n}"))
        inputs = {"X": f"x_{n}"} | {name: f"{name}_{n}" for name in native[0]}
        inputs |= {f"initial_{s}": f"initial_{s}_{n}" for s in states}
        given = [inputs.get(name, "") for name in INPUTS]
        while not given[-1]:
            given.pop()
        nodes += [
            make(
                operator,
                given,
                [f"y_{n}", *(f"final_{s}_{n}" for s in states)],
                name=f"layer{n}",
                hidden_size=case.units,
                direction=case.direction,
                **told(case.cell, len(ways)),
            ),
            make("Transpose", [f"y_{n}"], [f"t_{n}"], perm=[0, 2, 1, 3]),
            make("Reshape", [f"t_{n}", "merged"], [f"x_{n + 1}"]),
        ]
    nodes.append(make("Transpose", [f"x_{case.layers}"], ["outputs"], perm=[1, 0, 2]))
    for s in states:
        each = [f"final_{s}_{n}" for n in range(case.layers)]
        nodes.append(make("Concat", each, [f"final_{s}"], axis=0))
    return nodes, tensors
