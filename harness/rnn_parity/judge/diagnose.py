"""Which known convention would explain a difference: "it would match if …".

`conventions` has the catalogue. A hypothesis explains an outcome that fails if the
whole certificate passes under it: all steps and all final states.
"""

import dataclasses
from collections.abc import Hashable, Iterator, Mapping
from functools import partial

import numpy as np
from msgspec.structs import replace

from rnn_parity.judge.attempts import Attempts
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.bounds import ratio
from rnn_parity.judge.conventions.catalogue import STAGES, Given, Source
from rnn_parity.judge.conventions.cut import weights_gone_through
from rnn_parity.judge.conventions.glance import glances
from rnn_parity.judge.conventions.gradients import explain_gradients
from rnn_parity.judge.conventions.hypothesis import Hypothesis, Prediction
from rnn_parity.judge.conventions.outcome import predicted
from rnn_parity.judge.decode import fed
from rnn_parity.judge.equations import AS_PUBLISHED
from rnn_parity.judge.rounded import Rounded
from rnn_parity_core import INTEGER_ARRAYS, Accuracy, Array, Error, Outcome, Problem

MOST = 4
"""Explanations that are given at most."""

_UNSTATED = {"tanh": Error(8.0), "sigmoid": Error(8.0)}
"""Of functions that the cell has not, and a hypothesis has. TensorFlow's, the least
accurate in wide use, were seen to err by 7.4 and 6.05."""

_MARGIN = 2.0
"""Times its bound that what is right must be off by: else the bounds explain it."""

_EFFORT = 2e9
"""Weights that are gone through, each step anew, before the search gives up."""
_STEP_EFFORT = 1e4  # what a step costs besides
_ALTERING = 3  # what altering weights costs, for each


def explain(
    problem: Problem,
    outcome: Outcome,
    accuracy: Accuracy,
    attempts: Attempts | None = None,
) -> list[str]:
    """Name the conventions under which all steps would pass, the simplest first.

    A hypothesis is tried on few rows and steps first, up to the first bad one, and on
    the whole only if it passes there: a few certificates' time in all. The search stops
    after a fixed number of operations, about 20 seconds on one core.

    Args:
        problem: The problem.
        outcome: What a backend returned that does not pass, all of it numbers.
        accuracy: What the backend may err by.
        attempts: Is told what a hypothesis raises, which is else raised.

    """
    attempts = attempts or Attempts(raises=True)
    if "tokens" in outcome:
        problem = fed(problem, outcome["tokens"])
    arrays = {name: _own(name, a) for name, a in problem.arrays.items()}
    forward = problem.case.forward_shapes()
    wide = {n: _own(n, a) for n, a in outcome.items() if n in forward}
    own = dataclasses.replace(problem, arrays=arrays)
    with np.errstate(all="ignore"):
        stated = replace(accuracy, functions={**_UNSTATED, **accuracy.functions})
        search = _Search(own, wide, stated, attempts)
        if not search.steps_pass:
            return search.names()
        if problem.case.task != "gradient":
            return []
        every = partial(explain_gradients, problem, outcome, stated)
        return list(attempts.each("gradients", every))[:MOST]


def _own(name: str, array: Array) -> Array:
    """Copy an array, to float64 if it is real, so that no hypothesis can spoil it."""
    copied = array.copy() if name in INTEGER_ARRAYS else array.astype(np.float64)
    copied.flags.writeable = False
    return copied


class _Search:
    """A search for what explains one outcome.

    Args:
        problem: The problem; its real arrays are float64.
        outcome: Outputs and final states, float64.
        accuracy: What the backend may err by.
        attempts: Is told what a hypothesis raises.

    """

    def __init__(
        self,
        problem: Problem,
        outcome: Outcome,
        accuracy: Accuracy,
        attempts: Attempts,
    ) -> None:
        self._problem, self._outcome = problem, outcome
        self._accuracy, self._attempts = accuracy, attempts
        ops = Rounded(accuracy)
        self._right = predicted(problem, ops, outcome.get("outputs"))
        every = _ratios(self._right, outcome)
        ratios = every.get("outputs", np.zeros(()))
        self.steps_pass = all((r <= 1).all() for r in every.values())
        wrong = ratios > 1
        self._given = Given(
            problem,
            # Where only final states were given, outputs have nothing to explain.
            {"outputs": self._right.outputs.value, **outcome},
            ops,
            self._right,
            outputs_pass=not wrong.any(),
            mostly_wrong=bool(wrong.mean() > 1 / 2),
        )
        self._glances, self._cut = (
            glances(problem, outcome, self._right, ratios)
            if "outputs" in outcome
            else ([], None)
        )
        self._left = _EFFORT
        self._weights = weights_gone_through(problem) / max(problem.case.steps, 1)

    def names(self) -> list[str]:
        """Name what explains the outcome, each thing once."""
        for stage in STAGES:
            found: dict[Hashable, str] = {}
            for hypothesis in self._hypotheses(stage):
                if self._left < 0:
                    break
                judge = partial(self._explained, hypothesis)
                what = self._attempts.call(hypothesis.name, judge, None)
                if what is not None:
                    found.setdefault(what, hypothesis.name)
            if found:
                return list(dict.fromkeys(found.values()))[:MOST]
        return []

    def _hypotheses(self, stage: tuple[Source, ...]) -> Iterator[Hypothesis]:
        for source in stage:
            give = partial(source, self._given)
            yield from self._attempts.each(source.__name__, give)

    def _explained(self, hypothesis: Hypothesis) -> Hashable | None:
        """Say what a hypothesis comes to, if it explains the outcome."""
        if hypothesis.predict:
            self._left -= weights_gone_through(self._problem)
            made = hypothesis.predict()
            passes = self._passes(hypothesis, made, self._outcome)
            return _bytes(_values(made, self._outcome)) if passes else None
        self._left -= _ALTERING * self._weights
        changed = hypothesis.changed(self._problem)
        outcome = hypothesis.outcome or self._outcome
        spoilt = {
            n: outcome[n] for n, a in self._outcome.items() if (outcome[n] != a).any()
        }
        others = hypothesis.equations, hypothesis.bounds
        if not (changed or spoilt or others != (AS_PUBLISHED, Rounded)):
            return None  # nothing is altered by it here
        arrays = {**self._problem.arrays, **changed}
        problem = dataclasses.replace(self._problem, arrays=arrays)
        if self._is_far(hypothesis, problem, outcome) or not self._passes_cut(
            hypothesis, problem, outcome
        ):
            return None
        made = self._predicted(hypothesis, problem, outcome.get("outputs"))
        if not self._passes(hypothesis, made, outcome):
            return None
        return _bytes(changed), _bytes(spoilt), *others

    def _predicted(
        self, hypothesis: Hypothesis, problem: Problem, observed: Array | None
    ) -> Prediction:
        self._left -= weights_gone_through(problem) + _STEP_EFFORT * problem.case.steps
        ops = hypothesis.bounds(self._accuracy)
        return predicted(problem, ops, observed, hypothesis.equations)

    def _is_far(
        self, hypothesis: Hypothesis, problem: Problem, outcome: Outcome
    ) -> bool:
        """Whether float64 alone, without bounds, is enough to rule a hypothesis out."""
        if hypothesis.by_bounds or hypothesis.bounds is not Rounded:
            return False
        for glance in self._glances:
            self._left -= glance.effort
            if glance.rules_out(problem, outcome, hypothesis.equations):
                return True
        return False

    def _passes_cut(
        self, hypothesis: Hypothesis, problem: Problem, outcome: Outcome
    ) -> bool:
        """Whether outputs are within their bounds as far as the first wrong step."""
        if not self._cut:
            return True  # only the whole can tell
        for part, seen in self._cut.pieces(problem, outcome["outputs"]):
            made = self._predicted(hypothesis, part, seen)
            if not (ratio(seen - made.outputs.value, made.outputs.error) <= 1).all():
                return False
        return True

    def _passes(
        self, hypothesis: Hypothesis, made: Prediction, outcome: Outcome
    ) -> bool:
        """Whether everything is within its bounds, for another value's sake.

        What is right must not be: else it is the bounds that are too wide to tell.
        """
        if not all((r <= 1).all() for r in _ratios(made, outcome).values()):
            return False
        if hypothesis.by_bounds or hypothesis.outcome:
            return True
        blind = Prediction(
            made.outputs._replace(value=self._right.outputs.value),
            {
                name: bounded._replace(value=self._right.finals[name].value)
                for name, bounded in made.finals.items()
            },
        )
        return any((r > _MARGIN).any() for r in _ratios(blind, self._outcome).values())


def _ratios(made: Prediction, outcome: Outcome) -> dict[str, Array]:
    """Give |error| / bound of everything that an outcome has."""
    return {
        name: ratio(outcome[name] - of.value, of.error)
        for name, of in _named(made).items()
        if name in outcome
    }


def _values(made: Prediction, outcome: Outcome) -> dict[str, Array]:
    return {name: of.value for name, of in _named(made).items() if name in outcome}


def _named(made: Prediction) -> dict[str, Bounded]:
    finals = {f"final_{name}": of for name, of in made.finals.items()}
    return {"outputs": made.outputs, **finals}


def _bytes(arrays: Mapping[str, Array]) -> Hashable:
    """Tell named arrays apart by all their bits."""
    return tuple((name, arrays[name].tobytes()) for name in sorted(arrays))
