"""Two outcomes of one problem from one backend: whether they differ by rounding alone.

All that relations of a backend with itself ask of the judge is here.
"""

from typing import NamedTuple

import numpy as np

from rnn_parity.judge.bounds import ratio
from rnn_parity.judge.certify import Certificate, certify
from rnn_parity.judge.decode import well_formed
from rnn_parity.judge.pairs import pair_difference
from rnn_parity.judge.shown import not_shown, unshown
from rnn_parity_core import Array, BackendInfo, Outcome, Problem

_AXES = {"outputs": ("row", "step", "unit"), "final": ("pass", "row", "unit")}


class Agreement(NamedTuple):
    """How far two outcomes of one problem are apart."""

    bound_ratio: float
    """Worst difference / what the bounds of both allow; at most 1 agrees."""
    words: str
    """What differs, got, allowed and where; nothing if they agree."""
    is_shown: bool
    """Whether the bounds of both are narrow enough to show anything."""


def agreement(
    problem: Problem, info: BackendInfo, own: Outcome, other: Outcome
) -> Agreement:
    """Hold the difference of two outcomes to the sum of their certified bounds.

    Args:
        problem: The problem that both are of.
        info: The backend that computed both.
        own: Its answer to the problem, of the right names, shapes and dtypes.
        other: Its answer by another way, of the same kind.

    """
    for outcome in (own, other):
        if "tokens" in outcome and (wrong := well_formed(problem, outcome["tokens"])):
            return Agreement(np.inf, "; ".join(wrong), is_shown=True)
    accuracy = info.accuracy_for(problem.case)
    first, second = (certify(problem, outcome, accuracy) for outcome in (own, other))
    is_shown = not any(not_shown(unshown(of)) for of in (first, second))
    if words := _tokens(own, other, first, second):
        return Agreement(np.inf, words, is_shown=True)
    apart = {"outputs": pair_difference(first, second)}
    for name in first.finals:
        full = f"final_{name}"
        apart[full] = _finals(first, second, name, (own[full], other[full]))
    ratios = {name: ratio(*held) for name, held in apart.items()}
    worst = max(ratios, key=lambda name: float(ratios[name].max()))
    bound_ratio = float(ratios[worst].max())
    words = _excess(worst, ratios[worst], *apart[worst]) if bound_ratio > 1 else ""
    return Agreement(bound_ratio, words, is_shown)


def _finals(
    first: Certificate, second: Certificate, name: str, got: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Give how far final states are apart, and what is allowed.

    As with steps, what counts is the difference of their errors. Layers below the last
    are not observed, so that both have the same exact values there: then the difference
    of the states themselves is held to the sum of both bounds.
    """
    a, b = first.finals[name], second.finals[name]
    with np.errstate(invalid="ignore", over="ignore"):
        difference = (got[0] - a.value) - (got[1] - b.value)
        return difference, a.error + b.error + 2 * np.abs(a.value - b.value)


def _tokens(
    own: Outcome, other: Outcome, first: Certificate, second: Certificate
) -> str:
    """Say where tokens differ, if they do and not only between candidates that tie."""
    if "tokens" not in own or np.array_equal(own["tokens"], other["tokens"]):
        return ""
    choices = [found.choices for found in (first, second) if found.choices]
    ties = all(found.ratio.max() <= 1 and not found.differs for found in choices)
    if ties:
        return ""
    row, t = (int(i) for i in np.argwhere(own["tokens"] != other["tokens"])[0])
    return (
        f"tokens: at (row {row}, step {t}) expected {own['tokens'][row, t]}, "
        f"got {other['tokens'][row, t]}, and the two do not tie"
    )


def _excess(name: str, ratios: Array, difference: Array, allowed: Array) -> str:
    at = np.unravel_index(int(ratios.argmax()), ratios.shape)
    axes = _AXES[name.partition("_")[0]]
    where = ", ".join(f"{axis} {i}" for axis, i in zip(axes, at, strict=True))
    return (
        f"{name}: {int((ratios > 1).sum())} of {ratios.size} elements further apart "
        f"than both bounds; worst {ratios[at]:.3g}x at ({where}): allowed "
        f"{allowed[at]:.2g}, got {abs(difference[at]):.2g}"
    )
