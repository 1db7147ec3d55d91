"""Which gate, or which one weight, an outcome that fails has wrong.

A gate whose pre-activation is another linear function of the same inputs and states
errs, to first order, by its slope times such a function: of all gates, only the one
that does explains the errors of its unit.
"""

from dataclasses import replace

import numpy as np

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.certify import Certificate, certify_steps
from rnn_parity.judge.equations import step
from rnn_parity.judge.systematic import Drift, Samples
from rnn_parity_core import CELLS, Accuracy, Array, Case, Outcome, Problem
from rnn_parity_reports.results import FirstBad

_NUDGE = 2.0**-20
_EXPLAINED = 0.98
"""Part of a unit's squared errors that a gate must explain."""
_TIMES_WORSE = 10.0
"""Times as much as the best gate, that every other one must leave unexplained."""
_SPARE = 2
"""Times as many steps as unknowns: fewer are explained by anything."""
_MOST = 4096
_ROUNDS = 3
_FEWEST = 2
_SUMMED = {"kernel": "IG", "recurrent_kernel": "RG", "bias": "G"}
"""What a gate's sum is made of, for a gate to be told by it."""


def gate_at_fault(certificate: Certificate, bad: FirstBad) -> str | None:
    """Name the gate that explains the errors of the unit that is wrong first.

    Returns:
        None for cells of one gate, or of other sums, layers that are not observed,
        projections, which mix units, and where no gate explains them, or more than one
        does.

    """
    case = certificate.problem.case
    gates = CELLS[case.cell].gates
    if len(gates) < _FEWEST or case.projection or bad.layer != case.layers - 1:
        return None
    axes = CELLS[case.cell].weights
    if any(axes.get(name) != of for name, of in _SUMMED.items()):
        return None
    way = case.directions.index(bad.direction or case.direction)
    if not certificate.samples:
        return None
    samples = certificate.samples[way]
    with np.errstate(all="ignore"):
        left = [_unexplained(case, samples, k, bad.unit) for k in range(len(gates))]
    if not np.isfinite(left).all():
        return None
    best, second = np.sort(left)[:2]
    if best > 1 - _EXPLAINED or second < _TIMES_WORSE * best:
        return None
    return gates[int(np.argmin(left))]


def _unexplained(case: Case, samples: Samples, number: int, unit: int) -> float:
    """Give the part of a unit's squared errors that a gate leaves unexplained."""
    weight = 1 / samples.error[:, unit]
    usable = np.isfinite(weight) & np.isfinite(samples.residual[:, unit])
    at = np.flatnonzero(usable)[:_MOST]
    reads = np.concatenate(
        [samples.x.value[at], samples.before["h"].value[at], np.ones((len(at), 1))],
        axis=1,
    )
    if len(at) < _SPARE * reads.shape[1]:
        return np.nan
    slope = _slopes(case, samples, number, unit)[at]
    wanted = samples.residual[at, unit] * weight[at]
    columns = reads * (slope * weight[at])[:, np.newaxis]
    total = float(wanted @ wanted)
    if not (total > 0 and np.isfinite(columns).all()):
        return np.nan
    found = np.linalg.lstsq(columns, wanted, rcond=None)[0]
    left = wanted - columns @ found
    return float(left @ left) / total


def _slopes(case: Case, samples: Samples, number: int, unit: int) -> Array:
    """Give by how much a unit's outputs move with a gate's pre-activation, `[N]`."""
    bias = samples.weights["bias"].copy()
    bias[number * case.units + unit] += _NUDGE
    before = {name: of.value for name, of in samples.before.items()}
    here, moved = (
        step(Float64(), case.cell, samples.x.value, before, weights)["h"]
        for weights in (samples.weights, {**samples.weights, "bias": bias})
    )
    return np.asarray((moved - here)[:, unit] / _NUDGE)


def one_weight(
    problem: Problem, outcome: Outcome, accuracy: Accuracy, certificate: Certificate
) -> str:
    """Name the one element of a weight with which all steps would pass, if one is off.

    It is the one that the errors of all steps point at; it counts only if the whole
    certificate passes with it changed by as much as they say.
    """
    worst = worst_drift(certificate)
    if worst is None:
        return ""
    name, drift, at = worst
    # Of a case without biases, the errors may be those of a bias all the same.
    own = problem.arrays.get(name, np.zeros(drift.estimate.shape))
    by = 0.0
    for _ in range(_ROUNDS):
        # To first order: a large change needs another look.
        by += float(drift.estimate[at])
        changed = own.astype(np.float64)
        changed[at] += by
        other = replace(problem, arrays={**problem.arrays, name: changed})
        found = certify_steps(other, outcome, accuracy)
        drift = found.systematic[name]
        if passes := found.steps_pass and not worst_drift(found):
            break
    if not passes:
        return ""
    if name not in problem.arrays:
        return f"a bias where there is none: {element(problem.case, name, at)} {by:.1e}"
    size = abs(float(own[at]))
    share = f", {abs(by) / size:.1e} of itself" if size else ""
    return f"{element(problem.case, name, at)} off by {by:.1e}{share}"


def worst_drift(
    certificate: Certificate,
) -> tuple[str, Drift, tuple[int, ...]] | None:
    """Give the weight, and its element, that accounts best for errors that add up.

    Returns:
        None if no errors add up to more than they may.

    """
    found: list[tuple[float, str, tuple[int, ...]]] = []
    for name, drift in certificate.systematic.items():
        # Errors that overflow account for nothing, and are too much all the same.
        too_much = np.where(drift.ratio > 1, np.nan_to_num(drift.explained), -1.0)
        at = np.unravel_index(int(too_much.argmax()), too_much.shape)
        found.append((float(too_much[at]), name, tuple(int(i) for i in at)))
    most, where, element_at = max(found, default=(-1.0, "", ()))
    return (where, certificate.systematic[where], element_at) if most >= 0 else None


def element(case: Case, name: str, at: tuple[int, ...]) -> str:
    """Name one element of a weight: `layer0.forward.kernel[3, 7] (gate f, unit 2)`."""
    index = ", ".join(map(str, at))
    gates = CELLS[case.cell].gates
    axes = CELLS[case.cell].weights[name.rpartition(".")[2]]
    if axes.endswith("G") and len(gates) > 1:
        gate, unit = divmod(at[-1], case.units)
        return f"{name}[{index}] (gate {gates[gate]}, unit {unit})"
    return f"{name}[{index}]"
