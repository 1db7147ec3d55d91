"""Arrays on their way into JAX and back, in the axes that a variant is fed.

NumPy turns them, as each shape of each operation of JAX's is a program to compile.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_parity_core import Array, Case, Problem

Tensor = Any  # a `jax.Array`, traced or not
Arrays = dict[str, Tensor]
Forward = Callable[[Arrays], Arrays]
"""All arrays of a case to an outcome; pure."""
Variant = Callable[[Problem], Arrays]
"""The same of a problem."""


def fed(case: Case, problem: Problem) -> dict[str, Any]:
    """Give arrays as the variant takes them: inputs as a list of steps, or time-major.

    `inputs` are `[B, T, D]`, or a list of `T` times `[B, D]`, or `[T, B, D]`.
    """
    found: dict[str, Any] = dict(problem.arrays)
    if "inputs" in found:
        found["inputs"] = _steps(case, found["inputs"])
    if "later_inputs" in found:
        found["later_inputs"] = [_steps(case, x) for x in found["later_inputs"]]
    if case.time_major and "cotangent_outputs" in found:
        found["cotangent_outputs"] = found["cotangent_outputs"].swapaxes(0, 1)
    return found


def _steps(case: Case, x: Array) -> Array | list[Array]:
    if case.variant == "static":
        return list(x.swapaxes(0, 1))
    return x.swapaxes(0, 1) if case.time_major else x


def returned(case: Case, name: str, found: Any) -> Array:
    """Copy to an array of its own, of the axes that the contract has."""
    if isinstance(found, list):  # of steps, or of what a weight was after each update
        return np.stack(found, axis=1 if name == "gradient_inputs" else 0)
    array = np.array(found)
    if case.time_major and name in {"outputs", "gradient_inputs"}:
        return array.swapaxes(0, 1)
    return array
