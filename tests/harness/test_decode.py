"""Tokens: which ones are right, which may be said as well, and which may not."""

import numpy as np
import pytest

from rnn_parity.judge.certify import certify, reference
from rnn_parity.judge.decode import (
    fed,
    judge_choices,
    lengths_of,
    reference_tokens,
    well_formed,
)
from rnn_parity_core import Array, Outcome, Problem
from rnn_parity_fixtures import catalogue
from support import allowing, honest, with_arrays

ULP = {"tanh": 2.0, "sigmoid": 4.0}
STOP = 1


def built(cell: str = "rnn_tanh", rest: str = "f32-s31") -> Problem:
    """Give a problem; with this seed rows stop at six different steps."""
    case = catalogue.case_from_id(f"{cell}-variable_output-B6-T9-D4-H5-V7-{rest}")
    return catalogue.build(case)


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def gru_step(problem: Problem, x: Array, h: Array) -> Array:
    """Take one row's step of a GRU, unit by unit."""
    w = {n: a.astype(np.float64) for n, a in problem.weights(0, "forward").items()}
    new = np.empty(5)
    for k in range(5):
        r_at, z_at, n_at = k, 5 + k, 10 + k
        inner = [x @ w["kernel"][:, at] + w["bias"][at] for at in (r_at, z_at, n_at)]
        seen = [h @ w["recurrent_kernel"][:, at] for at in (r_at, z_at, n_at)]
        r, z = sigmoid(inner[0] + seen[0]), sigmoid(inner[1] + seen[1])
        n = np.tanh(inner[2] + r * (seen[2] + w["recurrent_bias"][k]))
        new[k] = (1 - z) * n + z * h[k]
    return new


@pytest.mark.parametrize("seed", [88, 97])
def test_reference_tokens_are_those_of_a_plain_loop_over_rows(seed: int) -> None:
    problem = built("gru", f"f64-s{seed}")
    want = []
    for row in range(6):
        h, token, said = problem["initial_h"][0, row], 0, []
        while len(said) < 9 and token != STOP:
            h = gru_step(problem, problem["embedding"][token], h)
            logits = h @ problem["readout"] + problem["readout_bias"]
            token = int(np.argmax(logits))
            said.append(token)
        want.append(said + [STOP] * (9 - len(said)))
    assert reference_tokens(problem).tolist() == want
    assert len(np.unique(want)) > 5


def test_lengths_count_the_stop_token_and_everything_without_one() -> None:
    tokens = np.array([[4, 1, 1], [1, 1, 1], [4, 5, 1], [4, 5, 6]])
    lengths = lengths_of(tokens, STOP)
    assert lengths.tolist() == [2, 1, 3, 3]
    assert lengths.dtype == np.int32


def test_what_a_network_said_is_what_it_is_fed_a_step_later() -> None:
    problem = built()
    tokens = np.tile([4, 5, 6, 1, 1, 1, 1, 1, 1], (6, 1))
    taught = fed(problem, tokens)
    assert taught.case.variant == "variable_input"
    assert taught["lengths"].tolist() == [4] * 6
    read = problem["embedding"][[0, 4, 5, 6]]
    assert (taught["inputs"][:, :4] == read).all()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({(2, 0): 7}, ["tokens has 1 elements outside of 0 to 6"]),
        ({(2, 0): -1, (0, 0): 9}, ["tokens has 2 elements outside of 0 to 6"]),
        ({(1, 4): 5, (1, 8): 0}, ["tokens has 2 elements past a row's stop token"]),
    ],
)
def test_tokens_are_of_the_vocabulary_and_end_once(
    changed: dict[tuple[int, int], int], said: list[str]
) -> None:
    tokens = np.full((6, 9), STOP)
    tokens[:, :3] = 4
    for at, token in changed.items():
        tokens[at] = token
    assert well_formed(built(), tokens) == said


def said_instead(problem: Problem, row: int, t: int, token: int) -> Outcome:
    """Answer as a right network does but for one choice, and go on from there."""
    case = problem.case
    tokens = reference_tokens(problem)
    tokens[row, t] = token
    for later in range(t + 1, case.steps):
        if tokens[row, later - 1] == STOP:
            tokens[row, later:] = STOP
            break
        tokens[row, later:] = 2  # anything that does not stop
        outputs = reference(fed(problem, tokens))["outputs"][row, later]
        tokens[row, later] = (
            outputs @ problem["readout"] + problem["readout_bias"]
        ).argmax()
    taught = reference(fed(problem, tokens))
    rounded = {name: a.astype(case.dtype) for name, a in taught.items()}
    return {**rounded, "tokens": tokens.astype(np.int32)}


def test_the_honest_outcome_says_the_best_tokens() -> None:
    problem = built()
    outcome = honest(problem)
    outcome["tokens"] = outcome["tokens"].astype(np.int32)
    choices = judge_choices(problem, outcome, allowing(problem, ULP))
    assert choices.differs == []
    assert choices.ratio.max() <= 1


def test_a_token_that_is_not_the_best_is_caught_where_it_is_said() -> None:
    problem = built()
    best = reference_tokens(problem)
    row = int(np.flatnonzero(lengths_of(best, STOP) > 4)[0])
    other = next(k for k in range(2, 7) if k != best[row, 2])
    outcome = said_instead(problem, row, 2, other)
    choices = judge_choices(problem, outcome, allowing(problem, ULP))
    assert np.argwhere(choices.ratio > 1).tolist() == [[row, 2]]
    assert len(choices.differs) == 1
    assert f"row {row} says token {other} instead of" in choices.differs[0]
    certificate = certify(problem, outcome, allowing(problem, ULP))
    assert certificate.ratio.max() <= 1  # its steps are right, its choice is not
    assert certificate.bound_ratio > 1e3


def tied(gap: float) -> tuple[Problem, int, int, int]:
    """Make a twin of a token, whose logit is larger by a gap, and say where it is said.

    Both have one embedding, so that it makes no difference later which one was said.
    """
    problem = built()
    best = reference_tokens(problem)
    row = int(np.flatnonzero(lengths_of(best, STOP) == 9)[0])
    token = int(best[row, 3])
    twin = next(k for k in range(2, 7) if k not in {token, *best[row]})
    readout, bias = problem["readout"].copy(), problem["readout_bias"].copy()
    embedding = problem["embedding"].copy()
    readout[:, twin], embedding[twin] = readout[:, token], embedding[token]
    bias[twin] = bias[token] + np.float32(gap)
    made = with_arrays(problem, readout=readout, readout_bias=bias, embedding=embedding)
    return made, row, token, twin


def choosing(problem: Problem, row: int, twins: set[int], *said: int) -> Outcome:
    """Say one twin or the other in a row, wherever the best network says either."""
    outcome = honest(problem)
    tokens = outcome["tokens"].astype(np.int32)
    places = np.isin(tokens[row], list(twins))
    tokens[row, places] = np.resize(said, places.sum())
    return {**outcome, "tokens": tokens}


def test_of_two_tokens_that_tie_exactly_either_may_be_said() -> None:
    problem, row, token, twin = tied(0)
    rows_said = set()
    for said in ((token,), (twin,), (token, twin), (twin, token)):
        outcome = choosing(problem, row, {token, twin}, *said)
        rows_said.add(tuple(outcome["tokens"][row].tolist()))
        choices = judge_choices(problem, outcome, allowing(problem, ULP))
        assert choices.ratio.max() == 0
        assert choices.differs == []
        assert certify(problem, outcome, allowing(problem, ULP)).bound_ratio <= 1
    assert len(rows_said) == 4  # three of them are not the reference's


def test_a_tie_within_rounding_may_be_said_either_way() -> None:
    problem, row, token, twin = tied(4e-7)
    assert reference_tokens(problem)[row, 3] == twin  # in float64 there is no tie
    outcome = choosing(problem, row, {token, twin}, token)
    choices = judge_choices(problem, outcome, allowing(problem, ULP))
    assert 0 < choices.ratio.max() <= 1
    assert choices.differs == []


@pytest.mark.parametrize("gap", [0.01, -0.01])
def test_of_two_tokens_far_apart_only_the_larger_may_be_said(gap: float) -> None:
    problem, row, token, twin = tied(gap)
    larger, smaller = (twin, token) if gap > 0 else (token, twin)
    right = choosing(problem, row, {token, twin}, larger)
    assert judge_choices(problem, right, allowing(problem, ULP)).ratio.max() <= 1
    assert judge_choices(problem, right, allowing(problem, ULP)).differs == []
    wrong = judge_choices(
        problem, choosing(problem, row, {token, twin}, smaller), allowing(problem, ULP)
    )
    assert wrong.ratio[row, 3] > 100
    assert np.delete(wrong.ratio, row, axis=0).max() <= 1
    (words,) = wrong.differs
    assert words.startswith(
        f"row {row} says token {smaller} instead of {larger} at step 3: their logits "
        "are 0.01 apart, and "
    )
