"""The cells by hand, over whatever tensors a framework has.

What the `basic` variant of every adapter runs, and what stands in where a framework has
a loop but no cell. The equations are written down here a second time on purpose: the
judge has its own, and one mistake must not be in both.

Tensors need `@`, `+`, `*` and slicing; the rest is asked of `Ops`. States are
dictionaries: `h`, and `c` for the LSTMs.
"""

from collections.abc import Callable
from typing import Any, Protocol

from rnn_parity_core import CELLS, Case, Problem

Tensor = Any  # the framework's own
State = dict[str, Tensor]
Step = Callable[[Tensor, State], State]


class Ops(Protocol):
    """What differs between frameworks."""

    def tanh(self, x: Tensor) -> Tensor:
        """Hyperbolic tangent."""
        ...

    def sigmoid(self, x: Tensor) -> Tensor:
        """Logistic function."""
        ...

    def relu(self, x: Tensor) -> Tensor:
        """Larger one of x and 0."""
        ...

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        """Join along the last axis."""
        ...


def make_step(ops: Ops, cell: str, weights: dict[str, Tensor]) -> Step:
    """Give the function that takes one step: `x` `[B, I]` and states to states."""
    equations = {
        "rnn_tanh": _rnn,
        "rnn_relu": _rnn,
        "lstm": _lstm,
        "lstm_peephole": _lstm,
        "lstm_projection": _lstm,
        "gru": _gru,
        "gru_reset_before": _gru_reset_before,
    }[cell]
    return lambda x, state: equations(ops, cell, weights, x, state)


def _gates(cell: str, tensor: Tensor) -> list[Tensor]:
    """Cut `[..., G]` into its gates, in canonical order."""
    count = len(CELLS[cell].gates)
    units = int(tensor.shape[-1]) // count
    return [tensor[..., k * units : (k + 1) * units] for k in range(count)]


def _plus(tensor: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    """Add a bias, if the case has any."""
    return tensor + weights[name] if name in weights else tensor


def _rnn(
    ops: Ops, cell: str, weights: dict[str, Tensor], x: Tensor, state: State
) -> State:
    total = state["h"] @ weights["recurrent_kernel"] + x @ weights["kernel"]
    total = _plus(total, weights, "bias")
    return {"h": ops.relu(total) if cell == "rnn_relu" else ops.tanh(total)}


def _lstm(
    ops: Ops, cell: str, weights: dict[str, Tensor], x: Tensor, state: State
) -> State:
    h, c = state["h"], state["c"]
    total = _plus(
        x @ weights["kernel"] + h @ weights["recurrent_kernel"], weights, "bias"
    )
    i, f, g, o = _gates(cell, total)
    peephole = weights.get("peephole")
    if peephole is not None:
        i, f = i + peephole[0] * c, f + peephole[1] * c
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    if peephole is not None:
        o = o + peephole[2] * c
    h = ops.sigmoid(o) * ops.tanh(c)
    if "projection" in weights:
        h = h @ weights["projection"]
    return {"h": h, "c": c}


def _gru(
    ops: Ops, cell: str, weights: dict[str, Tensor], x: Tensor, state: State
) -> State:
    h = state["h"]
    x_r, x_z, x_n = _gates(cell, _plus(x @ weights["kernel"], weights, "bias"))
    h_r, h_z, h_n = _gates(cell, h @ weights["recurrent_kernel"])
    r, z = ops.sigmoid(x_r + h_r), ops.sigmoid(x_z + h_z)
    n = ops.tanh(x_n + r * _plus(h_n, weights, "recurrent_bias"))
    return {"h": z * h + (1 - z) * n}


def _gru_reset_before(
    ops: Ops, cell: str, weights: dict[str, Tensor], x: Tensor, state: State
) -> State:
    h = state["h"]
    x_r, x_z, x_n = _gates(cell, _plus(x @ weights["kernel"], weights, "bias"))
    u_r, u_z, u_n = _gates(cell, weights["recurrent_kernel"])
    r, z = ops.sigmoid(x_r + h @ u_r), ops.sigmoid(x_z + h @ u_z)
    n = ops.tanh(x_n + (r * h) @ u_n)
    return {"h": z * h + (1 - z) * n}


def unroll(
    case: Case,
    inputs: list[Tensor],
    step_of: Callable[[int, str], Step],
    initial_of: Callable[[int, str], State],
    concatenate: Callable[[list[Tensor]], Tensor],
) -> tuple[list[Tensor], list[State]]:
    """Call a cell once for each step, in every layer and direction.

    Args:
        case: The case.
        inputs: One `[B, D]` for each step.
        step_of: Layer and direction → its cell.
        initial_of: Layer and direction → its initial states.
        concatenate: Joins both directions along the last axis.

    Returns:
        One `[B, R * directions]` for each step, and the final states of each layer and
        direction.

    """
    finals = []
    for layer in range(case.layers):
        ways = []
        for way in case.directions:
            step, state, outputs = step_of(layer, way), initial_of(layer, way), []
            for x in inputs if way == "forward" else reversed(inputs):
                state = step(x, state)
                outputs.append(state["h"])
            ways.append(outputs if way == "forward" else outputs[::-1])
            finals.append(state)
        together = zip(*ways, strict=True)
        inputs = [concatenate(list(of)) if len(of) > 1 else of[0] for of in together]
    return inputs, finals


class DecodingOps(Protocol):
    """What a loop that feeds itself asks of a framework besides."""

    def where(self, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Take elements of x where the condition holds, else those of y."""
        ...

    def argmax(self, x: Tensor) -> Tensor:
        """Give the first of the largest along the last axis, int32."""
        ...


def greedy_decode(
    problem: Problem, steps: list[Step], token: Tensor, ops: DecodingOps
) -> tuple[list[Tensor], list[Tensor], list[State]]:
    """Call cells in a loop, with what they say, until every row has said stop.

    Args:
        problem: Its arrays are the framework's own.
        steps: The cell of each layer.
        token: What each row starts with, `[B]`.
        ops: The framework's.

    Returns:
        Tokens `[B]` and outputs `[B, R]` of each step, and each layer's final states.

    """
    case, stop = problem.case, problem["start_stop"][1]
    states = [problem.initial(layer, "forward") for layer in range(case.layers)]
    tokens: list[Tensor] = []
    outputs: list[Tensor] = []
    running = token == token  # noqa: PLR0124 - every row
    for _ in range(case.steps):
        keep = running[:, None]
        if running.any().item():
            x = problem["embedding"][token]
            for layer, step in enumerate(steps):
                taken, old = step(x, states[layer]), states[layer]
                states[layer] = {n: ops.where(keep, taken[n], old[n]) for n in old}
                x = taken["h"]
            token = ops.argmax(x @ problem["readout"] + problem["readout_bias"])
        outputs.append(ops.where(keep, x, 0))
        tokens.append(ops.where(running, token, stop))
        running = running & (token != stop)
    return tokens, outputs, states


def final_arrays(
    finals: list[State], stack: Callable[[list[Tensor]], Tensor]
) -> dict[str, Tensor]:
    """Give `final_h`, `final_c` `[L * directions, B, …]` of the final states."""
    return {
        f"final_{name}": stack([state[name] for state in finals]) for name in finals[0]
    }


def canonical(
    problem: Problem, to_tensor: Callable[[Any], Tensor]
) -> Callable[[int, str], dict[str, Tensor]]:
    """Give the function that makes tensors of one layer's canonical weights."""
    return lambda layer, way: {
        name: to_tensor(array) for name, array in problem.weights(layer, way).items()
    }
