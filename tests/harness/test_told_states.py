"""What outputs tell of a state that is not returned: soundly, and at every step."""

import msgspec
import numpy as np
import pytest

from experimental import experimental
from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.equations import prepared, step
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import Accuracy, Array, Error, Problem
from rnn_parity_fixtures import catalogue

__all__ = ["experimental"]
pytestmark = pytest.mark.usefixtures("experimental")

ACCURACY = Accuracy("float32", {"tanh": Error(2.0), "sigmoid": Error(4.0)})


def normed_c(steps: int, *, shut: float = 0.0) -> tuple[Bounded, Problem, Array]:
    """Give the c before each step of a layer norm LSTM, as judged."""
    name = f"layer_norm_lstm-dynamic-B3-T{steps}-D4-H8-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    arrays, case = dict(problem.arrays), problem.case
    shift = arrays["layer0.forward.input_shift"].copy()
    shift[24:] -= np.float32(shut)
    arrays["layer0.forward.input_shift"] = shift
    problem = Problem(case, arrays)
    outputs = trajectory(Float64(), problem).outputs.astype(np.float32).astype(float)
    ops = Rounded(ACCURACY)
    with np.errstate(all="ignore"):
        (made,) = trajectory(ops, problem, outputs).steps
    return made.before["c"], problem, outputs


def test_layer_norm_s_c_is_known_as_well_after_many_steps_as_after_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = (normed_c(steps)[0].error[:, -1] for steps in (7, 100))
    assert np.median(many) <= 2 * np.median(few)
    assert np.median(many) < 1e-4
    monkeypatch.setattr(Rounded, "told_by", lambda *_of: None)
    assert np.median(normed_c(100)[0].error[:, -1]) > 100 * np.median(many)


@pytest.mark.parametrize("shut", [0.0, 6.0, 12.0, 18.0, 40.0])
def test_what_h_tells_of_c_is_so_even_where_a_gate_is_nearly_shut(shut: float) -> None:
    found, problem, _ = normed_c(30, shut=shut)
    # Each step's own c, of a float32 network that computes it once.
    exact = float32_states(problem)
    assert (np.abs(found.value - exact) <= found.error).all()


def float32_states(problem: Problem) -> Array:
    """Give c before each step, of the outputs' own trajectory."""
    made = trajectory(Float64(), problem)
    state = {n: a.astype(float) for n, a in problem.initial(0, "forward").items()}
    weights, before = prepared(problem, (0, "forward")), []
    for t in range(problem.case.steps):
        before.append(state["c"])
        x = problem["inputs"][:, t].astype(float)
        state = step(Float64(), problem.case.cell, x, state, weights)
        state["h"] = made.outputs[:, t].astype(np.float32).astype(float)
    return np.stack(before, axis=1)


@pytest.mark.parametrize("recomputes", [True, False])
def test_a_state_computed_once_more_may_be_off_by_either_computation(
    recomputes: bool,
) -> None:
    """By squares for h, and by distances to go on with: two legal forms."""
    a = 20 + np.random.default_rng(2).standard_normal((400, 6)).astype(np.float32)
    ops = Rounded(msgspec.structs.replace(ACCURACY, recomputes=recomputes))
    mean = a.mean(-1, keepdims=True)
    by_squares = (a * a).mean(-1, keepdims=True) - mean * mean
    shown = (a - mean) / np.sqrt(by_squares + np.float32(1e-5))
    variance = np.square(a - mean).mean(-1, keepdims=True)
    kept = (a - mean) / np.sqrt(variance + np.float32(1e-5))
    o = Bounded(np.ones(a.shape), np.zeros(a.shape))
    told = ops.told_by(o, np.tanh(shown).astype(float))
    assert told is not None
    again = ops.standardize(Bounded(a.astype(float), np.zeros(a.shape)), 1e-5)
    allowed = ops.recomputed(told, again).error
    known = np.isfinite(told.error)
    assert known.mean() > 0.9
    off = np.abs(kept - told.value)
    assert (off > told.error)[known].any()
    assert (off <= allowed)[known].all() == recomputes
