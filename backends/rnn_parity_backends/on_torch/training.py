"""What PyTorch learns: gradients of the seeded loss, and weights after updates by it.

The canonical weights are what the optimiser holds; modules are called with what
`layout` makes of them. So a bias that PyTorch keeps in two halves moves once, where an
optimiser over the module's own parameters would move it twice.
"""

import torch
from torch import Tensor

from rnn_parity_backends.on_torch.cells import Compute, Tensors
from rnn_parity_core import ADAM_BETAS, ADAM_EPSILON, LEARNING_RATE, Case, Problem


def with_gradients(compute: Compute, case: Case, tensors: Tensors) -> Tensors:
    """Give an outcome, and its seeded sum's gradients by everything that is real."""
    leaves = {
        name: tensor.requires_grad_()
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not name.startswith("cotangent_")
    }
    outcome = compute(Problem(case, tensors))
    _loss(outcome, tensors).backward()
    # What the loss does not depend on has none, and will be missed.
    found = {f"gradient_{n}": leaf.grad for n, leaf in leaves.items()}
    return outcome | {name: grad for name, grad in found.items() if grad is not None}


def with_updates(compute: Compute, case: Case, tensors: Tensors) -> Tensors:
    """Give an outcome of the first batch, and the weights after each update."""
    weights = {name: tensors[name].requires_grad_() for name in case.weight_shapes()}
    optimizer: torch.optim.Optimizer
    if case.task == "adam":
        optimizer = torch.optim.Adam(
            weights.values(), LEARNING_RATE, ADAM_BETAS, ADAM_EPSILON
        )
    else:
        optimizer = torch.optim.SGD(weights.values(), LEARNING_RATE)
    outcomes = []
    after: dict[str, list[Tensor]] = {name: [] for name in weights}
    for inputs in [tensors["inputs"], *tensors["later_inputs"]]:
        outcomes.append(compute(Problem(case, {**tensors, "inputs": inputs})))
        optimizer.zero_grad()
        _loss(outcomes[-1], tensors).backward()
        optimizer.step()
        for name, weight in weights.items():
            after[name].append(weight.detach().clone())
    trained = {f"trained_{name}": torch.stack(of) for name, of in after.items()}
    return outcomes[0] | trained


def _loss(outcome: Tensors, tensors: Tensors) -> Tensor:
    parts = [(t * tensors[f"cotangent_{n}"]).sum() for n, t in outcome.items()]
    return torch.stack(parts).sum()
