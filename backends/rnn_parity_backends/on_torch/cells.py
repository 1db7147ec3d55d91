"""What PyTorch computes step by step: by hand, with its cells, and feeding itself.

Each function here makes a case's modules once and gives what computes its problems.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rnn_parity_backends import equations
from rnn_parity_backends.on_torch import layout
from rnn_parity_core import Case, Problem, Unsupported

Tensors = dict[str, Any]  # tensors by the names of our arrays
Compute = Callable[[Problem], Tensors]
StepOf = Callable[[int, str], equations.Step]

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

    def clip(self, x: Tensor, low: float, high: float) -> Tensor:
        return torch.clamp(x, low, high)

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        return torch.cat(tensors, dim=-1)


_OPS = _Ops()


def _unroll(problem: Problem, inputs: list[Tensor], step_of: StepOf) -> Tensors:
    """Call one cell for each layer and direction, once for each step."""
    outputs, finals = equations.unroll(
        problem.case, inputs, step_of, problem.initial, _OPS.concatenate
    )
    stacked = equations.final_arrays(finals, torch.stack)
    return {"outputs": torch.stack(outputs, dim=1), **stacked}


def basic(case: Case) -> Compute:
    """Run the equations of `by_hand` on views of one tensor of inputs."""

    def compute(problem: Problem) -> Tensors:
        def step_of(layer: int, way: str) -> equations.Step:
            weights = problem.weights(layer, way)
            return equations.make_step(_OPS, case.cell, weights)

        x = problem["inputs"]
        return _unroll(problem, [x[:, t] for t in range(case.steps)], step_of)

    return compute


def _made(case: Case) -> dict[tuple[int, str], Any]:
    """Make an `nn.RNNCell`, `nn.LSTMCell` or `nn.GRUCell` for each layer and way."""
    if case.cell not in _CELLS:
        raise Unsupported(f"torch.nn has no cell class for {case.cell}")
    return {
        (layer, way): _CELLS[case.cell](
            case.input_size(layer),
            case.units,
            bias=case.bias,
            dtype=getattr(torch, case.dtype),
        )
        for layer, way in case.passes
    }


def _steps(made: Mapping[tuple[int, str], Any], problem: Problem) -> StepOf:
    """Give the steps of cells, called with our weights in place of their own."""

    def step_of(layer: int, way: str) -> equations.Step:
        cell = made[layer, way]
        native = layout.to_native(problem.case.cell, problem.weights(layer, way))

        def step(x: Tensor, state: equations.State) -> equations.State:
            if "c" not in state:
                return {"h": functional_call(cell, native, (x, state["h"]))}
            h, c = functional_call(cell, native, (x, (state["h"], state["c"])))
            return {"h": h, "c": c}

        return step

    return step_of


def static(case: Case) -> Compute:
    """Call PyTorch's cells over a list of per-step tensors."""
    made = _made(case)

    def compute(problem: Problem) -> Tensors:
        x: Any = problem["inputs"]
        per_step = [x[:, t].clone() for t in range(case.steps)]
        return _unroll(problem, per_step, _steps(made, problem))

    return compute


def static_single(case: Case) -> Compute:
    """Call PyTorch's cells over one tensor, unbound."""
    made = _made(case)

    def compute(problem: Problem) -> Tensors:
        x: Any = problem["inputs"]
        return _unroll(problem, list(x.unbind(1)), _steps(made, problem))

    return compute


def decoded(case: Case) -> Compute:
    """Call cells in a loop, with what they say, until every row has said stop."""
    made = _made(case)

    def compute(problem: Problem) -> Tensors:
        step_of = _steps(made, problem)
        steps = [step_of(layer, "forward") for layer in range(case.layers)]
        return _greedy_decode(problem, steps)

    return compute


def _greedy_decode(problem: Problem, steps: list[equations.Step]) -> Tensors:
    case, embedding = problem.case, problem["embedding"]
    start, stop = problem["start_stop"].long().unbind()  # type: ignore[attr-defined]
    states = [problem.initial(layer, "forward") for layer in range(case.layers)]
    token = start.expand(case.batch)
    running = torch.ones_like(token, dtype=torch.bool)
    tokens = stop.int().repeat(case.batch, case.steps)
    outputs: Any = embedding.new_zeros(  # type: ignore[attr-defined]
        case.batch, case.steps, case.output_size
    )
    for t in range(case.steps):
        # What is compiled is one program, and takes every step.
        if not torch.compiler.is_compiling() and not bool(running.any()):
            break
        x: Any = embedding[token]
        keep = running.unsqueeze(1)
        for layer, step in enumerate(steps):
            taken, old = step(x, states[layer]), states[layer]
            states[layer] = {n: torch.where(keep, taken[n], old[n]) for n in old}
            x = taken["h"]
        outputs[:, t] = torch.where(keep, x, 0)
        token = (x @ problem["readout"] + problem["readout_bias"]).argmax(dim=1)
        tokens[:, t] = torch.where(running, token, stop)
        running = running & (token != stop)
    stacked = equations.final_arrays(states, torch.stack)
    return {"tokens": tokens, "outputs": outputs, **stacked}
