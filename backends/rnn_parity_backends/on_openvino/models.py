"""The model of a problem: one of each variant, with the weights in it.

Inputs are `inputs` (`static`: `inputs_0`, …, one a step), `initial_h`, … and `lengths`;
outputs have the names of an outcome's arrays. Time-major cases are fed and give back
`[T, B, …]`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import openvino
from openvino import opset15 as ops

from rnn_parity_backends import equations
from rnn_parity_backends.on_openvino import layout
from rnn_parity_backends.on_openvino.tensors import (
    Ops,
    Tensor,
    constant,
    failure_signature,
    joined,
    stacked,
    where,
)
from rnn_parity_core import CELLS, Case, Cell, Problem, Unsupported

_GRU = ops.gru_cell, ops.gru_sequence
OPERATORS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "rnn_tanh": (ops.rnn_cell, ops.rnn_sequence, {}),
    "rnn_relu": (ops.rnn_cell, ops.rnn_sequence, {}),
    "lstm": (ops.lstm_cell, ops.lstm_sequence, {}),
    "gru": (*_GRU, {"linear_before_reset": True}),
    "gru_reset_before": (*_GRU, {"linear_before_reset": False}),
}
"""Cell → OpenVINO's operators of a step and of a sequence, and what both are told but
activations."""
FUNCTIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu"}
"""Function → OpenVINO's name of it."""

Named = dict[str, Tensor]


class Built(NamedTuple):
    """A model, and the names of its inputs and outputs, in their order."""

    model: Any
    inputs: list[str]
    outputs: list[str]


class _Inputs:
    """Inputs as they are asked for."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.nodes: dict[str, Any] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: str = "") -> Tensor:
        kind = failure_signature(dtype or self.case.dtype)
        self.nodes[name] = ops.parameter(list(shape), kind)
        return Tensor(self.nodes[name].output(0))

    def whole(self) -> Tensor:
        """Give `inputs`, batch-major."""
        case = self.case
        if not case.time_major:
            return self("inputs", case.shape("BTD"))
        return self("inputs", case.shape("TBD")).transposed(1, 0, 2)


def build(problem: Problem) -> Built:
    """Make the model of a problem.

    Raises:
        Unsupported: OpenVINO has no operator for the cell.

    """
    case, inputs = problem.case, _Inputs(problem.case)
    if case.variant != "basic" and not _possible(CELLS[case.cell]):
        raise Unsupported(f"OpenVINO has no operator for {case.cell}")
    states = {
        name: inputs(f"initial_{name}", shape)
        for name, shape in case.state_shapes().items()
    }
    outcome = _VARIANTS[case.variant](problem, inputs, states)
    if case.time_major:
        outcome["outputs"] = outcome["outputs"].transposed(1, 0, 2)
    made = openvino.Model(
        [tensor.output for tensor in outcome.values()], [*inputs.nodes.values()], "case"
    )
    return Built(made, [*inputs.nodes], [*outcome])


def _possible(cell: Cell) -> bool:
    return cell.base in OPERATORS and FUNCTIONS.keys() >= {*cell.chosen.values()}


def _told(cell: Cell) -> dict[str, Any]:
    """Give what both operators are told to be a cell."""
    return {
        **OPERATORS[cell.base][2],
        "activations": [FUNCTIONS[name] for name in cell.chosen.values()],
        "activations_alpha": [],
        "activations_beta": [],
    }


def _whole(problem: Problem, inputs: _Inputs, states: Named) -> Named:
    """Call an operator for each layer: `dynamic` and `variable_input`."""
    case, ways = problem.case, problem.case.directions
    x = inputs.whole()
    if case.variant == "variable_input":
        lengths = inputs("lengths", (case.batch,), "int32")
    else:
        lengths = constant(np.full(case.batch, case.steps, np.int32))
    cell = CELLS[case.cell]
    _, operator, _ = OPERATORS[cell.base]
    finals: list[Named] = []
    for layer in range(case.layers):
        first = layer * len(ways)
        # Rows come before directions in OpenVINO.
        initial = [
            state.between(first, first + len(ways), axis=0).transposed(1, 0, 2)
            for state in states.values()
        ]
        node = operator(
            *(tensor.output for tensor in (x, *initial, lengths)),
            *(tensor.output for tensor in _weights(problem, layer, *ways)),
            case.units,
            case.direction,
            **_told(cell),
        )
        y, *after = (Tensor(output) for output in node.outputs())
        x = y.transposed(0, 2, 1, 3).reshaped(*case.shape("BT"), case.output_size)
        turned = [state.transposed(1, 0, 2) for state in after]
        finals.append(dict(zip(states, turned, strict=True)))
    ends = {f"final_{n}": joined([of[n] for of in finals], axis=0) for n in states}
    return {"outputs": x, **ends}


def _weights(problem: Problem, layer: int, *ways: str) -> list[Tensor]:
    """Keep W, R and B of a layer's directions in the model, stacked."""
    cell = problem.case.cell
    each = [layout.to_native(cell, problem.weights(layer, way)) for way in ways]
    return [constant(np.stack(arrays)) for arrays in zip(*each, strict=True)]


def _step(problem: Problem, layer: int, way: str) -> equations.Step:
    """Give an operator of one step."""
    case = problem.case
    cell = CELLS[case.cell]
    operator, _, _ = OPERATORS[cell.base]
    weights = [of.at(0, axis=0).output for of in _weights(problem, layer, way)]

    def step(x: Tensor, state: equations.State) -> equations.State:
        fed = [tensor.output for tensor in (x, *state.values())]
        node = operator(*fed, *weights, case.units, **_told(cell))
        return dict(zip(state, map(Tensor, node.outputs()), strict=True))

    return step


def _unrolled(
    problem: Problem,
    per_step: list[Tensor],
    states: Named,
    step_of: Callable[[int, str], equations.Step],
) -> Named:
    """Take one step after the other, in every layer and direction."""
    case = problem.case

    def initial_of(layer: int, way: str) -> Named:
        index = case.passes.index((layer, way))
        return {name: of.at(index, axis=0) for name, of in states.items()}

    outputs, finals = equations.unroll(
        case, per_step, step_of, initial_of, Ops().concatenate
    )
    ends = equations.final_arrays(finals, lambda tensors: stacked(tensors, axis=0))
    return {"outputs": stacked(outputs, axis=1), **ends}


def _by_hand(problem: Problem, inputs: _Inputs, states: Named) -> Named:
    """Write the equations out."""
    case, x = problem.case, inputs.whole()
    weights = equations.canonical(problem, constant)
    return _unrolled(
        problem,
        [x.at(t, axis=1) for t in range(case.steps)],
        states,
        lambda layer, way: equations.make_step(Ops(), case.cell, weights(layer, way)),
    )


def _listed(problem: Problem, inputs: _Inputs, states: Named) -> Named:
    """Call operators over a list of inputs, one a step."""
    case = problem.case
    x = [inputs(f"inputs_{t}", case.shape("BD")) for t in range(case.steps)]
    return _unrolled(problem, x, states, lambda *at: _step(problem, *at))


def _split(problem: Problem, inputs: _Inputs, states: Named) -> Named:
    """Call operators over one input, split."""
    case = problem.case
    parts = ops.split(inputs.whole().output, 1, case.steps).outputs()
    x = [Tensor(part).reshaped(*case.shape("BD")) for part in parts]
    return _unrolled(problem, x, states, lambda *at: _step(problem, *at))


def _decoded(problem: Problem, _: _Inputs, states: Named) -> Named:
    """Feed each row its own tokens, in a Loop until every row has said stop."""
    case = problem.case
    start, stop = (int(token) for token in problem["start_stop"])
    rows, said = case.shape("B"), case.shape("BT")
    carried = {
        **states,
        "token": constant(np.full(rows, start, np.int32)),
        "running": constant(np.ones(rows, bool)),
        "tokens": constant(np.full(said, stop, np.int32)),
        "outputs": constant(np.zeros((*said, case.output_size), case.dtype)),
    }
    time = ops.parameter([], openvino.Type.i32)
    nodes = [
        ops.parameter(of.shape, of.output.get_element_type()) for of in carried.values()
    ]
    entering = {n: Tensor(p.output(0)) for n, p in zip(carried, nodes, strict=True)}
    leaving = _said(problem, stop, Tensor(time.output(0)), entering)
    going_on = ops.reduce_logical_or(leaving["running"].output, 0)
    ends = [going_on.output(0), *(leaving[name].output for name in carried)]
    body = openvino.Model(ends, [time, *nodes], "body")
    loop = ops.loop(ops.constant(np.int32(case.steps)), ops.constant(np.array(True)))
    loop.set_function(body)
    loop.set_special_body_ports([0, 0])
    results = dict(zip(carried, body.results[1:], strict=True))
    for node, (name, initial) in zip(nodes, carried.items(), strict=True):
        loop.set_merged_input(node, initial.output, results[name].output(0))
    done = {n: Tensor(loop.get_iter_value(r.output(0), -1)) for n, r in results.items()}
    finals = {f"final_{name}": done[name] for name in states}
    return {"tokens": done["tokens"], "outputs": done["outputs"], **finals}


def _said(problem: Problem, stop: int, time: Tensor, before: Named) -> Named:
    """Give what is carried as it is after a step."""
    case, running = problem.case, before["running"]
    states = CELLS[case.cell].states
    keep = running.reshaped(case.batch, 1)
    x = Tensor(
        ops.gather(
            constant(problem["embedding"]).output, before["token"].output, 0
        ).output(0)
    )
    after: list[Named] = []
    for layer in range(case.layers):
        old = {name: before[name].at(layer, axis=0) for name in states}
        taken = _step(problem, layer, "forward")(x, old)
        after.append({n: where(keep, taken[n], old[n]) for n in old})
        x = taken["h"]
    readout, bias = constant(problem["readout"]), constant(problem["readout_bias"])
    logits = x @ readout + bias
    best = ops.topk(logits.output, 1, 1, "max", "value", index_element_type="i32")
    token = Tensor(best.output(1)).reshaped(case.batch)
    ended, steps = (
        constant(np.array(stop, np.int32)),
        constant(np.arange(case.steps, dtype="i4")),
    )
    stops = ops.equal(token.output, ended.output)
    on = ops.logical_and(running.output, ops.logical_not(stops))
    now = Tensor(ops.equal(steps.output, time.output).output(0))
    shown = where(keep, x, constant(np.zeros((), case.dtype)))
    words = where(running, token, ended).reshaped(case.batch, 1)
    return {
        **{name: stacked([of[name] for of in after], axis=0) for name in states},
        "token": token,
        "running": Tensor(on.output(0)),
        "tokens": where(now, words, before["tokens"]),
        "outputs": where(
            now.reshaped(1, case.steps, 1),
            shown.reshaped(case.batch, 1, case.output_size),
            before["outputs"],
        ),
    }


_VARIANTS: dict[str, Callable[[Problem, _Inputs, Named], Named]] = {
    "basic": _by_hand,
    "static": _listed,
    "static_single": _split,
    "dynamic": _whole,
    "variable_input": _whole,
    "variable_output": _decoded,
}
