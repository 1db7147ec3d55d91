"""The judge's cells against their definitions, written out on their own."""

import numpy as np
import pytest
from msgspec.structs import replace

from definitions import network
from rnn_parity.judge.certify import reference
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_fixtures import catalogue
from support import weight, with_arrays


def named(cell: str, options: str, variant: str = "dynamic") -> Problem:
    size = "-P2" if cell == "lstm_projection" else ""
    name = f"{cell}-{variant}-B3-T7-D4-H5{size}{options}-f64-s3"
    return catalogue.build(catalogue.case_from_id(name))


def assert_same(found: dict[str, Array], wanted: dict[str, Array]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name] == pytest.approx(array, rel=1e-13, abs=1e-14), name


@pytest.mark.parametrize("options", ["", "-reverse", "-L2-bidirectional", "-nobias"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_reference_is_the_cell_s_definition_written_out(
    cell: str, options: str
) -> None:
    problem = named(cell, options)
    assert_same(reference(problem), network(problem))


@pytest.mark.parametrize(
    "options", ["-reverse-zerolength", "-L2-bidirectional-zerolength"]
)
@pytest.mark.parametrize("cell", CELLS)
def test_rows_of_any_length_are_what_they_are_when_cut_to_it(
    cell: str, options: str
) -> None:
    problem = named(cell, options, "variable_input")
    assert {0, 1, 7} <= {*problem["lengths"].tolist(), 7}
    assert_same(reference(problem), network(problem))


def test_both_gru_are_the_same_where_r_is_1_and_no_bias_is_inside_of_it() -> None:
    after = named("gru", "")
    bias = weight(after, "bias").copy()
    assert np.abs(reference(after)["outputs"]).max() < 1
    bias[:5] = 60.0  # r of all units; 1 / (1 + exp(-55)) is 1 in float64
    after = with_arrays(after, bias=bias, recurrent_bias=np.zeros(5))
    arrays = dict(after.arrays)
    del arrays["layer0.forward.recurrent_bias"]
    before = Problem(replace(after.case, cell="gru_reset_before"), arrays)
    assert_same(reference(before), reference(after))
    bias[:5] = 0.0
    both = (with_arrays(before, bias=bias), with_arrays(after, bias=bias))
    one, other = (reference(problem)["outputs"] for problem in both)
    assert np.abs(one - other).max() > 1e-3


def as_lstm(problem: Problem, *dropped: str) -> Problem:
    arrays = {
        name: array
        for name, array in problem.arrays.items()
        if not name.endswith(dropped)
    }
    return Problem(replace(problem.case, cell="lstm", projection=0), arrays)


def test_an_lstm_whose_peepholes_are_zero_is_one_without() -> None:
    problem = named("lstm_peephole", "-bidirectional")
    plain = as_lstm(problem, ".peephole")
    seen, unseen = reference(problem)["outputs"], reference(plain)["outputs"]
    assert np.abs(seen - unseen).max() > 1e-3
    zeros = {
        f"layer0__{way}__peephole": np.zeros((3, 5)) for way in ("forward", "reverse")
    }
    assert_same(reference(with_arrays(problem, **zeros)), reference(plain))


def test_an_lstm_that_is_projected_by_the_identity_is_one_without() -> None:
    name = "lstm_projection-dynamic-B3-T7-D4-H5-P5-f64-s3"
    problem = catalogue.build(catalogue.case_from_id(name))
    plain = as_lstm(problem, ".projection")
    turned = reference(problem)["outputs"] - reference(plain)["outputs"]
    assert np.abs(turned).max() > 1e-3
    identity = with_arrays(problem, projection=np.eye(5))
    assert_same(reference(identity), reference(plain))


def test_a_rectifier_is_no_tanh_anywhere() -> None:
    bent = named("rnn_tanh", "")
    straight = Problem(replace(bent.case, cell="rnn_relu"), bent.arrays)
    one, other = (reference(problem)["outputs"] for problem in (bent, straight))
    assert (one != other).all()
    assert (other >= 0).all()
    assert (one < 0).any()
