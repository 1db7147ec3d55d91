"""What JAX learns: gradients of the seeded loss, and weights after updates by it.

Optax has the optimisers that people use with JAX; its Adam is algorithm 1 of Kingma and
Ba (2015), epsilon outside of the root.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax

from rnn_parity_backends.with_jax.arrays import Arrays, Forward, Tensor
from rnn_parity_core import ADAM_BETAS, ADAM_EPSILON, LEARNING_RATE

State = Any  # an optimiser's own
Update = Callable[[Arrays, State, Arrays], tuple[Arrays, Arrays, State]]
"""Weights, the optimiser's state and all other arrays to an outcome, the weights that
come after, and the state that does."""


@cache
def optimizer(task: str) -> Any:
    """Give Optax' optimiser of a task: few cases train, and to import it takes long."""
    import optax  # noqa: PLC0415

    if task == "sgd":
        return optax.sgd(LEARNING_RATE)
    return optax.adam(LEARNING_RATE, *ADAM_BETAS, eps=ADAM_EPSILON, eps_root=0.0)


def with_gradients(forward: Forward) -> Forward:
    """Give outputs and the gradients of their seeded sum by everything that is real."""

    def function(arrays: Arrays) -> Arrays:
        fixed = {n: a for n, a in arrays.items() if n.startswith(("cotangent", "len"))}
        outcome, pull = jax.vjp(
            lambda moving: forward({**moving, **fixed}),
            {name: a for name, a in arrays.items() if name not in fixed},
        )
        (gradients,) = pull({name: arrays[f"cotangent_{name}"] for name in outcome})
        return outcome | {f"gradient_{name}": g for name, g in gradients.items()}

    return function


def update_of(forward: Forward, task: str) -> Update:
    """Give the function that makes one update."""
    import optax  # noqa: PLC0415

    moved_by = optimizer(task)

    def update(
        weights: Arrays, state: State, others: Arrays
    ) -> tuple[Arrays, Arrays, State]:
        def loss(weights: Arrays) -> tuple[Tensor, Arrays]:
            outcome = forward({**others, **weights})
            parts = [(a * others[f"cotangent_{n}"]).sum() for n, a in outcome.items()]
            return sum(parts), outcome

        gradients, outcome = jax.grad(loss, has_aux=True)(weights)
        changes, state = moved_by.update(gradients, state, weights)
        return outcome, optax.apply_updates(weights, changes), state

    return update


def before_updates(
    task: str, names: list[str], arrays: Arrays
) -> tuple[Arrays, State, Arrays]:
    """Give what the first update takes: weights, the optimiser's state, the others."""
    others = {n: a for n, a in arrays.items() if n not in {*names, "later_inputs"}}
    weights = {name: arrays[name] for name in names}
    return weights, optimizer(task).init(weights), others


def with_updates(update: Update, task: str, names: list[str], arrays: Arrays) -> Arrays:
    """Give an outcome of the first batch, and the weights after each update.

    Args:
        update: What makes one update, compiled or not.
        task: Which optimiser's state it wants.
        names: What is a weight.
        arrays: All arrays; `later_inputs` is a list of batches as `inputs` is one.

    """
    weights, state, others = before_updates(task, names, arrays)
    outcomes, after = [], []
    for inputs in [arrays["inputs"], *arrays["later_inputs"]]:
        outcome, weights, state = update(weights, state, {**others, "inputs": inputs})
        outcomes.append(outcome)
        after.append(weights)
    return outcomes[0] | {f"trained_{n}": [of[n] for of in after] for n in names}
