"""The cells by hand, over whatever tensors a framework has.

What the `basic` variant of every adapter runs, and what stands in where a framework has
a loop but no cell. Each cell has its equations a second time for this, `Cell.by_hand`:
the judge has its own, and one mistake must not be in both.

Tensors need `@`, `+`, `*`, `/` and slicing; the rest is asked of `Ops`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from rnn_parity_core import CELLS, Case, Problem, Unsupported
from rnn_parity_core.activations import ACTIVATIONS
from rnn_parity_core.functions import Function

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

    def clip(self, x: Tensor, low: float, high: float) -> Tensor:
        """Cut off what is below or above; rounds nothing."""
        ...

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        """Join along the last axis."""
        ...


_COMPOSED: dict[str, Callable[[Ops, Tensor], Tensor]] = {
    "linear": lambda _ops, x: x,
    "hard_sigmoid": lambda ops, x: ops.clip(x * (1 / 6) + 0.5, 0.0, 1.0),
    "hard_sigmoid_5": lambda ops, x: ops.clip(x * 0.2 + 0.5, 0.0, 1.0),
    "hard_tanh": lambda ops, x: ops.clip(x, -1.0, 1.0),
    # At 0 it is the rectifier whose slope counts, which is 0 in every framework.
    "relu6": lambda ops, x: ops.clip(ops.relu(x), -6.0, 6.0),
    "softsign": lambda ops, x: x / (ops.relu(x) + ops.relu(x * -1.0) + 1.0),
}
"""Functions that are made of others."""


def make_step(ops: Ops, cell: str, weights: dict[str, Tensor]) -> Step:
    """Give the function that takes one step: `x` `[B, I]` and states to states."""
    chosen = {}
    for place, of in CELLS[cell].activations.items():
        chosen[place] = _function(ops, of.function)
    by_hand = CELLS[cell].by_hand
    return lambda x, state: by_hand(x, state, weights, **chosen)


def _function(ops: Any, function: Function) -> Callable[[Tensor], Tensor]:
    """Give a function of tensors; one of a package's own NumPy alone can take.

    Raises:
        Unsupported: No backend states how accurate it is.

    """
    name = function.name
    if name in _COMPOSED:
        return partial(_COMPOSED[name], ops)
    if hasattr(ops, name):
        return getattr(ops, name)  # type: ignore[no-any-return]
    if name in ACTIVATIONS:
        raise Unsupported(f"no backend states how accurate its {name} is")
    return partial(ops.function, function)


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
                taken = step(x, state)
                outputs.append(taken["h"])
                state = {name: taken[name] for name in state}
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
