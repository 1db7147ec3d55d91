"""Gradients of the seeded loss: the reference's, and how near a backend's must be.

Going back, a framework multiplies by the slopes of its own way there. So the way is
taken from the outputs that it returned, as for its steps, and the bounds of what it did
not return flow back with the gradients, each operation adding its own rounding: running
error analysis of the adjoint recurrence.
"""

from typing import Any

import numpy as np

from rnn_parity.judge.adjoint import Float64Adjoint, RoundedAdjoint
from rnn_parity.judge.bounded import Bounded, together
from rnn_parity.judge.bounds import Held, held
from rnn_parity.judge.recorded import Node
from rnn_parity.judge.tape import Tape
from rnn_parity.judge.trajectory import Trajectory, trajectory
from rnn_parity_core import CELLS, Accuracy, Array, Outcome, Problem


def reference_gradients(problem: Problem) -> dict[str, Array]:
    """Differentiate the float64 network: `gradient_inputs`, `gradient_initial_h`, …."""
    found = _gradients(Float64Adjoint(), problem, None)
    return {name: _joined(value) for name, value in found.items()}


def bounded_gradients(
    problem: Problem, accuracy: Accuracy, observed: Array | None
) -> dict[str, Bounded]:
    """Give gradients, and how far off those of a correct backend may be.

    Args:
        problem: A problem with cotangents.
        accuracy: What the backend may err by.
        observed: Outputs that the backend went back from, `[B, T, R * directions]`,
            float64; without them its way there is only known within its bounds.

    """
    found = _gradients(RoundedAdjoint(accuracy), problem, observed)
    return {
        name: together(lambda *of: np.stack(of), *parts)
        if isinstance(parts, list)
        else parts
        for name, parts in found.items()
    }


def hold_gradients(
    problem: Problem, outcome: Outcome, accuracy: Accuracy
) -> dict[str, Held]:
    """Hold every gradient to its bound."""
    observed = outcome["outputs"].astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        bounded = bounded_gradients(problem, accuracy, observed)
        return {
            name: held(outcome[name], of.value, of.error)
            for name, of in bounded.items()
        }


def _joined(value: Any) -> Array:
    """Stack what is given for each layer and direction."""
    return np.stack(value) if isinstance(value, list | tuple) else np.asarray(value)


def _gradients(ops: Any, problem: Problem, observed: Array | None) -> dict[str, Any]:
    """Go there and back; states' gradients are lists, of each layer and direction."""
    case, tape = problem.case, Tape(ops)
    made: Trajectory[Node] = trajectory(tape, problem, observed, one_by_one=True)
    seeds = [(made.outputs, problem["cotangent_outputs"].astype(np.float64))]
    for state, nodes in made.finals.items():
        weights = problem[f"cotangent_final_{state}"].astype(np.float64)
        seeds += list(zip(nodes, weights, strict=True))
    found = tape.backward(seeds)
    for state in CELLS[case.cell].states:
        parts = [found.pop(f"initial_{state}.{k}") for k in range(len(case.passes))]
        found[f"initial_{state}"] = parts
    wanted = {"inputs", *case.weight_shapes(), *(f"initial_{s}" for s in made.finals)}
    return {f"gradient_{name}": found[name] for name in sorted(wanted)}
