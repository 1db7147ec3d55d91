"""Networks that feed themselves: which tokens they say, and whether they may.

Whatever tokens a backend said, its steps are those of a network that was fed them: so
an outcome is certified as one of `variable_input`. What is left is each choice of a
token, which the logits' bounds decide.
"""

from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.equations import prepared, step
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import Accuracy, Array, Outcome, Problem

Tokens = NDArray[np.int64]


class Choices(NamedTuple):
    """How far each token that was said is from being the best."""

    ratio: Array
    """(best logit - the token's own) / the sum of both bounds, `[B, T]`."""
    differs: list[str]
    """Rows whose tokens are not the reference's, although no candidates tie."""


def lengths_of(tokens: Tokens, stop: int) -> NDArray[np.int32]:
    """Count each row's steps, the one that says the stop token included, `[B]`."""
    stopped = tokens == stop
    first = np.where(stopped.any(axis=1), stopped.argmax(axis=1) + 1, tokens.shape[1])
    return np.asarray(first, dtype=np.int32)


def fed(problem: Problem, tokens: Tokens) -> Problem:
    """Give the problem of a network that is fed what another one said."""
    start, stop = (int(n) for n in problem["start_stop"])
    before = np.concatenate([np.full((len(tokens), 1), start), tokens[:, :-1]], axis=1)
    case = replace(problem.case, variant="variable_input", vocabulary=0)
    own = {
        name: array
        for name, array in problem.arrays.items()
        if name not in {"embedding", "readout", "readout_bias", "start_stop"}
    }
    entering = {
        "inputs": problem["embedding"][before],
        "lengths": lengths_of(tokens, stop),
    }
    return Problem(case, {**entering, **own})


def well_formed(problem: Problem, tokens: Tokens) -> list[str]:
    """List what keeps tokens from being sequences of the vocabulary that end once."""
    vocabulary, stop = problem.case.vocabulary, int(problem["start_stop"][1])
    unknown = int(((tokens < 0) | (tokens >= vocabulary)).sum())
    if unknown:
        return [f"tokens has {unknown} elements outside of 0 to {vocabulary - 1}"]
    times = np.arange(tokens.shape[1])
    past = times >= lengths_of(tokens, stop)[:, np.newaxis]
    said = int((past & (tokens != stop)).sum())
    return [f"tokens has {said} elements past a row's stop token"] if said else []


def reference_tokens(problem: Problem) -> Tokens:
    """Decode in float64: the first of the largest logits at each step, `[B, T]`."""
    case, ops = problem.case, Float64()
    start, stop = (int(n) for n in problem["start_stop"])
    states = [
        {name: a.astype(np.float64) for name, a in problem.initial(*which).items()}
        for which in case.passes
    ]
    weights = [prepared(problem, which) for which in case.passes]
    embedding, readout = (
        problem[n].astype(np.float64) for n in ("embedding", "readout")
    )
    said = np.full((case.batch, case.steps), stop)
    token, running = np.full(case.batch, start), np.ones(case.batch, dtype=bool)
    for t in range(case.steps):
        x = embedding[token]
        for layer, state in enumerate(states):
            states[layer] = step(ops, case.cell, x, state, weights[layer])
            x = states[layer]["h"]
        token = (x @ readout + problem["readout_bias"].astype(np.float64)).argmax(
            axis=1
        )
        said[running, t] = token[running]
        running &= token != stop
    return said


def judge_choices(problem: Problem, outcome: Outcome, accuracy: Accuracy) -> Choices:
    """Hold the tokens of an outcome to the logits' bounds.

    Args:
        problem: A problem of `variable_output`.
        outcome: `tokens` that are well formed, and `outputs`.
        accuracy: What the backend may err by.

    """
    tokens = outcome["tokens"].astype(np.int64)
    stop = int(problem["start_stop"][1])
    ops = Rounded(accuracy)
    logits = _logits(ops, problem, ops.constant(outcome["outputs"]))
    rows, times = np.indices(tokens.shape)
    behind = logits.value.max(axis=-1) - logits.value[rows, times, tokens]
    best = logits.value.argmax(axis=-1)
    allowed = logits.error[rows, times, tokens] + logits.error[rows, times, best]
    valid = times < lengths_of(tokens, stop)[:, np.newaxis]
    ratio = np.where(valid & (behind > 0), behind / allowed, 0.0)
    return Choices(ratio, _differences(problem, tokens, ops))


def _logits(ops: Rounded, problem: Problem, h: Bounded) -> Bounded:
    readout = problem["readout"].astype(np.float64)
    return ops.affine([(h, readout)], problem["readout_bias"].astype(np.float64))


def _differences(problem: Problem, tokens: Tokens, ops: Rounded) -> list[str]:
    """Find rows that part from the reference where its two candidates do not tie.

    They tie where the bounds of the whole way there, not of one step, let either be the
    larger. After that a row goes its own way and is certified by itself.
    """
    want = reference_tokens(problem)
    apart = want != tokens
    if not apart.any():
        return []
    whole = trajectory(ops, fed(problem, want))
    logits = _logits(ops, problem, whole.outputs)
    found = []
    for row in np.flatnonzero(apart.any(axis=1)):
        t = int(apart[row].argmax())
        pair = [int(want[row, t]), int(tokens[row, t])]
        gap = logits.value[row, t, pair[0]] - logits.value[row, t, pair[1]]
        allowed = float(logits.error[row, t, pair].sum())
        if gap > allowed:
            found.append(
                f"row {row} says token {pair[1]} instead of {pair[0]} at step {t}: "
                f"their logits are {gap:.2g} apart, and {allowed:.2g} would be a tie"
            )
    return found
