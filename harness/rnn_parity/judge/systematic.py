"""Errors too small for any step to show, but the same at every step: a wrong weight.

Rounding errs up as often as down; a weight that is off errs the same way wherever it
is used. So for each weight of the last layer the errors of many steps are summed up,
each times the slope by which that weight moves it (Rao's score, 1948). What rounding
makes of such a sum grows with the root of the number of steps, a wrong weight with the
number itself. Whatever is not certain to be random is allowed in full: functions' ulps,
what c and layers below carry along, single roundings.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rnn_parity.judge.bounded import Bounded, together
from rnn_parity.judge.bounds import certain, ratio
from rnn_parity.judge.equations import step
from rnn_parity.judge.scatter import Scatter, Scattered
from rnn_parity.judge.scores import Score, ScoreAdjoint
from rnn_parity.judge.tape import Tape
from rnn_parity.judge.trajectory import Steps
from rnn_parity_core import CELLS, HALF_DTYPES, Accuracy, Array, Case

_MULTIPLICATIONS = 2**27
"""Of a product of samples and slopes: steps are left out of large networks' sums."""
_FEWEST, _MOST = 256, 8192


class Samples(NamedTuple):
    """Steps of one pass over time, of all rows."""

    x: Bounded
    """`[N, I]`"""
    before: dict[str, Bounded]
    """The states before each, `[N, R or H]`."""
    residual: Array
    """What the backend returned, minus the exact step, `[N, R]`."""
    error: Array
    """What |residual| may be."""
    weights: Mapping[str, Array]

    @staticmethod
    def joined(parts: Sequence["Samples"]) -> "Samples":
        """Put the samples of blocks of rows together."""

        def join(*of: Array) -> Array:
            return np.concatenate(of)

        first = parts[0]
        return Samples(
            together(join, *(part.x for part in parts)),
            {
                name: together(join, *(part.before[name] for part in parts))
                for name in first.before
            },
            join(*(part.residual for part in parts)),
            join(*(part.error for part in parts)),
            first.weights,
        )


class Drift(NamedTuple):
    """What the errors of all steps say of each element of a weight."""

    ratio: Array
    """|their sum| / what it may be."""
    estimate: Array
    """By how much the element would have to be off, to first order."""
    explained: Array
    """How much of the squares of all errors / bounds it would then account for."""


def most_samples(case: Case) -> int:
    """Give how many steps are looked at, at most."""
    axes = CELLS[case.cell].weights.values()
    shapes = [case.shape(of, case.layers - 1) for of in axes if of[0] in "IR"]
    multiplied = max(sum(map(math.prod, shapes)), 1)
    return min(max(_MULTIPLICATIONS // multiplied, _FEWEST), _MOST)


def sampled(steps: Steps[Any], seen: Array, lengths: Array, most: int) -> Samples:
    """Take valid steps of a pass, evenly spread.

    Args:
        steps: All of them, with bounds.
        seen: What the backend returned, by time, `[B, T, R]`.
        lengths: Valid steps of each row.
        most: How many to take, at most.

    """
    rows, places = np.nonzero(np.arange(seen.shape[1]) < lengths[:, np.newaxis])
    stride = max(-(-len(rows) // most), 1)
    at = rows[::stride], places[::stride]

    def taken(of: Array) -> Array:
        return np.asarray(of[at])

    return Samples(
        together(taken, steps.x),
        {name: together(taken, of) for name, of in steps.before.items()},
        seen[at[0], steps.order[at]] - steps.h.value[at],
        steps.h.error[at],
        steps.weights,
    )


@np.errstate(all="ignore")  # what is not a number fails by its steps
def drifts(case: Case, samples: Samples, accuracy: Accuracy) -> dict[str, Drift]:
    """Say of each weight of a pass how far its errors add up, by short name.

    Half precisions are left out: their roundings can be as large as what is summed up,
    and then follow the data.
    """
    if case.dtype in HALF_DTYPES or not len(samples.residual):
        return {}
    scores = _scores(case.cell, samples, accuracy)
    scale = certain(sum(score.signed.size for score in scores.values()))
    # Each is as large as its weight, several times: none is kept longer than needed.
    return {name: _drift(scores.pop(name), scale) for name in list(scores)}


def _drift(score: "Score", scale: float) -> Drift:
    allowed = score.steady + scale * np.sqrt(score.square)
    estimate = np.where(score.power > 0, score.signed / score.power, 0.0)
    return Drift(ratio(score.signed, allowed), estimate, estimate * score.signed)


def _scores(cell: str, samples: Samples, accuracy: Accuracy) -> dict[str, Score]:
    """Go back from all steps to every weight."""
    ops: Any = Scatter(accuracy)
    own = {name: ops.known(of) for name, of in samples.before.items()}
    given: Scattered = step(ops, cell, ops.known(samples.x), own, samples.weights)["h"]
    weight = np.where(samples.error > 0, 1 / samples.error**2, 0.0)
    usable = np.isfinite(weight) & np.isfinite(samples.residual)
    weight = np.where(usable, weight, 0.0)
    residual, steady, sigma = (
        np.where(usable, of, 0.0)
        for of in (samples.residual, given.steady, given.sigma)
    )
    seed = Score(residual * weight, steady * weight, (sigma * weight) ** 2, weight)
    seed = seed.in_range()
    tape = Tape(ScoreAdjoint())
    weights = {n: tape.weight(array, n) for n, array in samples.weights.items()}
    before = {name: tape.untraced(of.value) for name, of in samples.before.items()}
    x = tape.untraced(samples.x.value)
    h = step(tape, cell, x, before, weights)["h"]
    found: dict[str, Score] = tape.backward([(h, seed)])
    return found
