"""Two outcomes of one problem: what their bounds allow, and what they do not."""

from collections.abc import Callable

import numpy as np
import pytest

from rnn_parity.checks.metamorphic import other_bits
from rnn_parity.judge.agreement import agreement
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import Array, Problem
from rnn_parity_fixtures import catalogue

STACK = "lstm-dynamic-B3-T7-D4-H5-L2-f32-s1"
SPEAKING = "lstm-variable_output-B6-T9-D4-H5-V7-f32-s4"


def computed(case_id: str) -> tuple[Problem, dict[str, Array], dict[str, Array]]:
    problem = catalogue.build(catalogue.case_from_id(case_id))
    own = dict(NumpyBackend().run(problem))
    return problem, own, {name: array.copy() for name, array in own.items()}


def test_the_same_outcome_agrees_and_one_in_the_last_place_does() -> None:
    problem, own, other = computed(STACK)
    same = agreement(problem, INFO, own, other)
    assert (same.bound_ratio, same.words, same.is_shown) == (0.0, "", True)
    for array in other.values():
        array[...] = np.nextafter(array, np.float32(0))
    near = agreement(problem, INFO, own, other)
    assert 0 < near.bound_ratio < 1
    assert near.words == ""


@pytest.mark.parametrize(
    ("name", "at", "where"),
    [
        ("outputs", (1, 4, 2), "(row 1, step 4, unit 2)"),
        ("final_h", (0, 1, 3), "(pass 0, row 1, unit 3)"),
        ("final_c", (0, 2, 1), "(pass 0, row 2, unit 1)"),
        ("final_h", (1, 0, 4), "(pass 1, row 0, unit 4)"),
        ("final_c", (1, 2, 0), "(pass 1, row 2, unit 0)"),
    ],
)
def test_one_element_out_of_all_is_found_in_either_outcome(
    name: str, at: tuple[int, ...], where: str
) -> None:
    problem, own, other = computed(STACK)
    other[name][at] += 1e-3
    for first, second in ((own, other), (other, own)):
        found = agreement(problem, INFO, first, second)
        assert found.bound_ratio > 1
        assert f"{name}: 1 of " in found.words
        assert f"at {where}: allowed " in found.words
        assert found.words.endswith("got 0.001")


def test_what_is_wrong_in_both_alike_is_no_disagreement() -> None:
    problem, own, other = computed(STACK)
    for outcome in (own, other):
        outcome["final_c"][0] += 0.5
        outcome["outputs"][:, 3] += 0.25
    other["outputs"][0, 3, 0] = np.nextafter(other["outputs"][0, 3, 0], np.float32(0))
    assert agreement(problem, INFO, own, other).words == ""


def test_other_tokens_are_a_disagreement_unless_they_tie() -> None:
    problem, own, other = computed(SPEAKING)
    row, stop = 0, int(problem["start_stop"][1])
    said = other["tokens"][row, 0]
    spare = next(t for t in range(2, 7) if t not in {said, stop})
    other["tokens"][row, 0] = spare
    found = agreement(problem, INFO, own, other)
    words = f"at (row 0, step 0) expected {said}, got {spare}, and the two do not tie"
    assert (found.bound_ratio, words in found.words) == (np.inf, True)
    other["tokens"][row, 0] = 99
    words = agreement(problem, INFO, own, other).words
    assert "outside of 0 to 6" in words


def test_candidates_that_tie_may_be_said_by_turns() -> None:
    problem, _, _ = computed(SPEAKING)
    stop, twin = int(problem["start_stop"][1]), 3
    readout, bias = problem["readout"].copy(), problem["readout_bias"].copy()
    readout[:, twin] = readout[:, stop]
    bias[[stop, twin]] = 50
    tied = Problem(
        problem.case, {**problem.arrays, "readout": readout, "readout_bias": bias}
    )
    # Another rounding: the twin is ahead, so that no row stops.
    bias = np.where(np.arange(len(bias)) == twin, bias + 1, bias).astype(bias.dtype)
    leaning = Problem(problem.case, {**tied.arrays, "readout_bias": bias})
    own, other = (NumpyBackend().run(p) for p in (tied, leaning))
    assert (own["tokens"] == stop).all()
    assert (other["tokens"] == twin).all()
    assert agreement(tied, INFO, own, other).words == ""
    assert "do not tie" in agreement(leaning, INFO, other, own).words


@pytest.mark.parametrize(
    "change",
    [
        lambda a: np.nextafter(a, np.float32(1)),
        lambda a: a * np.float32(np.nan),
        lambda a: -a,
    ],
    ids=["last place", "nan", "sign"],
)
def test_other_bits_are_found(change: Callable[[Array], Array]) -> None:
    _, own, other = computed(STACK)
    assert other_bits(own, other) == ""
    other["final_c"][1, 2, 3] = change(other["final_c"][1, 2, 3])
    words = other_bits(own, other)
    assert words.startswith("final_c: 1 of 30 elements are of other bits; the first at")
    assert "[1, 2, 3]: allowed " in words


def test_a_zero_of_the_other_sign_has_other_bits_in_every_dtype() -> None:
    for dtype in ("float64", "float32", "float16"):
        zero = np.zeros((1, 2), dtype)
        assert other_bits({"outputs": zero}, {"outputs": zero.copy()}) == ""
        assert "2 of 2" in other_bits({"outputs": zero}, {"outputs": -zero})
