"""What MLX learns: gradients of the seeded loss, and weights after updates by it.

The canonical weights are what the optimiser holds; layers are called with what `layout`
makes of them.
"""

from typing import Any

import mlx.core as mx
from mlx import optimizers

from rnn_parity_backends.on_mlx.layers import Forward, Tensor, Tensors
from rnn_parity_core import ADAM_BETAS, ADAM_EPSILON, LEARNING_RATE, Case, Unsupported

_CLOSE = 1e-12
"""Relative error of an update that float64 can have, and float32 cannot."""


def with_gradients(forward: Forward, case: Case, tensors: Tensors) -> Tensors:
    """Give an outcome, and its seeded sum's gradients by everything that is real."""
    made = [*case.forward_shapes()]
    fixed = {n: t for n, t in tensors.items() if n.startswith(("cotangent_", "len"))}
    names = [name for name in tensors if name not in fixed]

    def function(*moving: Tensor) -> list[Tensor]:
        outcome = forward({**fixed, **dict(zip(names, moving, strict=True))})
        return [outcome[name] for name in made]

    outcome, gradients = mx.vjp(
        function,
        [tensors[name] for name in names],
        [tensors[f"cotangent_{name}"] for name in made],
    )
    of = {f"gradient_{n}": g for n, g in zip(names, gradients, strict=True)}
    return dict(zip(made, outcome, strict=True)) | of


def with_updates(forward: Forward, case: Case, tensors: Tensors) -> Tensors:
    """Give an outcome of the first batch, and the weights after each update."""
    weights = {name: tensors[name] for name in case.weight_shapes()}
    optimizer = _optimizer(case)

    def loss(weights: Tensors, inputs: Tensor) -> tuple[Tensor, Tensors]:
        outcome = forward({**tensors, **weights, "inputs": inputs})
        parts = [(t * tensors[f"cotangent_{n}"]).sum() for n, t in outcome.items()]
        return sum(parts), outcome

    outcomes, after = [], []
    for inputs in [tensors["inputs"], *tensors["later_inputs"]]:
        (_, outcome), gradients = mx.value_and_grad(loss)(weights, inputs)
        weights = optimizer.apply_gradients(gradients, weights)
        mx.eval(outcome, weights, optimizer.state)
        outcomes.append(outcome)
        after.append(weights)
    trained = {f"trained_{n}": mx.stack([of[n] for of in after]) for n in weights}
    return outcomes[0] | trained


def _optimizer(case: Case) -> Any:
    """Make an optimiser of MLX', of our own rate and epsilon.

    Raises:
        Unsupported: It is Adam, and is no more exact than in float32.

    """
    dtype = getattr(mx, case.dtype)
    rate = mx.array(LEARNING_RATE, dtype)  # a float would be float32 there
    if case.task == "sgd":
        return optimizers.SGD(rate)

    def adam() -> Any:
        return optimizers.Adam(rate, [*ADAM_BETAS], ADAM_EPSILON, bias_correction=True)

    # It is asked of an update that is known, so that the gap closes when MLX changes.
    moved = adam().apply_gradients(
        {"weight": mx.ones(1, dtype)}, {"weight": mx.zeros(1, dtype)}
    )
    exact = LEARNING_RATE / (1 + ADAM_EPSILON)
    if dtype == mx.float64 and abs(moved["weight"].item() / exact + 1) > _CLOSE:
        raise Unsupported("mlx.optimizers.Adam corrects its moments in float32")
    return adam()
