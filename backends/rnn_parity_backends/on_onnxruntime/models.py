"""The model of a problem: one of each variant, with the weights in it.

Inputs are `inputs` (`static`: `inputs_0`, …, one a step), `initial_h`, …, `lengths` and
`start_stop`; outputs have the names of an outcome's arrays. Time-major cases are fed
and give back `[T, B, …]`.
"""

from collections.abc import Callable

import numpy as np
from onnx import ModelProto, TensorProto

from rnn_parity_backends import equations
from rnn_parity_backends.on_onnxruntime.graph import Graph, Tensor, joined, stacked
from rnn_parity_backends.on_onnxruntime.layout import possible
from rnn_parity_backends.on_onnxruntime.operators import (
    States,
    called,
    cell_step,
    native_weights,
)
from rnn_parity_core import Case, Problem, Unsupported


class _Ops:
    def tanh(self, x: Tensor) -> Tensor:
        return x.call("Tanh")

    def sigmoid(self, x: Tensor) -> Tensor:
        return x.call("Sigmoid")

    def relu(self, x: Tensor) -> Tensor:
        return x.call("Relu")

    def clip(self, x: Tensor, low: float, high: float) -> Tensor:
        return x.call("Clip", x.number(low), x.number(high))

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        return joined(tensors, axis=len(tensors[0].shape) - 1)


_OPS = _Ops()


def build(problem: Problem) -> ModelProto:
    """Make the model of a problem.

    Raises:
        Unsupported: ONNX has no operator for the cell.

    """
    case, graph = problem.case, Graph(problem.case.dtype)
    if case.variant != "basic" and not possible(case.cell):
        raise Unsupported(f"ONNX has no operator for {case.cell}")
    states = {
        name: graph.input(f"initial_{name}", shape)
        for name, shape in case.state_shapes().items()
    }
    _VARIANTS[case.variant](graph, problem, states)
    return graph.model()


def _whole(graph: Graph, problem: Problem, states: States) -> None:
    """Call an operator for each layer: `dynamic` and `variable_input`."""
    case, ways = problem.case, problem.case.directions
    x = graph.input("inputs", _fed_shape(case))
    if not case.time_major:
        x = x.transposed(1, 0, 2)
    lengths = None
    if case.variant == "variable_input":
        lengths = graph.input("lengths", (case.batch,), "int32")
    finals = []
    for layer in range(case.layers):
        first = layer * len(ways)
        initial = {n: s.between(first, first + len(ways)) for n, s in states.items()}
        native = native_weights(graph, problem, layer, *ways)
        y, after = called(case, native, x, initial, lengths, case.direction)
        x = y.transposed(0, 2, 1, 3).reshaped(case.steps, case.batch, case.output_size)
        finals.append(after)
    graph.output("outputs", x if case.time_major else x.transposed(1, 0, 2))
    for name in states:
        graph.output(f"final_{name}", joined([of[name] for of in finals], axis=0))


def _unrolled(
    problem: Problem,
    per_step: list[Tensor],
    states: States,
    step_of: Callable[[int, str], equations.Step],
) -> None:
    """Take one step after the other, in every layer and direction."""
    case, graph = problem.case, per_step[0].graph

    def initial_of(layer: int, way: str) -> States:
        index = case.passes.index((layer, way))
        return {name: of.at(index, axis=0) for name, of in states.items()}

    outputs, finals = equations.unroll(
        case, per_step, step_of, initial_of, _OPS.concatenate
    )
    graph.output("outputs", stacked(outputs, axis=_time_axis(case)))
    for name in states:
        graph.output(f"final_{name}", stacked([of[name] for of in finals], axis=0))


def _by_hand(graph: Graph, problem: Problem, states: States) -> None:
    """Write the equations out."""
    case = problem.case
    weights = equations.canonical(problem, graph.initializer)
    x = graph.input("inputs", _fed_shape(case))
    per_step = [x.at(t, axis=_time_axis(case)) for t in range(case.steps)]
    _unrolled(
        problem,
        per_step,
        states,
        lambda layer, way: equations.make_step(_OPS, case.cell, weights(layer, way)),
    )


def _listed(graph: Graph, problem: Problem, states: States) -> None:
    """Call operators over a list of inputs, one a step."""
    case = problem.case
    shape = (case.batch, case.features)
    per_step = [graph.input(f"inputs_{t}", shape) for t in range(case.steps)]
    _called_over(problem, per_step, states)


def _split(graph: Graph, problem: Problem, states: States) -> None:
    """Call operators over one input, split."""
    case, axis = problem.case, _time_axis(problem.case)
    x = graph.input("inputs", _fed_shape(case))
    shape = list(x.shape)
    shape[axis] = 1
    parts = graph.call(
        "Split", [x], *[tuple(shape)] * case.steps, axis=axis, num_outputs=case.steps
    )
    per_step = [part.reshaped(case.batch, case.features) for part in parts]
    _called_over(problem, per_step, states)


def _called_over(problem: Problem, per_step: list[Tensor], states: States) -> None:
    graph = per_step[0].graph

    def step_of(layer: int, way: str) -> equations.Step:
        return cell_step(problem.case, native_weights(graph, problem, layer, way))

    _unrolled(problem, per_step, states, step_of)


def _decoded(graph: Graph, problem: Problem, states: States) -> None:
    """Feed each row its own tokens, in a Loop over all steps."""
    case = problem.case
    ends = graph.input("start_stop", (2,), "int32").call("Cast", to=TensorProto.INT64)
    start, stop = ends.at(0, axis=0), ends.at(1, axis=0)
    embedding, readout, bias = (
        graph.initializer(problem[name])
        for name in ("embedding", "readout", "readout_bias")
    )
    natives = [native_weights(graph, problem, n, "forward") for n in range(case.layers)]
    steps = [cell_step(case, native) for native in natives]

    def body(carried: list[Tensor]) -> tuple[list[Tensor], dict[Tensor, str]]:
        *old, token, running = carried
        keep = running.reshaped(case.batch, 1)
        shape = (case.batch, case.features)
        (x,) = graph.call("Gather", [embedding, token], shape)
        after: list[States] = []
        for layer, step in enumerate(steps):
            now = [of.at(layer, axis=0) for of in old]
            before = dict(zip(states, now, strict=True))
            taken = step(x, before)
            after.append({n: _where(keep, taken[n], before[n]) for n in before})
            x = taken["h"]
        shown = _where(keep, x, graph.initializer(np.zeros((), case.dtype)))
        best = (x @ readout + bias).call(
            "ArgMax", shape=(case.batch,), axis=1, keepdims=0
        )
        said = _where(running, best, stop)
        stops = best.call("Equal", stop).call("Not")
        stacks = [stacked([of[name] for of in after], axis=0) for name in states]
        on = running.call("And", stops)
        return [*stacks, best, on], {shown: case.dtype, said: "int64"}

    first = start.call(
        "Expand", graph.initializer(np.array([case.batch])), shape=(case.batch,)
    )
    running = graph.initializer(np.ones(case.batch, dtype=bool))
    carried = dict.fromkeys(states.values(), case.dtype)
    *finals, _, _, shown, said = graph.loop(
        case.steps, {**carried, first: "int64", running: "bool"}, body
    )
    graph.output("outputs", shown.transposed(1, 0, 2))
    tokens = said.transposed(1, 0).call("Cast", to=TensorProto.INT32)
    graph.output("tokens", tokens, "int32")
    for name, final in zip(states, finals, strict=True):
        graph.output(f"final_{name}", final)


def _where(mask: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return mask.call("Where", one, other, shape=one.shape)


def _fed_shape(case: Case) -> tuple[int, int, int]:
    time_major = (case.steps, case.batch, case.features)
    return time_major if case.time_major else (case.batch, case.steps, case.features)


def _time_axis(case: Case) -> int:
    return 0 if case.time_major else 1


_VARIANTS: dict[str, Callable[[Graph, Problem, States], None]] = {
    "basic": _by_hand,
    "static": _listed,
    "static_single": _split,
    "dynamic": _whole,
    "variable_input": _whole,
    "variable_output": _decoded,
}
