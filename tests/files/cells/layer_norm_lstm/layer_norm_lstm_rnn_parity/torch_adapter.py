"""Runs problems by the layer in PyTorch. Imported in a worker process only."""

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from layer_norm_lstm_rnn_parity.torch_layer import Layer
from rnn_parity_core import CELLS, Case, Outcome, Problem, Scalar, Unsupported

_STATES = tuple(CELLS["layer_norm_lstm"].states)


class Backend:
    """The layer, once for each layer of a stack; gradients are autograd's."""

    def versions(self) -> dict[str, str]:
        """Versions of all that takes part."""
        return {"torch": str(torch.__version__)}

    def settings(self) -> dict[str, Scalar]:
        """Switches that may move numbers: precision, threads, kernels."""
        return {"threads": torch.get_num_threads()}

    def run(self, problem: Problem) -> Outcome:
        """Compute a problem; `inputs` `[B, T, D]`, weights by layer and direction."""
        case = problem.case
        if case.cell != "layer_norm_lstm" or case.variant != "dynamic":
            raise Unsupported("layer_norm_lstm as `dynamic` alone is adapted")
        if case.direction != "forward" or case.time_major or case.trains:
            raise Unsupported("forward, batch first, without training alone")
        if case.dtype not in {"float32", "float64"}:
            raise Unsupported("no half precisions")
        given = {name: torch.tensor(array) for name, array in problem.arrays.items()}
        for name, tensor in given.items():
            tensor.requires_grad_(not name.startswith("cotangent"))
        found = _forward(case, given)
        if case.task == "gradient":
            found |= _gradients(case, given, found)
        return {name: np.array(tensor.detach()) for name, tensor in found.items()}


def _forward(case: Case, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Go through the layers: outputs, and final states `[L, B, …]`."""
    x, finals = given["inputs"], []
    module = Layer(case.features, case.units)
    for number in range(case.layers):
        weights = {
            name.removeprefix(f"layer{number}.forward."): tensor
            for name, tensor in given.items()
            if name.startswith(f"layer{number}.")
        }
        for name, of in module.named_parameters():  # of cases without biases
            zeros = torch.zeros(of.shape, dtype=x.dtype)
            if name.endswith("bias"):
                weights.setdefault(name, zeros)
        states = {name: given[f"initial_{name}"][number] for name in _STATES}
        x, after = functional_call(module, weights, (x,), states)
        finals.append(after)
    last = {f"final_{n}": torch.stack([of[n] for of in finals]) for n in _STATES}
    return {"outputs": x, **last}


def _gradients(
    case: Case, given: dict[str, Tensor], found: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Differentiate the seeded loss by all that enters it."""
    parts = [(given[f"cotangent_{name}"] * a).sum() for name, a in found.items()]
    names = [name for name in case.output_shapes() if name.startswith("gradient_")]
    by = [given[name.removeprefix("gradient_")] for name in names]
    return dict(zip(names, torch.autograd.grad(sum(parts), by), strict=True))
