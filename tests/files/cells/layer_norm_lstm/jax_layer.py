"""The layer in JAX: a function with a `scan` over time."""

from typing import Any

import jax
from jax import Array, lax
from jax import numpy as jnp


def norm(a: Array, scale: Array, shift: Array) -> Array:
    """Normalize along the last axis."""
    mean = a.mean(-1, keepdims=True)
    return (a - mean) * lax.rsqrt(a.var(-1, keepdims=True) + 1e-5) * scale + shift


def layer(
    weights: dict[str, Array], x: Array, states: dict[str, Array]
) -> tuple[Array, dict[str, Array]]:
    """`x` `[B, T, I]`, `h` and `c` `[B, H]` to outputs `[B, T, H]` and last states."""

    def own(name: str, a: Array) -> Array:
        return norm(a, weights[f"{name}_scale"], weights[f"{name}_shift"])

    def step(carried: dict[str, Array], now: Array) -> Any:
        gates = now + own("state", carried["h"] @ weights["recurrent_kernel"])
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = jax.nn.sigmoid(f) * carried["c"] + jax.nn.sigmoid(i) * jnp.tanh(g)
        c = own("cell", c)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return {"h": h, "c": c}, h

    from_x = own("input", x @ weights["kernel"])
    last, outputs = lax.scan(step, states, from_x.swapaxes(0, 1))
    return outputs.swapaxes(0, 1), last
