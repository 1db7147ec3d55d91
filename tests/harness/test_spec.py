"""The contract's words: IDs, shapes, and what is wrong with arrays, in words."""

import numpy as np
import pytest

from harness.spec import Case, Problem, contract_violations, nonfinite

CASE = Case("rnn_tanh", "static_single", 2, 3, 4, 5, "float64", 7)


def test_an_id_spells_out_every_field() -> None:
    assert CASE.id == "rnn_tanh-static_single-B2-T3-D4-H5-f64-s7"
    assert Case("rnn_tanh", "basic", 4, 2, 3, 5, "float32", None).id == (
        "notebook-basic-f32"
    )
    zero = Case("rnn_tanh", "basic", 4, 2, 3, 5, "float32", 0)
    assert zero.id == "rnn_tanh-basic-B4-T2-D3-H5-f32-s0"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variant", "basic"),
        ("batch", 9),
        ("steps", 9),
        ("features", 9),
        ("units", 9),
        ("dtype", "float32"),
        ("seed", 9),
    ],
)
def test_cases_that_differ_in_one_field_have_different_ids(
    field: str, value: str | int
) -> None:
    fields = {name: getattr(CASE, name) for name in CASE.__struct_fields__}
    assert Case(**{**fields, field: value}).id != CASE.id


def test_shapes_follow_the_named_axes() -> None:
    assert CASE.shape(("T", "B", "H", "D")) == (3, 2, 5, 4)
    assert CASE.shape(()) == ()
    assert CASE.input_shapes() == {
        "inputs": (2, 3, 4),
        "initial_h": (2, 5),
        "kernel": (4, 5),
        "recurrent_kernel": (5, 5),
        "bias": (5,),
    }
    assert CASE.output_shapes() == {"outputs": (2, 3, 5), "final_h": (2, 5)}


def test_a_problem_gives_its_arrays_by_name_and_no_others(problem: Problem) -> None:
    assert problem["bias"] is problem.arrays["bias"]
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
