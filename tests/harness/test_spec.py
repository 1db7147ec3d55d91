"""The contract's words: IDs, shapes, and what is wrong with arrays, in words."""

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity_core import Case, Problem
from rnn_parity_core.cases import parse_id
from rnn_parity_core.validate import contract_violations, nonfinite
from rnn_parity_fixtures import catalogue

CASE = Case(
    cell="rnn_tanh",
    variant="static_single",
    batch=2,
    steps=3,
    features=4,
    units=5,
    dtype="float64",
    seed=7,
)
# Every option away from its default.
FULL = replace(
    CASE,
    cell="lstm_projection",
    variant="variable_input",
    projection=6,
    layers=2,
    direction="bidirectional",
    bias=False,
    time_major=True,
    zero_length=True,
)
FULL_ID = (
    "lstm_projection-variable_input-B2-T3-D4-H5-P6-L2"
    "-bidirectional-nobias-timemajor-zerolength-f64-s7"
)


def test_an_id_spells_out_every_field() -> None:
    assert CASE.id == "rnn_tanh-static_single-B2-T3-D4-H5-f64-s7"
    notebook = replace(CASE, variant="basic", dtype="float32", seed=None)
    assert notebook.id == "notebook-basic-f32"
    assert replace(CASE, seed=0).id == "rnn_tanh-static_single-B2-T3-D4-H5-f64-s0"
    assert FULL.id == FULL_ID


def test_an_id_is_parsed_back_to_its_case_and_words_are_no_id() -> None:
    assert parse_id(FULL_ID) == FULL
    assert parse_id(CASE.id) == CASE
    assert parse_id("notebook-basic-f32") is None
    assert parse_id(FULL_ID.replace("-L2-bidirectional", "-bidirectional-L2")) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cell", "rnn_relu"),
        ("variant", "basic"),
        ("batch", 9),
        ("steps", 9),
        ("features", 9),
        ("units", 9),
        ("dtype", "float32"),
        ("seed", 9),
        ("projection", 9),
        ("layers", 9),
        ("direction", "reverse"),
        ("direction", "bidirectional"),
        ("bias", False),
        ("time_major", True),
        ("zero_length", True),
        ("probe", True),
        ("vocabulary", 9),
        ("task", "gradient"),
        ("task", "adam"),
        ("gain", 4.0),
        ("given", "0123456789abcdef"),
        ("trained", "network-met"),
    ],
)
def test_cases_that_differ_in_one_field_have_different_ids(
    field: str, value: str | int
) -> None:
    assert replace(CASE, **{field: value}).id != CASE.id


def test_every_field_of_a_case_is_told_apart_by_its_id() -> None:
    assert set(CASE.__struct_fields__) == {
        *("cell", "variant", "batch", "steps", "features", "units", "dtype", "seed"),
        *("projection", "layers", "direction", "bias", "time_major", "zero_length"),
        *("vocabulary", "task", "gain", "given", "trained", "probe"),
    }


def test_shapes_follow_the_named_axes() -> None:
    assert CASE.shape("TBHD") == (3, 2, 5, 4)
    assert CASE.shape("") == ()
    assert CASE.input_shapes() == {
        "inputs": (2, 3, 4),
        "initial_h": (1, 2, 5),
        "layer0.forward.kernel": (4, 5),
        "layer0.forward.recurrent_kernel": (5, 5),
        "layer0.forward.bias": (5,),
    }
    assert CASE.output_shapes() == {"outputs": (2, 3, 5), "final_h": (1, 2, 5)}


def test_shapes_of_a_deep_bidirectional_case_with_a_projection() -> None:
    shapes = FULL.input_shapes()
    weights = {"kernel": (4, 20), "recurrent_kernel": (6, 20), "projection": (5, 6)}
    above = {**weights, "kernel": (12, 20)}  # reads both directions of P
    assert shapes == {
        "inputs": (2, 3, 4),
        "lengths": (2,),
        "initial_h": (4, 2, 6),
        "initial_c": (4, 2, 5),
        **{f"layer0.forward.{n}": s for n, s in weights.items()},
        **{f"layer0.reverse.{n}": s for n, s in weights.items()},
        **{f"layer1.forward.{n}": s for n, s in above.items()},
        **{f"layer1.reverse.{n}": s for n, s in above.items()},
    }
    assert FULL.output_shapes() == {
        "outputs": (2, 3, 12),
        "final_h": (4, 2, 6),
        "final_c": (4, 2, 5),
    }


@pytest.mark.parametrize(
    ("cell", "gates", "others"),
    [
        ("rnn_tanh", 1, {}),
        ("rnn_relu", 1, {}),
        ("lstm", 4, {}),
        ("lstm_peephole", 4, {"peephole": (3, 5)}),
        ("lstm_projection", 4, {"projection": (5, 6)}),
        ("gru", 3, {"recurrent_bias": (5,)}),
        ("gru_reset_before", 3, {}),
    ],
)
def test_weights_of_a_cell_are_those_of_its_gates(
    cell: str, gates: int, others: dict[str, tuple[int, ...]]
) -> None:
    case = replace(CASE, cell=cell, projection=6 * ("projection" in others))
    assert {name.rpartition(".")[2]: s for name, s in case.weight_shapes().items()} == {
        "kernel": (4, 5 * gates),
        "recurrent_kernel": (6 if case.projection else 5, 5 * gates),
        "bias": (5 * gates,),
        **others,
    }
    bare = replace(case, bias=False).weight_shapes()
    assert bare.keys() == {n for n in case.weight_shapes() if "bias" not in n}


def test_passes_are_layers_first_and_forward_before_reverse() -> None:
    ways = ("forward", "reverse")
    assert FULL.passes == [(layer, way) for layer in (0, 1) for way in ways]
    assert replace(FULL, direction="reverse").passes == [(0, "reverse"), (1, "reverse")]
    problem = catalogue.build(FULL)
    for number, (layer, way) in enumerate(FULL.passes):
        initial = problem.initial(layer, way)
        assert initial["h"].shape == (2, 6)
        assert np.array_equal(initial["h"], problem["initial_h"][number])
        assert np.array_equal(initial["c"], problem["initial_c"][number])
        weights = problem.weights(layer, way)
        assert weights.keys() == {"kernel", "recurrent_kernel", "projection"}
        assert weights["kernel"] is problem[f"layer{layer}.{way}.kernel"]


def test_a_problem_gives_its_arrays_by_name_and_no_others(problem: Problem) -> None:
    assert problem["initial_h"] is problem.arrays["initial_h"]
    with pytest.raises(KeyError, match="outputs"):
        problem["outputs"]


def test_arrays_that_are_what_was_asked_for_have_no_violations() -> None:
    arrays = {n: np.zeros(s) for n, s in CASE.output_shapes().items()}
    assert contract_violations(arrays, CASE.output_shapes(), "float64") == []


def test_every_kind_of_violation_is_reported_alone() -> None:
    shapes = {"a": (2, 3), "b": ()}
    a, b = np.zeros((2, 3), np.float32), np.zeros((), np.float32)
    for arrays, words in (
        ({"a": a}, "b is missing"),
        ({"a": a, "b": b, "c": b}, "c is not asked for"),
        ({"a": a.T, "b": b}, "a has shape [3, 2], expected [2, 3]"),
        ({"a": a, "b": b[None]}, "b has shape [1], expected []"),
        ({"a": a.astype(float), "b": b}, "a has dtype float64, expected float32"),
        ({"a": a.astype(">f4"), "b": b}, "a has dtype >f4, expected float32"),
        ({"a": a.astype(int), "b": b}, "a has dtype int64, expected float32"),
    ):
        assert contract_violations(arrays, shapes, "float32") == [words]


def test_lengths_are_int32_whatever_the_case_s_dtype() -> None:
    shapes = {"lengths": (2,)}
    right, wrong = np.zeros(2, np.int32), np.zeros(2)
    assert contract_violations({"lengths": right}, shapes, "float64") == []
    assert contract_violations({"lengths": wrong}, shapes, "float64") == [
        "lengths has dtype float64, expected int32"
    ]


def test_all_violations_are_reported_together_in_one_order() -> None:
    wrong = {"z": np.zeros(1), "outputs": np.zeros((5, 3, 2), np.float16)}
    assert contract_violations(wrong, CASE.output_shapes(), "float64") == [
        "final_h is missing",
        "outputs has dtype float16, expected float64",
        "outputs has shape [5, 3, 2], expected [2, 3, 5]",
        "z is not asked for",
    ]


def test_nonfinite_elements_are_counted_by_array() -> None:
    broken = np.array([[np.nan, 1.0], [np.inf, -np.inf]], np.float32)
    arrays = {
        "fine": np.ones(3),
        "broken": broken,
        "integers": np.arange(4),
        "empty": np.zeros((0, 3)),
        "scalar": np.array(np.nan),
    }
    assert nonfinite(arrays) == [
        "broken has 3 of 4 elements NaN or infinite",
        "scalar has 1 of 1 elements NaN or infinite",
    ]
