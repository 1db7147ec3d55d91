"""The tanh RNN in NumPy, in the problem's own dtype."""

from typing import Any

import numpy as np

from harness.backend import Scalar
from harness.spec import Array, Outcome, Problem


class NumpyBackend:
    """Computes in the problem's dtype with plain NumPy."""

    def versions(self) -> dict[str, str]:
        """NumPy's version."""
        return {"numpy": np.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report the matrix library NumPy was built with, and its SIMD extensions."""
        config: Any = np.show_config(mode="dicts")
        blas = config["Build Dependencies"]["blas"]
        simd = config["SIMD Extensions"].get("found", [])
        return {
            "blas": f"{blas['name']} {blas.get('version', '')}".strip(),
            "simd": " ".join(simd),
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `apis` for the means."""
        variant = {
            "basic": _basic,
            "static": _static,
            "static_single": _static_single,
            "dynamic": _dynamic,
        }[problem.case.variant]
        outputs = variant(problem)
        return {"outputs": outputs, "final_h": outputs[:, -1].copy()}


def _cell(problem: Problem, x: Array, h: Array) -> Array:
    """One step: `[B, D]` and `[B, H]` to `[B, H]`."""
    inputs = x @ problem["kernel"] + problem["bias"]
    return np.asarray(np.tanh(inputs + h @ problem["recurrent_kernel"]))


def _basic(problem: Problem) -> Array:
    kernel, recurrent_kernel = problem["kernel"], problem["recurrent_kernel"]
    h, steps = problem["initial_h"], []
    for t in range(problem.case.steps):
        x = problem["inputs"][:, t]
        h = np.tanh(h @ recurrent_kernel + x @ kernel + problem["bias"])
        steps.append(h)
    return np.stack(steps, axis=1)


def _static(problem: Problem) -> Array:
    return np.stack(_unroll(problem, list(problem["inputs"].swapaxes(0, 1))), axis=1)


def _static_single(problem: Problem) -> Array:
    time_major = problem["inputs"].transpose(1, 0, 2)
    outputs = np.stack(_unroll(problem, list(np.unstack(time_major))))
    return outputs.transpose(1, 0, 2)


def _unroll(problem: Problem, inputs: list[Array]) -> list[Array]:
    h, outputs = problem["initial_h"], []
    for x in inputs:
        h = _cell(problem, x, h)
        outputs.append(h)
    return outputs


def _dynamic(problem: Problem) -> Array:
    outputs = problem["inputs"] @ problem["kernel"] + problem["bias"]
    h = problem["initial_h"]
    for t in range(problem.case.steps):
        step = outputs[:, t]
        step += h @ problem["recurrent_kernel"]
        h = np.tanh(step, out=step)
    return np.asarray(outputs)
