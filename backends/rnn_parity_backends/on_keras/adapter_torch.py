"""Keras' layers on PyTorch, operation by operation."""

import os

# Keras reads both as it is imported; a GPU would be taken where there is one.
os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"

import keras
import torch

from rnn_parity_backends.on_keras.adapter import KerasBackend
from rnn_parity_backends.on_keras.programs import Differentiated, Forward, Moving
from rnn_parity_backends.with_keras.networks import Tensors
from rnn_parity_core import CELLS, Case, Scalar


class TorchBackend(KerasBackend):
    """Runs on the CPU.

    Args:
        threads: Threads of one operation; 0 leaves them to PyTorch.

    """

    def __init__(self, *, threads: int = 0) -> None:
        super().__init__("torch")
        torch.use_deterministic_algorithms(mode=True)
        if threads:
            torch.set_num_threads(threads)

    def settings(self) -> dict[str, Scalar]:
        """Report what is in force: device, kernels and threads."""
        return {
            **super().settings(),
            "device": os.environ["KERAS_TORCH_DEVICE"],
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "mkldnn": torch.backends.mkldnn.is_available(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        }

    def forward(self, function: Forward) -> Forward:
        """Run without a tape."""
        return torch.no_grad()(function)

    def differentiated(self, function: Forward) -> Differentiated:
        """Go back along autograd's tape."""

        def with_gradients(
            moving: Moving, fixed: dict[str, Tensors]
        ) -> tuple[dict[str, Tensors], Moving]:
            leaves = keras.tree.map_structure(
                lambda tensor: tensor.detach().requires_grad_(), moving
            )
            outcome = function(leaves, fixed)
            gradients = torch.autograd.grad(
                [*outcome.values()],
                keras.tree.flatten(leaves),
                [fixed[f"cotangent_{name}"] for name in outcome],
            )
            found = keras.tree.pack_sequence_as(moving, gradients)
            return {n: t.detach() for n, t in outcome.items()}, found

        return with_gradients

    def is_float32_inside(self, case: Case) -> bool:
        """Whether it is made of `ops.matmul`."""
        if case.variant == "dynamic":
            return CELLS[case.cell].base not in {"lstm", "gru"}
        return case.variant != "basic"
