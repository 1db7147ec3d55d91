"""What an outcome has outside of its bounds, in words."""

import numpy as np

from rnn_parity.judge.blame import element, worst_drift
from rnn_parity.judge.certify import Certificate
from rnn_parity_core import Array, Problem
from rnn_parity_core.probing import by_itself
from rnn_parity_reports.results import FirstBad


def excess(certificate: Certificate, explanations: list[str]) -> list[str]:
    """Say what exceeds its bound: how many, the worst, what would explain it."""
    ratio, name = certificate.ratio, "outputs"
    for layer, own in enumerate(certificate.below):
        if (own.ratio > 1).any():
            certificate = own
            ratio, name = own.ratio, f"layer{layer}.outputs"
            break
    if (ratio > 1).any():
        row, t, unit = (int(i) for i in np.unravel_index(ratio.argmax(), ratio.shape))
        said = (
            f"{name}: {int((ratio > 1).sum())} of {ratio.size} elements outside the "
            f"bound; worst {ratio.max():.3g}x at (row {row}, step {t}, unit {unit}): "
            f"allowed {certificate.bound[row, t, unit]:.2g}, "
            f"got {abs(certificate.residual[row, t, unit]):.2g}"
        )
    elif parts := _apart_from_steps(certificate):
        said = f"{parts}; {_right(certificate)}"
    else:
        name, final = max(
            certificate.final_ratios.items(), key=lambda item: float(item[1].max())
        )
        said = (
            f"final_{name}: {int((final > 1).sum())} of {final.size} elements outside "
            f"the bound; worst {final.max():.3g}x"
        )
        said += ", outputs are right" if certificate.has_outputs else ""
    words = [said]
    if explanations:
        words.append(f"matches if: {' or: '.join(explanations)}")
    return words


def _right(certificate: Certificate) -> str:
    """Say what is right where every step is."""
    finals = " and final states" if certificate.final_ratios else ""
    return f"outputs{finals} are right"


def _apart_from_steps(certificate: Certificate) -> str:
    """Say what exceeds what is allowed where every step is right."""
    if not certificate.steps_pass:
        return ""
    words = []
    if worst := worst_drift(certificate):
        name, drift, at = worst
        words.append(
            "no step shows it, but the errors of all add up: worst "
            f"{drift.ratio[at]:.3g}x, as if "
            f"{element(certificate.problem.case, name, at)} were off by "
            f"{drift.estimate[at]:.1e}"
        )
    if certificate.choices and (ratio := certificate.choices.ratio).max() > 1:
        row, t = (int(i) for i in np.unravel_index(ratio.argmax(), ratio.shape))
        words.append(
            f"tokens: {int((ratio > 1).sum())} of {ratio.size} are not the best choice "
            f"nor tied with it; worst {ratio.max():.3g}x at (row {row}, step {t})"
        )
    for name, (ratio, _) in certificate.learned.items():
        if (ratio > 1).any():
            words.append(
                f"{name}: {int((ratio > 1).sum())} of {ratio.size} elements outside "
                f"the bound; worst {ratio.max():.3g}x{_first_update(name, ratio)}"
            )
    return "; ".join(words)


def _first_update(name: str, ratio: Array) -> str:
    """Say after which update a trained weight is wrong first."""
    if not name.startswith("trained_"):
        return ""
    wrong = (ratio > 1).reshape(len(ratio), -1).any(axis=1)
    return f", first after update {int(wrong.argmax()) + 1}"


def first(certificate: Certificate, bad: FirstBad | None) -> list[str]:
    """Return where the bound is first exceeded, in words; nothing if nowhere."""
    if bad is None:
        return []
    layer = f" of layer {bad.layer}" if certificate.problem.case.layers > 1 else ""
    way = f", {bad.direction}" if bad.direction else ""
    gate = f", gate {bad.gate}" if bad.gate else ""
    said = [f"the first bad step is {bad.step}{layer}{way}{gate}"]
    if certificate.problem.case.probe:
        said.append(_standing_out(certificate.problem, bad.row))
    return said


def _standing_out(problem: Problem, row: int) -> str:
    """Say what a probe looks at in a row."""
    (name, at), *more = by_itself(problem.case, row)
    value = float(problem[name][at])
    others = f", and {len(more)} more with it" if more else ""
    return f"in row {row} {name}{list(at)} is {value:g} by itself{others}"
