"""The certificate: every step of a backend against one exact step from its own state.

Two correct trajectories of a chaotic network drift apart; one step of it cannot. So for
every step t, take the backend's own h[t-1], apply one step in float64, and ask whether
its h[t] lies within the rounding error that one step in its dtype can make.

What a backend does not show is carried along with its error bound instead: the cell
state c of an LSTM, which no gate amplifies, and the layers below the last one, unless
there is one step alone: their final states then show them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.bounded import Bounded, together
from rnn_parity.judge.bounds import Held, ratio
from rnn_parity.judge.decode import Choices, fed, judge_choices, reference_tokens
from rnn_parity.judge.gradients import hold_gradients, reference_gradients
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.stepwise import stepwise
from rnn_parity.judge.systematic import Drift, Samples
from rnn_parity.judge.training import hold_training, reference_training
from rnn_parity.judge.trajectory import processing_order, row_lengths, trajectory
from rnn_parity_core import Accuracy, Array, Case, Outcome, Problem
from rnn_parity_core.layers import lower_outputs, shows_layers, taken_apart
from rnn_parity_reports.results import FirstBad


class Certificate(NamedTuple):
    """One-step errors of an outcome and their bounds, all float64."""

    problem: Problem
    """What the steps were held to."""
    state: Array
    """What the backend returned, `[B, T, R * directions]`; no steps `[B, 0, …]` where
    somebody gave final states alone."""
    residual: Array
    """That minus one exact step from what it returned before."""
    bound: Array
    """What |residual| may be."""
    ratio: Array
    """|residual| / bound; infinite where something is not a number."""
    final_ratios: Mapping[str, Array]
    """State → the same of the final states, `[L * directions, B, R or H]`."""
    processed: Array
    """How many steps a pass takes before a time index, `[B, T, directions]`."""
    choices: Choices | None = None
    """Whether the tokens of `variable_output` are the best ones."""
    learned: Mapping[str, Held] = MappingProxyType({})
    """Gradient or trained weight → what it was held to."""
    finals: Mapping[str, Bounded] = MappingProxyType({})
    """State → exact final states and their bounds, `[L * directions, B, R or H]`."""
    systematic: Mapping[str, Drift] = MappingProxyType({})
    """Weight of the last layer, by full name → what the errors of all steps say."""
    samples: tuple[Samples, ...] = ()
    """Steps that this is of, for each direction."""
    below: tuple["Certificate", ...] = ()
    """Of each layer below the last, if its outputs are known: as if it were alone."""

    @property
    def bound_ratio(self) -> float:
        """Worst |error| / bound of all; infinite if an element is not a number."""
        finals = [ratio.max() for ratio in self.final_ratios.values()]
        tokens = [self.choices.ratio.max()] if self.choices else []
        learned = [held.ratio.max() for held in self.learned.values()]
        drifting = [drift.ratio.max() for drift in self.systematic.values()]
        steps = [of.ratio.max(initial=0) for of in (*self.below, self)]
        return float(max([*steps, *finals, *tokens, *learned, *drifting]))

    @property
    def has_outputs(self) -> bool:
        """Whether outputs were returned, and not final states alone."""
        return bool(self.state.shape[1])

    @property
    def steps_pass(self) -> bool:
        """Whether all steps and final states are within their bounds."""
        ratios = [of.ratio for of in (*self.below, self)]
        ratios += self.final_ratios.values()
        return all(bool((ratio <= 1).all()) for ratio in ratios)

    @property
    def first_bad(self) -> FirstBad | None:
        """Say where the bound is first exceeded in the order of computing, if anywhere.

        If only final states exceed it, the first of these, at the last step. Of layers
        whose outputs are known it is the first one that is wrong by itself.
        """
        case = self.problem.case
        for layer, own in enumerate(self.below):
            if (own.ratio > 1).any() and (of_own := own.first_bad):
                return replace(of_own, layer=layer)
        size = case.recurrent_size
        if (bad := self.ratio > 1).any():
            order = np.repeat(self.processed, size, axis=-1)
            first = np.where(bad & (order == order[bad].min()), self.ratio, 0.0)
            at = np.unravel_index(int(first.argmax()), first.shape)
            row, t, unit = (int(i) for i in at)
            which = case.layers - 1, case.directions[unit // size]
            return _place(case, which, (t, row, unit % size), first[at])
        for final in self.final_ratios.values():
            if (final > 1).any():
                flat = final.reshape(*final.shape[:2], -1)
                at = np.unravel_index(int(flat.argmax()), flat.shape)
                number, row, unit = (int(i) for i in at)
                where = (max(case.steps - 1, 0), row, unit)
                return _place(case, case.passes[number], where, flat[at])
        return None


def _place(
    case: Case, which: tuple[int, str], where: tuple[int, int, int], times: float
) -> FirstBad:
    step, row, unit = (int(i) for i in where)
    return FirstBad(
        step=step,
        row=row,
        unit=unit,
        layer=which[0],
        direction=which[1] if case.direction != "forward" else None,
        times_bound=float(times) if np.isfinite(times) else None,
    )


def certify(problem: Problem, outcome: Outcome, accuracy: Accuracy) -> Certificate:
    """Certify an outcome whose arrays have the right names, shapes and dtype.

    Tokens are well formed, if there are any.

    Args:
        problem: The problem that the backend was given.
        outcome: Everything that the backend returned; of `forward` tasks outputs or
            final states may be absent.
        accuracy: What the backend may err by.

    """
    if "tokens" in outcome:
        steps = certify_steps(fed(problem, outcome["tokens"]), outcome, accuracy)
        choices = judge_choices(problem, outcome, accuracy)
        return steps._replace(choices=choices)
    steps = certify_steps(problem, outcome, accuracy)
    if problem.case.task == "gradient":
        return steps._replace(learned=hold_gradients(problem, outcome, accuracy))
    if problem.case.trains:
        return steps._replace(learned=hold_training(problem, outcome, accuracy))
    return steps


def certify_steps(
    problem: Problem, outcome: Outcome, accuracy: Accuracy
) -> Certificate:
    """Certify `outputs` and final states alone, or those of them that there are."""
    if "outputs" not in outcome:
        return _certify_finals(problem, outcome, accuracy)
    case = problem.case
    if shows_layers(case, outcome):
        return _certify_layers(problem, outcome, accuracy)
    state = outcome["outputs"].astype(np.float64)
    exact = stepwise(problem, state, accuracy, outcome.get("final_h"))
    lengths = row_lengths(problem)
    orders = [processing_order(lengths, case.steps, way) for way in case.directions]
    systematic = {
        f"layer{case.layers - 1}.{way}.{name}": drift
        for way, found in zip(case.directions, exact.systematic, strict=True)
        for name, drift in found.items()
    }
    return Certificate(
        problem,
        state,
        exact.residual,
        exact.outputs.error,
        ratio=exact.ratio,
        final_ratios=_final_ratios(exact.finals, outcome),
        processed=np.stack(orders, axis=-1),
        finals=exact.finals,
        systematic=systematic,
        samples=tuple(exact.samples),
    )


def _certify_layers(
    problem: Problem, outcome: Outcome, accuracy: Accuracy
) -> Certificate:
    """Certify each layer by itself, from what the outcome says that it read."""
    *below, last = (
        certify_steps(own, part, accuracy)
        for own, part in taken_apart(problem, outcome)
    )
    every, states = [*below, last], last.finals
    return last._replace(
        problem=problem,
        final_ratios={
            name: np.concatenate([of.final_ratios[name] for of in every])
            for name in last.final_ratios
        },
        finals={
            name: together(
                lambda *of: np.concatenate(of), *(one.finals[name] for one in every)
            )
            for name in states
        },
        systematic={
            name.replace("layer0.", f"layer{layer}.", 1): drift
            for layer, of in enumerate(every)
            for name, drift in of.systematic.items()
        },
        below=tuple(below),
    )


def _certify_finals(
    problem: Problem, outcome: Outcome, accuracy: Accuracy
) -> Certificate:
    """Certify final states alone: errors pile up, as no state before them is seen."""
    with np.errstate(all="ignore"):  # a bound that is no number says so itself
        exact = trajectory(Rounded(accuracy), problem)
        finals = {
            name: together(lambda *of: np.stack(of), *values)
            for name, values in exact.finals.items()
        }
    case = problem.case
    none = np.zeros((case.batch, 0, case.output_size))
    return Certificate(
        problem,
        state=none,
        residual=none,
        bound=none,
        ratio=none,
        final_ratios=_final_ratios(finals, outcome),
        processed=np.zeros((case.batch, 0, len(case.directions)), dtype=np.int64),
        finals=finals,
    )


@np.errstate(over="ignore", invalid="ignore")
def _final_ratios(finals: Mapping[str, Bounded], outcome: Outcome) -> dict[str, Array]:
    return {
        name: ratio(outcome[f"final_{name}"] - final.value, final.error)
        for name, final in finals.items()
        if f"final_{name}" in outcome
    }


@np.errstate(over="ignore", invalid="ignore")  # the verdict says what is no number
def reference(problem: Problem, *, layers: bool = False) -> dict[str, Array]:
    """Compute everything that an outcome of the problem holds, in float64.

    Args:
        problem: The problem.
        layers: Whether the outputs of layers below the last are wanted, too.

    """
    if problem.case.variant == "variable_output":
        tokens = reference_tokens(problem)
        return {**reference(fed(problem, tokens)), "tokens": tokens}
    exact = trajectory(Float64(), problem)
    names = lower_outputs(problem.case) if layers else []
    below = dict(zip(names, exact.below, strict=False))
    finals = {f"final_{name}": np.stack(v) for name, v in exact.finals.items()}
    learned: dict[str, Array] = {}
    if problem.case.task == "gradient":
        learned = reference_gradients(problem)
    elif problem.case.trains:
        learned = reference_training(problem)
    return {"outputs": exact.outputs, **below, **finals, **learned}
