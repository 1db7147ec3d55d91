"""ONNX's recurrent operators as layers and as cells of a graph."""

import numpy as np

from rnn_parity_backends import equations
from rnn_parity_backends.on_onnxruntime import layout
from rnn_parity_backends.on_onnxruntime.graph import Graph, Tensor
from rnn_parity_core import CELLS, Case, Problem

Native = dict[str, Tensor]
States = dict[str, Tensor]


def native_weights(graph: Graph, problem: Problem, layer: int, *ways: str) -> Native:
    """Keep the weights of a layer's directions in the model, stacked."""
    cell = problem.case.cell
    each = [layout.to_native(cell, problem.weights(layer, way)) for way in ways]
    return {
        name: graph.initializer(np.stack([weights[name] for weights in each]))
        for name in each[0]
    }


def called(
    case: Case,
    native: Native,
    x: Tensor,
    states: States,
    lengths: Tensor | None = None,
    direction: str = "forward",
) -> tuple[Tensor, States]:
    """Add the operator of a cell, of one layer and one or both directions.

    It takes `x` `[T, B, I]` and states `[directions, B, H]`, and gives outputs
    `[T, directions, B, H]` and states.
    """
    operator, _ = layout.OPERATORS[CELLS[case.cell].base]
    told = layout.told(case.cell, native["W"].shape[0])
    inputs = [x, native["W"], native["R"], native.get("B"), lengths, *states.values()]
    if "P" in native:
        inputs.append(native["P"])
    shape = states["h"].shape
    y, *after = x.graph.call(
        operator,
        inputs,
        (x.shape[0], shape[0], *shape[1:]),
        *[shape] * len(states),
        hidden_size=case.units,
        direction=direction,
        **told,
    )
    return y, dict(zip(states, after, strict=True))


def cell_step(case: Case, native: Native) -> equations.Step:
    """Give the operator as a cell: one step of one direction, `[B, I]` to `[B, H]`."""

    def step(x: Tensor, state: States) -> States:
        lone = {name: of.reshaped(1, *of.shape) for name, of in state.items()}
        _, after = called(case, native, x.reshaped(1, *x.shape), lone)
        return {name: of.at(0, axis=0) for name, of in after.items()}

    return step
