"""The tanh RNN by PyTorch's own means."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from backends.on_torch import layout
from harness.backend import Scalar
from harness.spec import Array, Outcome, Problem


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
        """Compute the problem; see the package's `apis` for the means."""
        variant = {
            "basic": _basic,
            "static": _static,
            "static_single": _static_single,
            "dynamic": _dynamic,
        }[problem.case.variant]
        with torch.inference_mode():
            outputs, final = variant(problem)
            return {"outputs": outputs.numpy().copy(), "final_h": final.numpy().copy()}


def _tensor(array: Array) -> Tensor:
    """Copy to a tensor of its own: PyTorch would share memory with `from_numpy`."""
    return torch.tensor(array)


def _load(module: nn.Module, problem: Problem, suffix: str = "") -> None:
    native = layout.to_native(problem.arrays)
    module.load_state_dict({name + suffix: _tensor(a) for name, a in native.items()})


def _basic(problem: Problem) -> tuple[Tensor, Tensor]:
    x, h = _tensor(problem["inputs"]), _tensor(problem["initial_h"])
    kernel = _tensor(problem["kernel"])
    recurrent_kernel = _tensor(problem["recurrent_kernel"])
    bias = _tensor(problem["bias"])
    steps = []
    for t in range(problem.case.steps):
        products = torch.matmul(h, recurrent_kernel) + torch.matmul(x[:, t], kernel)
        h = torch.tanh(products + bias)
        steps.append(h)
    return torch.stack(steps, dim=1), h


def _cell(problem: Problem) -> Callable[[Tensor, Tensor], Tensor]:
    case = problem.case
    dtype = getattr(torch, case.dtype)
    cell = nn.RNNCell(case.features, case.units, nonlinearity="tanh", dtype=dtype)
    _load(cell, problem)
    return cell


def _unroll(problem: Problem, inputs: list[Tensor]) -> list[Tensor]:
    cell, h, outputs = _cell(problem), _tensor(problem["initial_h"]), []
    for x in inputs:
        h = cell(x, h)
        outputs.append(h)
    return outputs


def _static(problem: Problem) -> tuple[Tensor, Tensor]:
    per_step = [_tensor(x) for x in problem["inputs"].swapaxes(0, 1)]
    outputs = _unroll(problem, per_step)
    return torch.stack(outputs, dim=1), outputs[-1]


def _static_single(problem: Problem) -> tuple[Tensor, Tensor]:
    outputs = _unroll(problem, list(_tensor(problem["inputs"]).unbind(1)))
    return torch.stack(outputs, dim=1), outputs[-1]


def _dynamic(problem: Problem) -> tuple[Tensor, Tensor]:
    case = problem.case
    dtype = getattr(torch, case.dtype)
    layer = nn.RNN(case.features, case.units, batch_first=True, dtype=dtype)
    _load(layer, problem, suffix="_l0")
    initial = _tensor(problem["initial_h"]).unsqueeze(0)
    outputs, final = layer(_tensor(problem["inputs"]), initial)
    return outputs, final.squeeze(0)
