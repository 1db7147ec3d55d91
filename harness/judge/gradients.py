"""Gradients of the seeded loss: the reference's, and how near a backend's are."""

import numpy as np

from harness.judge.tape import Node, Tape
from harness.judge.trajectory import Trajectory, trajectory
from harness.spec import CELLS, Array, Outcome, Problem

RTOL = {"float64": 1e-12, "float32": 1e-12 * 2.0**29}
"""Largest deviation of a gradient array, as a share of its largest element.

In float64, for up to 40 steps, five frameworks were seen to agree to 2e-15; float32 has
2**29 times the rounding unit. Unlike the forward bound this one is not derived yet."""


def reference_gradients(problem: Problem) -> dict[str, Array]:
    """Differentiate the float64 network: `gradient_inputs`, `gradient_initial_h`, …."""
    case, tape = problem.case, Tape()
    made: Trajectory[Node] = trajectory(tape, problem)
    seeds = [(made.outputs, problem["cotangent_outputs"].astype(np.float64))]
    for state, nodes in made.finals.items():
        weights = problem[f"cotangent_final_{state}"].astype(np.float64)
        seeds += list(zip(nodes, weights, strict=True))
    found = tape.backward(seeds)
    for state in CELLS[case.cell].states:
        parts = [found.pop(f"initial_{state}.{k}") for k in range(len(case.passes))]
        found[f"initial_{state}"] = np.stack(parts)
    wanted = {"inputs", *case.weight_shapes(), *(f"initial_{s}" for s in made.finals)}
    return {f"gradient_{name}": found[name] for name in sorted(wanted)}


def gradient_ratios(
    problem: Problem, outcome: Outcome, reference: Outcome
) -> dict[str, float]:
    """Give each gradient array's deviation as a share of what is allowed.

    At most 1 passes; infinite if an element is not a number.
    """
    ratios = {}
    for name, want in reference.items():
        if not name.startswith("gradient_"):
            continue
        with np.errstate(invalid="ignore", over="ignore"):
            apart = float(np.abs(outcome[name] - want).max())
        allowed = RTOL[problem.case.dtype] * float(np.abs(want).max())
        ratio = 0.0 if apart == 0 else apart / allowed if allowed else np.inf
        ratios[name] = float(np.inf if np.isnan(ratio) else ratio)
    return ratios
