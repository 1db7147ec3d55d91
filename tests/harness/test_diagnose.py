"""Known mistakes: each is recognised from the numbers alone, and none is invented."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rnn_parity.judge.certify import certify
from rnn_parity.judge.diagnose import explain
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_fixtures import catalogue
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
    assert certify(problem, outcome, allowing(problem, ULP)).bound_ratio > 1
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
@pytest.mark.parametrize("cell", CELLS.in_suites)
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
        ("lstm_peephole", "peephole dropped"),
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


def with_two(problem: Problem) -> Problem:
    """Give each layer and direction two biases, as a file of PyTorch has them."""
    rng = np.random.default_rng(5)
    shape = (2, *problem.case.shape("G"))
    every = {f"layer{n}.{way}": (n, way) for n, way in problem.case.passes}
    biases = {at: rng.uniform(-1, 1, shape).astype(np.float32) for at in every}
    return replace(added_up(problem, biases), biases=biases)


def added_up(problem: Problem, biases: dict[str, Array]) -> Problem:
    """Give the network that two biases make: a GRU's n has them apart."""
    arrays, units = dict(problem.arrays), problem.case.units
    for prefix, (first, second) in biases.items():
        arrays[f"{prefix}.bias"] = first + second
        if problem.case.cell == "gru":
            arrays[f"{prefix}.bias"][-units:] = first[-units:]
            arrays[f"{prefix}.recurrent_bias"] = second[-units:]
    return replace(problem, arrays=arrays)


TWO: dict[str, Callable[[Array], Array]] = {
    "bias_ih dropped": lambda pair: np.stack([0 * pair[0], pair[1]]),
    "bias_hh dropped": lambda pair: np.stack([pair[0], 0 * pair[1]]),
    "bias_ih added twice": lambda pair: np.stack([2 * pair[0], pair[1]]),
    "bias_hh added twice": lambda pair: np.stack([pair[0], 2 * pair[1]]),
    "bias_ih taken for bias_hh, too": lambda pair: np.stack([pair[0], pair[0]]),
    "bias_hh taken for bias_ih, too": lambda pair: np.stack([pair[1], pair[1]]),
}


@pytest.mark.parametrize("options", ["", "-L2-bidirectional"])
@pytest.mark.parametrize("cell", ["rnn_relu", "lstm", "gru", "gru_reset_before"])
@pytest.mark.parametrize("mistake", TWO)
def test_what_is_done_to_one_of_two_biases_is_named(
    mistake: str, cell: str, options: str
) -> None:
    problem = with_two(seeded(f"B3-T5-D4-H5{options}-f32-s1", cell))
    altered = {at: TWO[mistake](pair) for at, pair in problem.biases.items()}
    assert explained(problem, added_up(problem, altered)) == [mistake]


def test_what_is_done_to_one_of_two_biases_in_one_layer_is_named() -> None:
    problem = with_two(seeded("B3-T5-D4-H5-L2-f32-s1", "lstm"))
    altered = dict(problem.biases)
    altered["layer1.forward"] = TWO["bias_hh dropped"](altered["layer1.forward"])
    assert explained(problem, added_up(problem, altered)) == [
        "bias_hh dropped in upper layers alone"
    ]


def halved(problem: Problem) -> dict[str, Array]:
    """Give two biases as adapters make them of ours."""
    pair = np.stack([problem["layer0.forward.bias"]] * 2) / np.float32(2)
    if problem.case.cell == "gru":
        units = problem.case.units
        own = problem["layer0.forward.bias"], problem["layer0.forward.recurrent_bias"]
        pair[:, -units:] = own[0][-units:], own[1]
    return {"layer0.forward": pair}


@pytest.mark.parametrize("probe", ["", "probe:"])
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
def test_a_half_of_a_bias_that_is_dropped_is_named(cell: str, probe: str) -> None:
    case = catalogue.case_from_id(f"{probe}{cell}-dynamic-B3-T7-D4-H5-f32-s1")
    problem = catalogue.build(case)
    altered = {at: TWO["bias_hh dropped"](a) for at, a in halved(problem).items()}
    # Both halves are the same but in a GRU.
    name = "bias_hh" if cell == "gru" else "bias_ih"
    said = f"{name} dropped, of a bias kept as two halves"
    assert explained(problem, added_up(problem, altered)) == [said]


@pytest.mark.parametrize("probe", ["", "probe:"])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("read", ["z, r, n", "n, z, r", "r, n, z", "z, n, r"])
def test_a_gru_that_reads_two_biases_in_another_order_is_named(
    read: str, known: bool, probe: str
) -> None:
    case = catalogue.case_from_id(f"{probe}gru-dynamic-B3-T7-D4-H5-f32-s1")
    problem = catalogue.build(case)
    problem = with_two(problem) if known else problem
    pairs = problem.biases if known else halved(problem)

    def alter(array: Array) -> Array:
        blocks = dict(zip(read.split(", "), np.split(array, 3, axis=-1), strict=True))
        return np.concatenate([blocks[gate] for gate in "rzn"], axis=-1)

    mistaken = changed(problem, ("kernel", "recurrent_kernel"), alter)
    mistaken = added_up(mistaken, {at: alter(pair) for at, pair in pairs.items()})
    said = f"gate order {read} instead of r, z, n"
    assert explained(problem, mistaken) == [said]


@pytest.mark.parametrize("cell", ["rnn_tanh", "gru"])
def test_another_initial_state_is_no_explanation_of_a_single_step(cell: str) -> None:
    for steps, said in ((1, []), (2, ["another initial state"])):
        problem = seeded(f"B3-T{steps}-D4-H5-f32-s1", cell)
        other = moved(problem, "initial_h", lambda a: a + np.float32(0.25))
        assert explained(problem, other) == said
