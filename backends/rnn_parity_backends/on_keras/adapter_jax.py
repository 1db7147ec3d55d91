"""Keras' layers on JAX, compiled."""

import os

# Keras reads it as it is imported.
os.environ["KERAS_BACKEND"] = "jax"

import jax

from rnn_parity_backends.on_keras.adapter import KerasBackend
from rnn_parity_backends.on_keras.programs import Differentiated, Forward, Moving
from rnn_parity_backends.with_jax import settings
from rnn_parity_backends.with_keras.networks import Tensors
from rnn_parity_core import CELLS, Case, Outcome, Problem, Scalar


class JaxBackend(KerasBackend):
    """Runs on the CPU; each shape is compiled once.

    Args:
        threads: Threads of one operation; 0 leaves them to XLA.

    """

    def __init__(self, *, threads: int = 0) -> None:
        settings.put_in_force(device="cpu", deterministic=True, threads=threads)
        super().__init__("jax")

    def settings(self) -> dict[str, Scalar]:
        """Report what is in force: device, precision, compiler flags and threads."""
        return {
            **super().settings(),
            **settings.in_force("highest"),
            "jit": True,
            "enable_x64": "while a float64 case runs",
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        # Outside of this JAX would quietly turn float64 into float32.
        with (
            jax.enable_x64(problem.case.dtype == "float64"),
            jax.default_matmul_precision("highest"),
        ):
            return super().run(problem)

    def forward(self, function: Forward) -> Forward:
        """Compile a function."""
        return jax.jit(function)

    def differentiated(self, function: Forward) -> Differentiated:
        """Compile a function and its gradients."""

        def with_gradients(
            moving: Moving, fixed: dict[str, Tensors]
        ) -> tuple[dict[str, Tensors], Moving]:
            outcome, pull = jax.vjp(lambda moved: function(moved, fixed), moving)
            (gradients,) = pull({name: fixed[f"cotangent_{name}"] for name in outcome})
            return outcome, gradients

        return jax.jit(with_gradients)

    def is_float32_inside(self, case: Case) -> bool:
        """Whether it is made of `ops.tanh`."""
        return "tanh" in CELLS[case.cell].chosen.values()
