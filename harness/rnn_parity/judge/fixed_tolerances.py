"""What the fixed tolerances that others use would have said.

Each is the default of a function that many test suites call: an element passes if
`|got - want| <= atol + rtol |want|`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rnn_parity_core import Outcome, Problem
from rnn_parity_core.validate import contract_violations


class _Tolerance(NamedTuple):
    rtol: Mapping[str, float]
    atol: Mapping[str, float]
    looks_at_dtype: bool


def _always(value: float) -> dict[str, float]:
    return dict.fromkeys(("float64", "float32", "float16", "bfloat16"), value)


_TORCH_ATOL = {**_always(1e-5), "float64": 1e-7}
_TORCH_RTOL = {"float64": 1e-7, "float32": 1.3e-6, "float16": 1e-3, "bfloat16": 1.6e-2}

FIXED_TOLERANCES = {
    # numpy.org/doc/stable/reference/generated/numpy.testing.assert_allclose.html
    "np.testing": _Tolerance(_always(1e-7), _always(0.0), looks_at_dtype=False),
    # docs.pytorch.org/docs/stable/testing.html
    "torch.testing": _Tolerance(_TORCH_RTOL, _TORCH_ATOL, looks_at_dtype=True),
    # keras/src/testing/test_case.py: assertAllClose
    "keras.testing": _Tolerance(_always(1e-6), _always(1e-6), looks_at_dtype=False),
    # onnx/backend/test/runner: assert_similar_outputs
    "onnx": _Tolerance(_always(1e-3), _always(1e-7), looks_at_dtype=True),
}
"""Name → relative and absolute tolerance by dtype."""


def within_fixed_tolerances(
    problem: Problem, truth: Outcome, outcome: Outcome
) -> dict[str, bool]:
    """Say which fixed tolerances would pass an outcome.

    It is compared with the float64 trajectory, rounded to the case's dtype: with what
    another framework would give at best.

    Args:
        problem: The problem.
        truth: The float64 reference of everything that was asked for.
        outcome: What a backend returned, broken or not.

    """
    case = problem.case
    shapes = {n: shape for n, shape in case.output_shapes().items() if n in truth}
    wrong = contract_violations(outcome, shapes, case.dtype)
    misshaped = [words for words in wrong if " has dtype " not in words]
    found = {}
    for name, peer in FIXED_TOLERANCES.items():
        unfit = wrong if peer.looks_at_dtype else misshaped
        found[name] = not unfit and all(
            _close(truth[array], outcome[array], case.dtype, peer) for array in shapes
        )
    return found


def _close(truth: np.ndarray, got: np.ndarray, dtype: str, peer: _Tolerance) -> bool:
    if np.issubdtype(truth.dtype, np.integer):
        return bool(np.array_equal(truth, got))
    with np.errstate(over="ignore", invalid="ignore"):
        want = truth.astype(dtype).astype(np.float64)
        allowed = peer.atol[dtype] + peer.rtol[dtype] * np.abs(want)
        return bool((np.abs(got.astype(np.float64) - want) <= allowed).all())
