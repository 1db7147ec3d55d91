"""What PyTorch computes step by step: by hand, with its cells, and feeding itself."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from backends import by_hand
from backends.on_torch import layout
from harness.backend import Unsupported
from harness.spec import Problem

Tensors = dict[str, Any]  # tensors by the names of our arrays

# What PyTorch has; a cell that is not here it has not.
_CELLS: Mapping[str, Any] = {
    "rnn_tanh": partial(nn.RNNCell, nonlinearity="tanh"),
    "rnn_relu": partial(nn.RNNCell, nonlinearity="relu"),
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
}


class _Ops:
    def tanh(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def relu(self, x: Tensor) -> Tensor:
        return torch.relu(x)

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        return torch.cat(tensors, dim=-1)


_OPS = _Ops()


def _unroll(problem: Problem, inputs: list[Tensor], step_of: Any) -> Tensors:
    """Call one cell for each layer and direction, once for each step."""
    outputs, finals = by_hand.unroll(
        problem.case, inputs, step_of, problem.initial, _OPS.concatenate
    )
    stacked = by_hand.final_arrays(finals, torch.stack)
    return {"outputs": torch.stack(outputs, dim=1), **stacked}


def basic(problem: Problem) -> Tensors:
    """Run the equations of `by_hand` on views of one tensor of inputs."""

    def step_of(layer: int, way: str) -> by_hand.Step:
        weights = problem.weights(layer, way)
        return by_hand.make_step(_OPS, problem.case.cell, weights)

    x = problem["inputs"]
    return _unroll(problem, [x[:, t] for t in range(problem.case.steps)], step_of)


def _cell_step(problem: Problem, layer: int, way: str) -> by_hand.Step:
    """Give the step of a loaded `nn.RNNCell`, `nn.LSTMCell` or `nn.GRUCell`."""
    case = problem.case
    if case.cell not in _CELLS:
        raise Unsupported(f"torch.nn has no cell class for {case.cell}")
    cell = _CELLS[case.cell](
        case.input_size(layer),
        case.units,
        bias=case.bias,
        dtype=getattr(torch, case.dtype),
    )
    native = layout.to_native(problem.case.cell, problem.weights(layer, way))

    def step(x: Tensor, state: by_hand.State) -> by_hand.State:
        if "c" not in state:
            return {"h": functional_call(cell, native, (x, state["h"]))}
        h, c = functional_call(cell, native, (x, (state["h"], state["c"])))
        return {"h": h, "c": c}

    return step


def static(problem: Problem) -> Tensors:
    """Call PyTorch's cells over a list of per-step tensors."""
    x: Any = problem["inputs"]
    per_step = [x[:, t].clone() for t in range(problem.case.steps)]
    return _unroll(problem, per_step, partial(_cell_step, problem))


def static_single(problem: Problem) -> Tensors:
    """Call PyTorch's cells over one tensor, unbound."""
    x: Any = problem["inputs"]
    return _unroll(problem, list(x.unbind(1)), partial(_cell_step, problem))


def decoded(problem: Problem) -> Tensors:
    """Call cells in a loop, with what they say, until every row has said stop."""
    case = problem.case
    start, stop = (int(n) for n in problem["start_stop"])
    steps = [_cell_step(problem, layer, "forward") for layer in range(case.layers)]
    states = [problem.initial(layer, "forward") for layer in range(case.layers)]
    token, running = torch.full((case.batch,), start), torch.ones(case.batch).bool()
    tokens = torch.full((case.batch, case.steps), stop, dtype=torch.int32)
    outputs = torch.zeros(
        case.batch, case.steps, case.output_size, dtype=getattr(torch, case.dtype)
    )
    for t in range(case.steps):
        if not bool(running.any()):
            break
        x: Tensor = problem["embedding"][token]
        keep = running.unsqueeze(1)
        for layer, step in enumerate(steps):
            taken, old = step(x, states[layer]), states[layer]
            states[layer] = {n: torch.where(keep, taken[n], old[n]) for n in old}
            x = taken["h"]
        outputs[:, t] = torch.where(keep, x, 0)
        token = (x @ problem["readout"] + problem["readout_bias"]).argmax(dim=1)
        tokens[:, t] = torch.where(running, token, stop)
        running = running & (token != stop)
    stacked = by_hand.final_arrays(states, torch.stack)
    return {"tokens": tokens, "outputs": outputs, **stacked}
