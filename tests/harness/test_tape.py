"""The tape's gradients against differences of the float64 network, and by hand."""

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from rnn_parity.judge.adjoint import Float64Adjoint
from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.gradients import reference_gradients
from rnn_parity.judge.tape import Tape
from rnn_parity.judge.trajectory import trajectory
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_fixtures import catalogue
from support import with_arrays

STEP = 1e-6

FORMS = (
    "dynamic-B2-T3-D3-H2{p}",
    "dynamic-B2-T3-D3-H2{p}-reverse",
    "variable_input-B3-T4-D2-H3{p}-L2-bidirectional-zerolength",
    "dynamic-B2-T3-D2-H3{p}-nobias",
)


def built(cell: str, form: str, seed: int = 3) -> Problem:
    name = form.format(p="-P2" if cell == "lstm_projection" else "")
    return catalogue.build(
        catalogue.case_from_id(f"{cell}-{name}-gradient-f64-s{seed}")
    )


def loss(problem: Problem) -> float:
    """Sum outputs and final states, each weighted by its cotangent."""
    made = trajectory(Float64(), problem)
    total = (problem["cotangent_outputs"] * made.outputs).sum()
    for state, values in made.finals.items():
        total += (problem[f"cotangent_final_{state}"] * np.stack(values)).sum()
    return float(total)


def differences(problem: Problem, name: str) -> Array:
    """Differentiate the loss by one array, element by element."""
    array, found = problem[name], np.empty(problem[name].shape)
    for at in np.ndindex(array.shape):
        sides = []
        for sign in (1, -1):
            moved = array.copy()
            moved[at] += sign * STEP
            sides.append(loss(with_arrays(problem, **{name: moved})))
        found[at] = (sides[0] - sides[1]) / (2 * STEP)
    return found


def leaves(problem: Problem) -> Iterator[str]:
    for name in problem.arrays:
        if name != "lengths" and not name.startswith("cotangent_"):
            yield name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_is_the_slope_of_the_loss(cell: str, form: str) -> None:
    problem = built(cell, form)
    found = reference_gradients(problem)
    assert set(found) == {f"gradient_{name}" for name in leaves(problem)}
    for name in leaves(problem):
        slope = differences(problem, name)
        apart = np.abs(found[f"gradient_{name}"] - slope).max()
        assert np.abs(slope).max() > 1e-3, name  # else nothing is shown
        assert apart <= 1e-6 * np.abs(slope).max(), name


def test_rows_have_the_lengths_that_the_gradients_are_checked_with() -> None:
    lengths = built("lstm", FORMS[2])["lengths"].tolist()
    assert lengths[0] == 4
    assert 0 < lengths[1] < 4
    assert lengths[2] == 0


@pytest.mark.parametrize("cell", CELLS)
def test_padding_has_no_gradient_and_an_empty_row_passes_its_state_on(
    cell: str,
) -> None:
    problem = built(cell, FORMS[2])
    found = reference_gradients(problem)
    past = np.arange(4) >= problem["lengths"][:, np.newaxis]
    assert not found["gradient_inputs"][past].any()
    assert found["gradient_inputs"][~past].all()
    for state in CELLS[cell].states:
        passed_on = found[f"gradient_initial_{state}"][:, 2]
        assert (passed_on == problem[f"cotangent_final_{state}"][:, 2]).all()


def test_a_value_used_twice_has_the_gradients_of_both_uses() -> None:
    tape = Tape(Float64Adjoint())
    x = tape.constant(np.array([3.0, -2.0]), "x")
    y = tape.add(tape.mul(x, x), x)  # x^2 + x
    assert tape.backward([(y, np.array([1.0, 10.0]))])["x"].tolist() == [7, -30]


def test_what_does_not_enter_the_loss_has_a_zero_gradient() -> None:
    tape = Tape(Float64Adjoint())
    x, other = tape.constant(np.ones(2), "x"), tape.constant(np.ones(3), "other")
    found = tape.backward([(tape.tanh(x), np.ones(2)), (tape.relu(x), np.ones(2))])
    assert found["other"].tolist() == [0, 0, 0]
    assert other.shape == (3,)
    assert found["x"] == pytest.approx([2 - np.tanh(1) ** 2] * 2, rel=1e-15)


def test_the_rectifier_has_no_slope_at_zero() -> None:
    tape = Tape(Float64Adjoint())
    x = tape.constant(np.array([-1.0, 0.0, 1.0]), "x")
    assert tape.backward([(tape.relu(x), np.ones(3))])["x"].tolist() == [0, 0, 1]


def test_what_a_tape_held_is_free_at_once() -> None:
    tape = Tape(Float64Adjoint())
    weight = tape.weight(np.ones((2, 2)), "w")
    x = tape.constant(np.ones((3, 2)), "x")
    y = tape.affine([(x, weight[:, :1])], np.zeros(1))
    node = weakref.ref(weight)
    gc.disable()
    try:
        assert tape.backward([(y, np.ones((3, 1)))])["w"].tolist() == [[3, 0], [3, 0]]
        del tape, weight, x, y
        assert node() is None
    finally:
        gc.enable()
