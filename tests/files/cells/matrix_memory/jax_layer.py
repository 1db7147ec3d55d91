"""The layer in JAX: a function with a `scan` over time."""

from typing import Any

import jax
from jax import Array, lax
from jax import numpy as jnp


def layer(
    weights: dict[str, Array], x: Array, states: dict[str, Array]
) -> tuple[Array, dict[str, Array]]:
    """`x` `[B, T, I]` and `C` `[B, H, H]` to outputs `[B, T, H]` and the last `C`."""

    def step(carried: dict[str, Array], now: Array) -> Any:
        q, k, v, i, f, o = jnp.split(now, 6, axis=-1)
        written = jnp.einsum("bi,bj->bij", jax.nn.sigmoid(i) * v, k)
        memory = jax.nn.sigmoid(f)[:, :, None] * carried["C"] + written
        read = jnp.einsum("bij,bj->bi", memory, q)
        return {"C": memory}, jax.nn.sigmoid(o) * read

    sums = x @ weights["kernel"] + weights["bias"]
    last, outputs = lax.scan(step, states, sums.swapaxes(0, 1))
    return outputs.swapaxes(0, 1), last
