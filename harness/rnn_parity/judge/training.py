"""Weights while they are trained: the reference's, and how near a backend's are.

As with steps over time, each update is judged by itself: from the weights that the
backend had before it, one exact update is made, and the backend's has to be as near to
that as the errors of its gradients allow. Whole trainings drift apart; one update does
not.
"""

from collections.abc import Iterator
from dataclasses import replace

import ml_dtypes
import msgspec
import numpy as np

from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.bounds import Held, held
from rnn_parity.judge.gradients import bounded_gradients, reference_gradients
from rnn_parity_core import (
    ADAM_BETAS,
    ADAM_EPSILON,
    LEARNING_RATE,
    Accuracy,
    Array,
    Outcome,
    Problem,
)

_ROUNDINGS = 8
"""Roundings of an update: two corrections, a root, a sum, a quotient and two products
(the other operations' are counted where they happen)."""

_OF_AVERAGE = 4
"""Roundings of a moving average, also as `m + (1 - beta) (g - m)`: of numbers no larger
than the same average of magnitudes. Terms may cancel, and roundings do not."""


class Updates:
    """What one weight is moved by, and how far off a correct backend may be.

    Args:
        problem: A problem whose task is to train.

    """

    def __init__(self, problem: Problem) -> None:
        info = ml_dtypes.finfo(problem.case.dtype)  # type: ignore[no-untyped-call]
        self._unit = float(info.eps) / 2
        self._largest = float(info.max) / 2
        self._adam = problem.case.task == "adam"
        self._made = 0
        self._square: Array = np.zeros(())
        self._moments: tuple[Array, Array] = (np.zeros(()), np.zeros(()))
        self._sizes: tuple[Array, Array] = (np.zeros(()), np.zeros(()))
        self._errors: tuple[Array, Array] = (np.zeros(()), np.zeros(()))

    def next(self, gradient: Array, error: Array | float = 0.0) -> Bounded:
        """Give the next update, of the gradient's shape, and its error bound."""
        self._made += 1
        if not self._adam:
            update = LEARNING_RATE * gradient
            own = 2 * self._unit * np.abs(update)
            return Bounded(update, LEARNING_RATE * error + own)
        return self._by_adam(gradient, np.asarray(error))

    def _by_adam(self, gradient: Array, error: Array) -> Bounded:
        """Kingma and Ba (2015), algorithm 1, in intervals."""
        decays = ADAM_BETAS
        powers = (gradient, gradient**2)
        reach = np.abs(gradient) + error
        sizes = (reach, reach**2)
        errors = (error, (2 * np.abs(gradient) + error) * error)
        self._moments = _averages(decays, self._moments, powers)
        self._sizes = _averages(decays, self._sizes, sizes)
        self._errors = self._rounded(_averages(decays, self._errors, errors), sizes)
        grown = [1 - decay**self._made for decay in decays]
        mean, square = (m / g for m, g in zip(self._moments, grown, strict=True))
        mean_error, square_error = (
            # A power of a decay that is rounded, subtracted from one: where little is
            # left of it, as after the first update, little of its precision is.
            e / g + (self._made + 2) * self._unit / g * np.abs(m) / g
            for e, g, m in zip(self._errors, grown, self._moments, strict=True)
        )
        least, most = (
            np.sqrt(np.maximum(square + sign * square_error, 0)) + ADAM_EPSILON
            for sign in (-1, 1)
        )
        update = mean / (np.sqrt(square) + ADAM_EPSILON)
        corners = [
            np.abs((mean + sign * mean_error) / root - update)
            for sign in (-1, 1)
            for root in (least, most)
        ]
        bound = np.max(corners, axis=0)
        bound += _ROUNDINGS * self._unit * (np.abs(update) + bound)
        # Of squares that the dtype has not the average is infinite for ever, and the
        # update is 0.
        self._square = np.maximum(self._square, sizes[1])
        bound = np.where(self._square > self._largest, np.inf, bound)
        return Bounded(LEARNING_RATE * update, LEARNING_RATE * bound)

    def _rounded(
        self, errors: tuple[Array, Array], new: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """Add the roundings of both averages, and of `1 - beta`, which keeps less."""
        first, second = (
            error + self._unit * (_OF_AVERAGE * size + of)
            for error, size, of in zip(errors, self._sizes, new, strict=True)
        )
        return first, second


def _averages(
    decays: tuple[float, float], old: tuple[Array, Array], new: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Move both running averages on."""
    first, second = (
        decay * o + (1 - decay) * n
        for decay, o, n in zip(decays, old, new, strict=True)
    )
    return first, second


def reference_training(problem: Problem) -> dict[str, Array]:
    """Train the float64 network: `trained_layer0.forward.kernel` `[UPDATES, …]`, …."""
    names = list(problem.case.weight_shapes())
    weights = {name: problem[name].astype(np.float64) for name in names}
    makers = {name: Updates(problem) for name in names}
    after: dict[str, list[Array]] = {f"trained_{name}": [] for name in names}
    for inputs in _batches(problem):
        found = reference_gradients(_asking(problem, weights, inputs))
        for name, maker in makers.items():
            weights[name] = weights[name] - maker.next(found[f"gradient_{name}"]).value
            after[f"trained_{name}"].append(weights[name])
    return {name: np.stack(values) for name, values in after.items()}


def hold_training(
    problem: Problem, outcome: Outcome, accuracy: Accuracy
) -> dict[str, Held]:
    """Hold every weight to its bound after each update, `[UPDATES, …]`.

    It is vacuous where what an update may be off by is more than the update itself.
    """
    names = list(problem.case.weight_shapes())
    unit = float(ml_dtypes.finfo(problem.case.dtype).eps) / 2  # type: ignore[no-untyped-call]
    makers = {name: Updates(problem) for name in names}
    found: dict[str, list[Held]] = {f"trained_{name}": [] for name in names}
    before = {name: problem[name].astype(np.float64) for name in names}
    for number, inputs in enumerate(_batches(problem)):
        with np.errstate(all="ignore"):
            asked = _asking(problem, before, inputs)
            gradients = bounded_gradients(asked, accuracy, None)
            for name in names:
                of = gradients[f"gradient_{name}"]
                update, error, *_ = makers[name].next(of.value, of.error)
                got = outcome[f"trained_{name}"][number].astype(np.float64)
                want = before[name] - update
                bound = error + 2 * unit * (np.abs(want) + np.abs(update))
                found[f"trained_{name}"].append(held(before[name] - got, update, bound))
                before[name] = got
    return {
        name: Held(np.stack([h.ratio for h in of]), any(h.is_vacuous for h in of))
        for name, of in found.items()
    }


def _batches(problem: Problem) -> Iterator[Array]:
    yield problem["inputs"]
    yield from problem["later_inputs"]


def _asking(problem: Problem, weights: dict[str, Array], inputs: Array) -> Problem:
    """Give the problem of one batch's gradients."""
    arrays = {**problem.arrays, **weights, "inputs": inputs}
    case = msgspec.structs.replace(problem.case, task="gradient")
    return replace(problem, case=case, arrays=arrays)
