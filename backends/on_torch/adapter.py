"""Every cell by PyTorch's own means."""

from collections.abc import Callable

import ml_dtypes
import numpy as np
import torch
from torch import Tensor

from backends.on_torch import cells, layers
from backends.on_torch.cells import Tensors
from harness.backend import Scalar
from harness.spec import Array, Case, Outcome, Problem

_VARIANTS: dict[str, Callable[[Problem], Tensors]] = {
    "basic": cells.basic,
    "static": cells.static,
    "static_single": cells.static_single,
    "dynamic": layers.dynamic,
    "variable_input": layers.variable_input,
    "variable_output": cells.decoded,
}


class TorchBackend:
    """Runs on the CPU, in inference mode."""

    def versions(self) -> dict[str, str]:
        """PyTorch's version."""
        return {"torch": str(torch.__version__)}

    def settings(self) -> dict[str, Scalar]:
        """Report precision, kernels and threads."""
        return {
            "device": "cpu",
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "mkldnn": torch.backends.mkldnn.is_available(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        case = problem.case
        variant = _VARIANTS[case.variant]
        tensors = {name: _tensor(array) for name, array in problem.arrays.items()}
        gradient = case.task == "gradient"
        with torch.inference_mode(mode=not gradient):
            if gradient:
                found = _with_gradients(variant, case, tensors)
            else:
                found = variant(Problem(case, tensors))
            return {name: _array(tensor.detach()) for name, tensor in found.items()}


def _with_gradients(
    variant: Callable[[Problem], Tensors], case: Case, tensors: Tensors
) -> Tensors:
    """Give an outcome, and its seeded sum's gradients by everything that is real."""
    leaves = {
        name: tensor.requires_grad_()
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not name.startswith("cotangent_")
    }
    outcome = variant(Problem(case, tensors))
    loss = sum((t * tensors[f"cotangent_{n}"]).sum() for n, t in outcome.items())
    loss.backward()
    # What the loss does not depend on has none, and will be missed.
    found = {f"gradient_{n}": leaf.grad for n, leaf in leaves.items()}
    return outcome | {name: grad for name, grad in found.items() if grad is not None}


def _tensor(array: Array) -> Tensor:
    """Copy to a tensor of its own: PyTorch would share memory with `from_numpy`.

    PyTorch knows no bfloat16 of NumPy's, so its bits travel as integers.
    """
    if array.dtype == ml_dtypes.bfloat16:
        return torch.tensor(array.view(np.int16)).view(torch.bfloat16)
    return torch.tensor(array)


def _array(tensor: Tensor) -> Array:
    """Copy to an array of its own."""
    if tensor.dtype == torch.bfloat16:
        bits = tensor.contiguous().view(torch.int16).numpy()
        return np.array(bits).view(ml_dtypes.bfloat16)
    return np.array(tensor.numpy())
