"""Which known mistake would explain a difference: "it would match if …".

Each mistake alters the problem; an outcome that fails its own problem's certificate and
passes an altered one is what that mistake computes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import permutations

import numpy as np

from harness.judge.certify import certify_steps
from harness.judge.decode import fed
from harness.judge.trajectory import row_lengths
from harness.spec import CELLS, Array, Outcome, Problem

Alter = Callable[[Array], Array]


def _in_weights(problem: Problem, name: str, alter: Alter) -> Mapping[str, Array]:
    """Alter one weight in every layer and direction."""
    return {
        full: alter(array)
        for full, array in problem.arrays.items()
        if full.endswith(f".{name}")
    }


def _blocks_transposed(problem: Problem, name: str) -> Mapping[str, Array]:
    """Transpose each gate's block, if it is square."""
    count = len(CELLS[problem.case.cell].gates)

    def alter(array: Array) -> Array:
        blocks = np.split(array, count, axis=1)
        return np.concatenate([block.T for block in blocks], axis=1)

    weights = [a for n, a in problem.arrays.items() if n.endswith(f".{name}")]
    square = all(w.shape[0] * count == w.shape[1] for w in weights)
    return _in_weights(problem, name, alter) if square else {}


def _gates_reordered(problem: Problem, order: tuple[int, ...]) -> Mapping[str, Array]:
    """Read every weight's gates in another order."""
    count = len(order)
    altered: dict[str, Array] = {}
    for name in ("kernel", "recurrent_kernel", "bias"):
        altered |= _in_weights(
            problem,
            name,
            lambda array: np.concatenate(
                [np.split(array, count, axis=-1)[k] for k in order], axis=-1
            ),
        )
    return altered


def _reversed_within_length(problem: Problem) -> Mapping[str, Array]:
    inputs = problem["inputs"].copy()
    for row, length in enumerate(row_lengths(problem)):
        inputs[row, :length] = inputs[row, :length][::-1]
    return {"inputs": inputs}


def _mistakes(problem: Problem) -> Iterator[tuple[str, Mapping[str, Array]]]:
    """Give every mistake in the catalogue and the arrays that it computes with."""
    yield "recurrent kernel transposed", _blocks_transposed(problem, "recurrent_kernel")
    yield "kernel transposed", _blocks_transposed(problem, "kernel")
    yield "bias dropped", _in_weights(problem, "bias", np.zeros_like)
    yield "bias added twice", _in_weights(problem, "bias", lambda a: 2 * a)
    yield (
        "recurrent bias dropped",
        _in_weights(problem, "recurrent_bias", np.zeros_like),
    )
    yield "peepholes dropped", _in_weights(problem, "peephole", np.zeros_like)
    yield (
        "recurrent kernel dropped",
        _in_weights(problem, "recurrent_kernel", np.zeros_like),
    )
    for state in CELLS[problem.case.cell].states:
        name = f"initial_{state}"
        yield f"initial {state} dropped", {name: np.zeros_like(problem[name])}
    yield "steps in reverse order", _reversed_within_length(problem)
    yield "rows in reverse order", {"inputs": problem["inputs"][::-1]}
    gates = CELLS[problem.case.cell].gates
    for order in permutations(range(len(gates))):
        if list(order) != sorted(order):
            # Block p of ours is read as the gate that takes its block from p.
            words = ", ".join(gates[order.index(p)] for p in range(len(gates)))
            read = ", ".join(gates)
            name = f"gate order {words} instead of {read}"
            yield name, _gates_reordered(problem, order)


def explain(problem: Problem, outcome: Outcome, ulp: dict[str, float]) -> list[str]:
    """Name every mistake in the catalogue under which all steps would pass."""
    if "tokens" in outcome:
        problem = fed(problem, outcome["tokens"])
    found = []
    for name, changed in _mistakes(problem):
        if not any((problem[key] != array).any() for key, array in changed.items()):
            continue  # nothing is altered by it here
        altered = replace(problem, arrays={**problem.arrays, **changed})
        if certify_steps(altered, outcome, ulp).headroom <= 1:
            found.append(name)
    return found
