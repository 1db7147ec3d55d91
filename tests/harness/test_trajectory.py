"""Layers, directions, lengths: the order that steps are taken in, what is frozen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.certify import reference
from rnn_parity.judge.trajectory import processing_order, row_lengths, trajectory
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_fixtures import catalogue

every_cell = pytest.mark.parametrize("cell", CELLS)


def named(
    cell: str, options: str = "", variant: str = "dynamic", t: int = 7
) -> Problem:
    size = "-P2" if cell == "lstm_projection" else ""
    name = f"{cell}-{variant}-B4-T{t}-D4-H5{size}{options}-f64-s3"
    return catalogue.build(catalogue.case_from_id(name))


def turned(problem: Problem, direction: str, source: str) -> Problem:
    """Give one pass of a problem in another direction, over inputs turned around."""
    layers = (("inputs", problem["inputs"][:, ::-1]),)
    weights = problem.weights(0, source)
    moved = {f"layer0.{direction}.{name}": array for name, array in weights.items()}
    number = problem.case.passes.index((0, source))
    states = {
        f"initial_{name}": problem[f"initial_{name}"][number : number + 1]
        for name in CELLS[problem.case.cell].states
    }
    case = replace(problem.case, direction=direction)
    return Problem(case, {**dict(layers), **states, **moved})


def single(problem: Problem, direction: str) -> Problem:
    """Give one direction of a bidirectional problem as a problem of its own."""
    flipped = turned(problem, direction, direction)
    return Problem(flipped.case, {**flipped.arrays, "inputs": problem["inputs"]})


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    steps=st.integers(1, 12),
    rows=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    direction=st.sampled_from(["forward", "reverse"]),
)
def test_the_order_of_processing_is_its_own_inverse_and_moves_only_what_is_valid(
    steps: int, rows: list[int], direction: str
) -> None:
    lengths = np.minimum(rows, steps)
    order = processing_order(lengths, steps, direction)
    assert order.shape == (len(rows), steps)
    for row, length in zip(order.tolist(), lengths.tolist(), strict=True):
        assert [row[t] for t in row] == list(range(steps))
        valid = list(range(length))
        assert row[:length] == (valid if direction == "forward" else valid[::-1])
        assert row[length:] == list(range(length, steps))


def test_rows_without_lengths_are_of_full_length() -> None:
    assert row_lengths(named("lstm")).tolist() == [7, 7, 7, 7]
    varied = named("lstm", variant="variable_input")
    assert row_lengths(varied).tolist() == varied["lengths"].tolist()


def cut(problem: Problem, row: int, length: int) -> Problem:
    """Give one row alone, of full length once it is cut."""
    arrays = dict(problem.arrays)
    del arrays["lengths"]
    states = [f"initial_{name}" for name in CELLS[problem.case.cell].states]
    arrays |= {name: arrays[name][:, row : row + 1] for name in states}
    arrays["inputs"] = arrays["inputs"][row : row + 1, :length]
    case = replace(problem.case, variant="dynamic", batch=1, steps=length)
    return Problem(replace(case, zero_length=False), arrays)


@pytest.mark.parametrize("options", ["", "-reverse", "-L2-bidirectional"])
@every_cell
def test_a_row_past_its_length_gives_zeros_and_its_states_are_frozen(
    cell: str, options: str
) -> None:
    problem = named(cell, f"{options}-zerolength", "variable_input")
    found, lengths = reference(problem), problem["lengths"].tolist()
    assert lengths[0] == 7
    assert lengths[1] == 1
    assert lengths[3] == 0
    for row, length in enumerate(lengths):
        assert not found["outputs"][row, length:].any()
        for name in CELLS[cell].states:
            if length == 0:
                wanted = problem[f"initial_{name}"][:, row]
            else:
                alone = reference(cut(problem, row, length))
                wanted = alone[f"final_{name}"][:, 0]
                kept = found["outputs"][row, :length]
                assert kept == pytest.approx(alone["outputs"][0], rel=1e-14)
            assert found[f"final_{name}"][:, row] == pytest.approx(wanted, rel=1e-14)


@every_cell
def test_what_stands_past_a_row_s_length_does_not_matter(cell: str) -> None:
    problem = named(cell, "-bidirectional", "variable_input")
    inputs = problem["inputs"].copy()
    for row, length in enumerate(problem["lengths"]):
        inputs[row, length:] = 9.0
    moved = Problem(problem.case, {**problem.arrays, "inputs": inputs})
    assert (inputs != problem["inputs"]).any()
    for name, array in reference(problem).items():
        assert np.array_equal(reference(moved)[name], array), name


@every_cell
def test_a_reverse_pass_is_a_forward_one_over_inputs_turned_around(cell: str) -> None:
    backwards = named(cell, "-reverse")
    found = reference(backwards)
    forward = reference(turned(backwards, "forward", "reverse"))
    assert np.array_equal(found["outputs"], forward["outputs"][:, ::-1])
    assert not np.allclose(found["outputs"], forward["outputs"])
    for name in CELLS[cell].states:
        final = found[f"final_{name}"]
        assert np.array_equal(final, forward[f"final_{name}"])
    assert np.array_equal(found["final_h"][0], found["outputs"][:, 0])


@pytest.mark.parametrize("steps", [1, 7])
@every_cell
def test_a_bidirectional_layer_is_both_of_its_passes_side_by_side(
    cell: str, steps: int
) -> None:
    both = named(cell, "-bidirectional", t=steps)
    size = both.case.recurrent_size
    found = reference(both)
    for number, way in enumerate(("forward", "reverse")):
        alone = reference(single(both, way))
        half = found["outputs"][..., number * size : (number + 1) * size]
        assert np.array_equal(half, alone["outputs"])
        for name in CELLS[cell].states:
            final = found[f"final_{name}"]
            assert np.array_equal(final[number], alone[f"final_{name}"][0])


@every_cell
def test_with_one_step_there_is_no_direction_to_tell_apart(cell: str) -> None:
    reverse = named(cell, "-reverse", t=1)
    found, forward = (
        reference(reverse),
        reference(turned(reverse, "forward", "reverse")),
    )
    for name, array in found.items():
        assert np.array_equal(array, forward[name]), name
    assert np.array_equal(found["outputs"][:, 0], found["final_h"][0])


@every_cell
def test_a_layer_reads_both_directions_of_the_one_below(cell: str) -> None:
    deep = named(cell, "-L2-bidirectional")
    size = deep.case.recurrent_size
    right = reference(deep)["outputs"]
    for column in (0, size):  # the first unit of either direction below
        kernel = deep["layer1.forward.kernel"].copy()
        kernel[column] *= 1.5
        moved = Problem(deep.case, {**deep.arrays, "layer1.forward.kernel": kernel})
        changed = (reference(moved)["outputs"] != right).any(axis=(0, 1))
        assert changed[:size].any()
        assert not changed[size:].any()


def shown(problem: Problem, *, at: tuple[int, int, int]) -> tuple[Array, Array]:
    """Give outputs of steps from outputs that were moved at one place, and without."""
    right = reference(problem)["outputs"]
    moved = right.copy()
    moved[at] += 0.25
    return trajectory(Float64(), problem, observed=moved).outputs, right


@pytest.mark.parametrize(
    ("options", "unit", "after"), [("", 2, 4), ("-reverse", 2, 2), ("-L2", 2, 4)]
)
@pytest.mark.parametrize("cell", ["rnn_tanh", "gru", "lstm"])
def test_from_observed_outputs_each_step_starts_where_the_one_before_was_seen(
    cell: str, options: str, unit: int, after: int
) -> None:
    found, right = shown(named(cell, options), at=(1, 3, unit))
    changed = ~np.isclose(found, right, rtol=1e-12).all(axis=2)
    # An LSTM carries its cell state on, which was not shown.
    later = range(after, 7) if after > 3 else range(after, -1, -1)
    steps = [after] if cell != "lstm" else sorted(later)
    assert np.argwhere(changed).tolist() == [[1, step] for step in steps]
