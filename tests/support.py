"""Helpers of tests that are no fixtures."""

import numpy as np
import pytest

from harness.backend import BackendInfo
from harness.judge.certify import reference
from harness.run.registry import absence, known_backends
from harness.spec import Array, Problem

BACKENDS = tuple(known_backends())
SEEDED = "rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1"


def installed(name: str) -> BackendInfo:
    """Give a backend, or skip the test with the reason why it cannot run here."""
    info = known_backends()[name]
    if reason := absence(info):
        pytest.skip(f"{name}: {reason}")
    return info


def honest(problem: Problem) -> dict[str, Array]:
    """Round the float64 trajectory to the case's dtype: as right as can be."""
    exact = reference(problem)
    return {name: a.astype(problem.case.dtype) for name, a in exact.items()}


def with_arrays(problem: Problem, **arrays: Array) -> Problem:
    """Give the problem with other arrays in place of some."""
    return Problem(problem.case, {**problem.arrays, **arrays}, problem.published)


def bits_equal(first: Array, second: Array) -> bool:
    """Whether two arrays are the same to the last bit, NaN and -0.0 included."""
    return (
        first.dtype == second.dtype
        and first.shape == second.shape
        and np.ascontiguousarray(first).tobytes()
        == np.ascontiguousarray(second).tobytes()
    )
