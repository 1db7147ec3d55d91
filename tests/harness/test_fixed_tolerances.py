"""What fixed tolerances would have said, each held against its own function."""

import numpy as np
import pytest

from rnn_parity.judge.certify import reference
from rnn_parity.judge.fixed_tolerances import FIXED_TOLERANCES, within_fixed_tolerances
from rnn_parity_core import Array, Problem
from rnn_parity_fixtures import catalogue
from support import honest

CASE = "lstm-variable_input-B3-T7-D4-H5-{}-s1"
DECODING = "gru-variable_output-B6-T9-D4-H5-V7-f32-s9"


def built(dtype: str = "f32") -> Problem:
    return catalogue.build(catalogue.case_from_id(CASE.format(dtype)))


def said(problem: Problem, outcome: dict[str, Array]) -> dict[str, bool]:
    return within_fixed_tolerances(problem, reference(problem), outcome)


@pytest.mark.parametrize("dtype", ["f64", "f32", "bf16", "f16"])
def test_what_is_rounded_and_nothing_else_passes_everywhere(dtype: str) -> None:
    problem = built(dtype)
    assert said(problem, honest(problem)) == dict.fromkeys(FIXED_TOLERANCES, True)


@pytest.mark.parametrize(
    ("moved", "broken"),
    [
        (3e-7, {"np.testing"}),
        (1.2e-6, {"np.testing"}),
        (4e-6, {"np.testing", "keras.testing"}),
        (1e-4, {"np.testing", "keras.testing", "torch.testing"}),
        (1e-2, {"np.testing", "keras.testing", "torch.testing", "onnx"}),
    ],
)
def test_each_is_as_strict_as_its_tolerance(moved: float, broken: set[str]) -> None:
    problem, outcome = built(), honest(built())
    outputs = outcome["outputs"]
    at = np.unravel_index(np.abs(outputs).argmax(), outputs.shape)
    size = abs(float(outputs[at]))
    assert 0.3 < size < 1
    outputs[at] += moved
    found = said(problem, outcome)
    assert {name for name, passes in found.items() if not passes} == broken


def test_numpy_agrees_with_its_own_function() -> None:
    problem = built()
    want = {n: a.astype(np.float32) for n, a in reference(problem).items()}
    for by in (0, 3e-8, 6e-8, 1.2e-7, 2e-7, 1e-6):
        outcome = {name: (a * (1 + by)).astype(np.float32) for name, a in want.items()}
        try:
            for name, array in outcome.items():
                np.testing.assert_allclose(array, want[name])
        except AssertionError:
            passes = False
        else:
            passes = True
        assert said(problem, outcome)["np.testing"] == passes, by


def test_a_wrong_dtype_is_seen_by_those_that_look() -> None:
    problem, outcome = built(), honest(built())
    outcome["outputs"] = outcome["outputs"].astype(np.float64)
    assert said(problem, outcome) == {
        "np.testing": True,
        "torch.testing": False,
        "keras.testing": True,
        "onnx": False,
    }


def test_missing_misshaped_or_nan_passes_nowhere() -> None:
    problem = built()
    nowhere = dict.fromkeys(FIXED_TOLERANCES, False)
    missing, flat, nan = (honest(problem) for _ in range(3))
    del missing["final_c"]
    flat["outputs"] = flat["outputs"].ravel()
    nan["final_h"][0, 0, 0] = np.nan
    for outcome in (missing, flat, nan):
        assert said(problem, outcome) == nowhere


def test_another_token_passes_nowhere() -> None:
    problem = catalogue.build(catalogue.case_from_id(DECODING))
    outcome = {n: a.copy() for n, a in honest(problem).items()}
    outcome["tokens"] = reference(problem)["tokens"].astype(np.int32)
    assert said(problem, outcome) == dict.fromkeys(FIXED_TOLERANCES, True)
    outcome["tokens"][0, 0] = 3 - outcome["tokens"][0, 0]
    assert said(problem, outcome) == dict.fromkeys(FIXED_TOLERANCES, False)
