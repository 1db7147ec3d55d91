"""Known mistakes: each is recognised from the numbers alone, and none is invented."""

from collections.abc import Callable

import numpy as np
import pytest

from fixtures import catalogue
from harness.judge.certify import certify
from harness.judge.diagnose import explain
from harness.spec import CELLS, Array, Problem
from support import allowing, honest, with_arrays

ULP = {"tanh": 2.0, "sigmoid": 4.0}
SQUARE = ("B3-T5-D6-H6-f32-s4", "B6-T6-D6-H6-f64-s5", "B2-T9-D2-H2-f32-s6")
OBLONG = ("B3-T7-D4-H5-f32-s1", "B2-T3-D6-H4-f64-s2")


def seeded(sizes: str, cell: str = "rnn_tanh") -> Problem:
    return catalogue.build(catalogue.case_from_id(f"{cell}-dynamic-{sizes}"))


def changed(
    problem: Problem, names: tuple[str, ...], alter: Callable[[Array], Array]
) -> Problem:
    """Alter weights of all layers and directions, by short name."""
    arrays = {
        full: alter(array) if full.rpartition(".")[2] in names else array
        for full, array in problem.arrays.items()
    }
    assert any((arrays[name] != problem[name]).any() for name in arrays)
    return Problem(problem.case, arrays)


def transposed(problem: Problem, name: str) -> Problem:
    """Transpose what each gate has of a square weight."""
    units = problem.case.units

    def alter(array: Array) -> Array:
        whole = array.copy()
        for start in range(0, array.shape[1], units):
            whole[:, start : start + units] = array[:, start : start + units].T
        return whole

    return changed(problem, (name,), alter)


def moved(problem: Problem, name: str, alter: Callable[[Array], Array]) -> Problem:
    return Problem(problem.case, {**problem.arrays, name: alter(problem[name])})


Mistake = Callable[[Problem], Problem]
ANY: dict[str, Mistake] = {
    "recurrent kernel transposed": lambda p: transposed(p, "recurrent_kernel"),
    "bias dropped": lambda p: changed(p, ("bias",), lambda a: 0 * a),
    "bias added twice": lambda p: changed(p, ("bias",), lambda a: a + a),
    "recurrent kernel dropped": lambda p: changed(
        p, ("recurrent_kernel",), lambda a: 0 * a
    ),
    "initial h dropped": lambda p: moved(p, "initial_h", lambda a: 0 * a),
    "steps in reverse order": lambda p: moved(p, "inputs", lambda a: a[:, ::-1]),
    "rows in reverse order": lambda p: moved(p, "inputs", lambda a: a[::-1]),
}
MISTAKES: dict[str, Mistake] = {
    **ANY,
    "kernel transposed": lambda p: transposed(p, "kernel"),
}


def explained(problem: Problem, mistaken: Problem) -> list[str]:
    outcome = honest(mistaken)
    assert certify(problem, outcome, allowing(problem, ULP)).headroom > 1
    return explain(problem, outcome, allowing(problem, ULP))


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("sizes", SQUARE)
def test_a_mistake_that_was_made_is_the_one_explanation(
    sizes: str, mistake: str
) -> None:
    problem = seeded(sizes)
    assert explained(problem, MISTAKES[mistake](problem)) == [mistake]


@pytest.mark.parametrize("sizes", OBLONG)
def test_mistakes_that_fit_are_told_apart_where_a_kernel_is_not_square(
    sizes: str,
) -> None:
    problem = seeded(sizes)
    for name, mistake in ANY.items():
        assert explained(problem, mistake(problem)) == [name]


@pytest.mark.parametrize("options", ["-reverse", "-L2-bidirectional"])
@pytest.mark.parametrize("cell", CELLS)
def test_mistakes_in_every_layer_of_any_cell_are_told_apart(
    cell: str, options: str
) -> None:
    size = "-P5" if cell == "lstm_projection" else ""
    problem = seeded(f"B3-T4-D4-H5{size}{options}-f32-s1", cell)
    for name, mistake in ANY.items():
        assert explained(problem, mistake(problem)) == [name], name


@pytest.mark.parametrize(
    ("cell", "mistake"),
    [
        ("gru", "recurrent bias dropped"),
        ("lstm_peephole", "peepholes dropped"),
        ("lstm", "initial c dropped"),
        ("lstm_peephole", "initial c dropped"),
        ("lstm_projection", "initial c dropped"),
    ],
)
@pytest.mark.parametrize("options", ["", "-L2-bidirectional"])
def test_what_only_some_cells_have_is_named_when_it_is_dropped(
    cell: str, mistake: str, options: str
) -> None:
    size = "-P2" if cell == "lstm_projection" else ""
    problem = seeded(f"B3-T4-D4-H5{size}{options}-f32-s1", cell)
    if mistake == "initial c dropped":
        mistaken = moved(problem, "initial_c", lambda a: 0 * a)
    else:
        name = {"recurrent bias dropped": "recurrent_bias"}.get(mistake, "peephole")
        mistaken = changed(problem, (name,), lambda a: 0 * a)
    assert explained(problem, mistaken) == [mistake]


def misread(problem: Problem, read: tuple[str, ...]) -> Problem:
    """Give the network of a backend that takes the gates to stand in another order."""
    gates = CELLS[problem.case.cell].gates

    def alter(array: Array) -> Array:
        blocks = np.split(array, len(gates), axis=-1)
        taken = dict(zip(read, blocks, strict=True))
        return np.concatenate([taken[gate] for gate in gates], axis=-1)

    return changed(problem, ("kernel", "recurrent_kernel", "bias"), alter)


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("lstm", "i, g, f, o"),  # TensorFlow 1's
        ("lstm", "i, f, o, g"),
        ("lstm", "o, g, f, i"),
        ("lstm_peephole", "i, g, f, o"),
        ("lstm_projection", "i, g, f, o"),
        ("gru", "z, r, n"),  # that of Keras
        ("gru", "n, z, r"),
        ("gru_reset_before", "z, r, n"),
        ("lstm", "i, o, f, g"),  # that of ONNX
        ("lstm", "f, g, o, i"),
        ("gru", "z, n, r"),
    ],
)
def test_gates_that_are_read_in_another_order_are_named_in_that_order(
    cell: str, read: str
) -> None:
    size = "-P2" if cell == "lstm_projection" else ""
    problem = seeded(f"B3-T4-D4-H5{size}-L2-bidirectional-f32-s1", cell)
    order = ", ".join(CELLS[cell].gates)
    assert explained(problem, misread(problem, tuple(read.split(", ")))) == [
        f"gate order {read} instead of {order}"
    ]


def test_steps_in_reverse_order_are_recognised_within_the_length_of_each_row() -> None:
    name = "gru-variable_input-B3-T7-D4-H5-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    inputs = problem["inputs"].copy()
    for row, length in enumerate(problem["lengths"]):
        inputs[row, :length] = inputs[row, :length][::-1]
    mistaken = with_arrays(problem, inputs=inputs)
    assert explained(problem, mistaken) == ["steps in reverse order"]


@pytest.mark.parametrize("sizes", [*SQUARE, *OBLONG])
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
def test_another_network_has_no_explanation(sizes: str, cell: str) -> None:
    problem = seeded(sizes, cell)
    stranger = seeded(sizes[: sizes.rindex("s")] + "s99", cell)
    assert explain(problem, honest(stranger), allowing(problem, ULP)) == []


def test_two_mistakes_that_come_to_the_same_are_both_named() -> None:
    problem = seeded("B1-T1-D3-H4-f32-s8")
    problem = with_arrays(problem, initial_h=np.zeros((1, 1, 4), np.float32))
    bare = with_arrays(problem, bias=np.zeros(4, np.float32))
    assert explain(problem, honest(bare), allowing(problem, ULP)) == ["bias dropped"]
    started = with_arrays(problem, initial_h=np.full((1, 1, 4), 0.5, np.float32))
    outcome = honest(with_arrays(started, initial_h=problem["initial_h"]))
    assert sorted(explain(started, outcome, allowing(started, ULP))) == [
        "initial h dropped",
        "recurrent kernel dropped",
    ]
