"""The certificate: every step of a backend against one exact step from its own state.

Two correct trajectories of a chaotic network drift apart; one step of it cannot. So for
every step t, take the backend's own h[t-1], apply one step in float64, and ask whether
its h[t] lies within the rounding error that one step in its dtype can make. All steps
are independent of each other, so this is one batched step.
"""

from typing import NamedTuple

import numpy as np

from harness.judge.arithmetic import Bounded, Float64, Rounded, exactly
from harness.judge.cells import step
from harness.results import FirstBad
from harness.spec import Array, Outcome, Problem


class Certificate(NamedTuple):
    """One-step errors of an outcome and their bounds, all float64."""

    state: Array
    """What the backend returned, `[B, T, H]`."""
    residual: Array
    """That minus one exact step from what it returned before, `[B, T, H]`."""
    bound: Array
    """What |residual| may be, `[B, T, H]`."""
    ratio: Array
    """|residual| / bound, `[B, T, H]`; infinite where something is not a number."""
    final_ratio: Array
    """The same of the final state, `[B, H]`."""

    @property
    def headroom(self) -> float:
        """Worst |error| / bound of all; infinite if an element is not a number."""
        return float(max(self.ratio.max(), self.final_ratio.max()))

    @property
    def first_bad(self) -> FirstBad | None:
        """Where the bound is first exceeded; None if nowhere."""
        ratio = self.ratio.copy()
        ratio[:, -1] = np.maximum(ratio[:, -1], self.final_ratio)
        bad_steps = np.flatnonzero((ratio > 1).any(axis=(0, 2)))
        if not bad_steps.size:
            return None
        t = int(bad_steps[0])
        row, unit = np.unravel_index(int(ratio[:, t].argmax()), ratio[:, t].shape)
        times = float(ratio[row, t, unit])
        return FirstBad(
            step=t,
            row=int(row),
            unit=int(unit),
            times_bound=times if np.isfinite(times) else None,
        )


def certify(problem: Problem, outcome: Outcome, ulp: dict[str, float]) -> Certificate:
    """Certify an outcome whose arrays have the right names, shapes and dtype.

    Args:
        problem: The problem that the backend was given.
        outcome: `outputs` `[B, T, H]` and `final_h` `[B, H]` as it returned them.
        ulp: Function → largest error in ulp that the backend states for it.

    """
    state = outcome["outputs"].astype(np.float64)
    initial = problem["initial_h"].astype(np.float64)
    before = np.concatenate([initial[:, np.newaxis], state[:, :-1]], axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        exact: Bounded = step(
            Rounded(problem.case.dtype, ulp),
            problem,
            exactly(problem["inputs"]),
            exactly(before),
        )
        residual = state - exact.value
        final = outcome["final_h"] - exact.value[:, -1]
    return Certificate(
        state,
        residual,
        exact.error,
        ratio=_ratio(residual, exact.error),
        final_ratio=_ratio(final, exact.error[:, -1]),
    )


def _ratio(error: Array, bound: Array) -> Array:
    """|error| / bound; what is not a number is as bad as can be."""
    with np.errstate(invalid="ignore", over="ignore"):
        ratio = np.abs(error) / bound
    return np.where(np.isnan(ratio), np.inf, ratio)


def reference(problem: Problem) -> dict[str, Array]:
    """Compute the whole trajectory in float64: `outputs` and `final_h`."""
    h = problem["initial_h"].astype(np.float64)
    inputs = problem["inputs"].astype(np.float64)
    outputs = []
    for t in range(problem.case.steps):
        h = step(Float64(), problem, inputs[:, t], h)
        outputs.append(h)
    return {"outputs": np.stack(outputs, axis=1), "final_h": h}


def pair_headroom(problem: Problem, first: Certificate, second: Certificate) -> float:
    """Say how well two backends agree, whatever the reference step is worth.

    The difference of their one-step errors is free of what the reference gets wrong for
    both. Their states differ a little; a step spreads that by at most the magnitudes of
    the recurrent kernel, since the slope of tanh is at most 1, and so does the
    reference's: hence the factor 2. At most 1 means that they agree.
    """
    recurrent = np.abs(problem["recurrent_kernel"].astype(np.float64))
    with np.errstate(invalid="ignore"):
        spread = np.zeros_like(first.residual)
        spread[:, 1:] = 2 * np.abs(first.state - second.state)[:, :-1] @ recurrent
        difference = first.residual - second.residual
    return float(_ratio(difference, first.bound + second.bound + spread).max())
