"""Every cell by MLX, on the CPU."""

from importlib.metadata import version

import ml_dtypes
import mlx.core as mx
import numpy as np

from rnn_parity_backends.on_mlx import layers, training
from rnn_parity_backends.on_mlx.layers import Tensor
from rnn_parity_core import Array, Outcome, Problem, Scalar


class MlxBackend:
    """Runs on the CPU, operation by operation."""

    def __init__(self) -> None:
        mx.set_default_device(mx.cpu)
        # nn.relu would be compiled by g++ where there is one, which takes a second.
        mx.disable_compile()

    def versions(self) -> dict[str, str]:
        """MLX' version; its part for the CPU has the same."""
        return {"mlx": version("mlx")}

    def settings(self) -> dict[str, Scalar]:
        """Report the device, and whether functions are compiled."""
        return {"device": str(mx.default_device()), "compile": False}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        case = problem.case
        forward = layers.forward_of(case)
        tensors = {name: _tensor(array) for name, array in problem.arrays.items()}
        if case.trains:
            found = training.with_updates(forward, case, tensors)
        elif case.task == "gradient":
            found = training.with_gradients(forward, case, tensors)
        else:
            found = forward(tensors)
        mx.eval(found)
        return {name: _array(tensor) for name, tensor in found.items()}


def _tensor(array: Array) -> Tensor:
    """Copy to an array of MLX; a float64 would become a float32 if it were not told."""
    return mx.array(array, getattr(mx, array.dtype.name))


def _array(tensor: Tensor) -> Array:
    """Copy to an array of NumPy's, which knows no bfloat16: its bits are integers."""
    if tensor.dtype == mx.bfloat16:
        return np.array(tensor.view(mx.uint16)).view(ml_dtypes.bfloat16)
    return np.array(tensor)
