"""Every cell by PyTorch's own means."""

from collections.abc import Callable

import ml_dtypes
import numpy as np
import torch
from torch import Tensor

from rnn_parity_backends.on_torch import cells, graph, layers, settings, training
from rnn_parity_backends.on_torch.cells import Compute, Tensors
from rnn_parity_core import Array, Case, Outcome, Problem, Scalar, Unsupported
from rnn_parity_core.graph import Graph

_VARIANTS: dict[str, Callable[[Case], Compute]] = {
    "basic": cells.basic,
    "static": cells.static,
    "static_single": cells.static_single,
    "dynamic": layers.dynamic,
    "variable_input": layers.variable_input,
    "variable_output": cells.decoded,
}


class TorchBackend:
    """Runs operation by operation, in inference mode unless gradients are asked for.

    Args:
        device: `cpu`, or `cuda`.
        tf32: Whether products of float32 may be of TensorFloat-32's 10 bits.
        deterministic: Whether only deterministic algorithms are used.
        threads: Threads of one operation; 0 leaves them to PyTorch.

    Raises:
        Absent: There is no such device here.

    """

    def __init__(
        self,
        *,
        device: str = "cpu",
        tf32: bool = False,
        deterministic: bool = True,
        threads: int = 0,
    ) -> None:
        settings.check_device(device)
        settings.put_in_force(tf32=tf32, deterministic=deterministic, threads=threads)
        self._device = device

    def versions(self) -> dict[str, str]:
        """PyTorch's version."""
        return {"torch": str(torch.__version__)}

    def settings(self) -> dict[str, Scalar]:
        """Report what is in force: precision, kernels and threads."""
        return settings.in_force(self._device)

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        case = problem.case
        compute, tensors = self._compute(case), self._tensors(problem)
        with torch.inference_mode(mode=case.task == "forward"):
            if case.trains:
                found = training.with_updates(compute, case, tensors)
            elif case.task == "gradient":
                found = training.with_gradients(compute, case, tensors)
            else:
                found = compute(Problem(case, tensors))
            return {name: _array(tensor) for name, tensor in found.items()}

    def graph(self, problem: Problem) -> Graph:
        """Export what `run` calls, by `torch.export`.

        Raises:
            Unsupported: It has no one graph.

        """
        case = problem.case
        if case.task != "forward":
            raise Unsupported("gradients are autograd's tape, no part of a graph")
        if case.variant == "variable_output":
            # While it exports, PyTorch says that it compiles, and the loop goes on.
            raise Unsupported(
                "the loop ends when all rows have stopped: torch.export would take "
                "every step, which is not what runs"
            )
        return graph.exported(self._compute(case), case, self._tensors(problem))

    def _tensors(self, problem: Problem) -> Tensors:
        return {
            name: _tensor(array).to(self._device)
            for name, array in problem.arrays.items()
        }

    def _compute(self, case: Case) -> Compute:
        """Give what computes problems of a case."""
        return _VARIANTS[case.variant](case)


def _tensor(array: Array) -> Tensor:
    """Copy to a tensor of its own: PyTorch would share memory with `from_numpy`.

    PyTorch knows no bfloat16 of NumPy's, so its bits travel as integers.
    """
    if array.dtype == ml_dtypes.bfloat16:
        return torch.tensor(array.view(np.int16)).view(torch.bfloat16)
    return torch.tensor(array)


def _array(tensor: Tensor) -> Array:
    """Copy to an array of its own."""
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        bits = tensor.contiguous().view(torch.int16).numpy()
        return np.array(bits).view(ml_dtypes.bfloat16)
    return np.array(tensor.numpy())
