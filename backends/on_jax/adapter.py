"""The tanh RNN by JAX's own means."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
from jax import lax

from harness.backend import Scalar
from harness.spec import CELLS, Outcome, Problem

Arrays = Any  # `jax.Array`s, traced or not
Weights = dict[str, Arrays]

# Without this a GPU would be taken where there is one.
jax.config.update("jax_platforms", "cpu")


class JaxBackend:
    """Runs on the CPU.

    Args:
        jit: Compile each variant as one program; otherwise dispatch op by op.

    """

    def __init__(self, *, jit: bool) -> None:
        self._jit = jit

    def versions(self) -> dict[str, str]:
        """Versions of JAX and of its compiler's package."""
        return {"jax": jax.__version__, "jaxlib": jaxlib.version.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report precision, device and compiler flags."""
        return {
            "device": jax.devices()[0].platform,
            "jit": self._jit,
            "default_matmul_precision": jax.config.jax_default_matmul_precision,
            "xla_flags": os.environ.get("XLA_FLAGS"),
            "enable_x64": "while a float64 case runs",
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `apis` for the means."""
        case = problem.case
        function = _compiled(case.variant) if self._jit else _VARIANTS[case.variant]
        # Outside of this JAX would quietly turn float64 into float32.
        with jax.enable_x64(case.dtype == "float64"):
            weights = {
                name: jnp.array(problem[name]) for name in CELLS[case.cell].weights
            }
            x, h = jnp.array(problem["inputs"]), jnp.array(problem["initial_h"])
            if case.variant == "static":
                x = list(jnp.unstack(x, axis=1))
            outputs, final = function(weights, x, h)
            return {"outputs": np.array(outputs), "final_h": np.array(final)}


def _cell(weights: Weights, x: Arrays, h: Arrays) -> Arrays:
    """One step: `[B, D]` and `[B, H]` to `[B, H]`."""
    products = x @ weights["kernel"] + h @ weights["recurrent_kernel"]
    return jnp.tanh(products + weights["bias"])


def _basic(weights: Weights, x: Arrays, h: Arrays) -> tuple[Arrays, Arrays]:
    steps = []
    for t in range(x.shape[1]):
        recurrent = jnp.matmul(h, weights["recurrent_kernel"])
        h = jnp.tanh(
            recurrent + jnp.matmul(x[:, t], weights["kernel"]) + weights["bias"]
        )
        steps.append(h)
    return jnp.stack(steps, axis=1), h


def _static(weights: Weights, inputs: list[Arrays], h: Arrays) -> tuple[Arrays, Arrays]:
    outputs = []
    for x in inputs:
        h = _cell(weights, x, h)
        outputs.append(h)
    return jnp.stack(outputs, axis=1), h


def _static_single(weights: Weights, x: Arrays, h: Arrays) -> tuple[Arrays, Arrays]:
    time_major = jnp.transpose(x, (1, 0, 2))
    return _static(weights, list(jnp.unstack(time_major)), h)


def _dynamic(weights: Weights, x: Arrays, h: Arrays) -> tuple[Arrays, Arrays]:
    def step(carry: Arrays, x_t: Arrays) -> tuple[Arrays, Arrays]:
        carry = _cell(weights, x_t, carry)
        return carry, carry

    final, outputs = lax.scan(step, h, jnp.transpose(x, (1, 0, 2)))
    return jnp.transpose(outputs, (1, 0, 2)), final


_VARIANTS: dict[str, Callable[..., tuple[Arrays, Arrays]]] = {
    "basic": _basic,
    "static": _static,
    "static_single": _static_single,
    "dynamic": _dynamic,
}


@cache
def _compiled(variant: str) -> Callable[..., tuple[Arrays, Arrays]]:
    """Compile once; JAX keeps one program for each shape and dtype."""
    return jax.jit(_VARIANTS[variant])
