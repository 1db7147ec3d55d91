"""The error of every step beside its bound, few enough points to draw."""

import math

import numpy as np

from rnn_parity.judge.certify import Certificate
from rnn_parity_reports.results import Steps

_MOST_POINTS = 64


def worst_of_each_step(certificate: Certificate) -> Steps:
    """Take from each step the element that comes closest to its bound.

    Beyond 64 steps, one point stands for several in a row, and is the worst of them.
    """
    steps = certificate.ratio.shape[1]
    each = max(math.ceil(steps / _MOST_POINTS), 1)
    found = Steps([], [], [])
    for start in range(0, steps, each):
        part = certificate.ratio[:, start : start + each]
        row, t, unit = (int(i) for i in np.unravel_index(part.argmax(), part.shape))
        at = row, start + t, unit
        found.step.append(start + t)
        found.error.append(_short(abs(certificate.residual[at])))
        found.bound.append(_short(certificate.bound[at]))
    return found


def _short(number: float) -> float | None:
    return float(f"{number:.3g}") if math.isfinite(number) else None
