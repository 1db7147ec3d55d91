"""Cells called step by step, over a list, an unstacked array or what they say.

Whose cell it is, the caller says: a `MakeStep` makes one of a layer's canonical
weights. Every function here is pure, from all arrays of a case to an outcome.
"""

from collections.abc import Callable
from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import lax

from rnn_parity_backends import equations
from rnn_parity_backends.with_jax.arrays import Arrays, Tensor
from rnn_parity_core import Problem

MakeStep = Callable[[str, Arrays], equations.Step]
"""A cell's name and canonical weights to the function that takes one step; the same
function each time, as JAX knows by it what it has compiled."""


def concatenate(tensors: list[Tensor]) -> Tensor:
    """Join along the last axis."""
    return jnp.concatenate(tensors, axis=-1)


def result(outputs: Tensor, finals: list[equations.State]) -> Arrays:
    """Give an outcome of outputs and of each pass' final states."""
    return {"outputs": outputs, **equations.final_arrays(finals, jnp.stack)}


def unrolled(problem: Problem, inputs: list[Tensor], make_step: MakeStep) -> Arrays:
    """Call cells over a list of `T` times `[B, D]`."""

    def step_of(layer: int, way: str) -> equations.Step:
        return make_step(problem.case.cell, problem.weights(layer, way))

    outputs, finals = equations.unroll(
        problem.case, inputs, step_of, problem.initial, concatenate
    )
    return result(jnp.stack(outputs, axis=1), finals)


def static(problem: Problem, make_step: MakeStep) -> Arrays:
    """Call cells over the list of steps that the problem was fed as."""
    per_step: Tensor = problem["inputs"]
    return unrolled(problem, per_step, make_step)


def static_single(problem: Problem, make_step: MakeStep) -> Arrays:
    """Call cells over what one array `[B, T, D]` unstacks to."""
    time_major = jnp.transpose(problem["inputs"], (1, 0, 2))
    return unrolled(problem, list(jnp.unstack(time_major)), make_step)


def decoded(problem: Problem, make_step: MakeStep) -> Arrays:
    """Loop until every row has said stop; the carry holds what has been said so far.

    Weights enter the loop's body in its carry, not by closing over them: so it is the
    same function each time. (What a body hands on unchanged, JAX takes out again.)
    """
    case = problem.case
    start, stop = problem["start_stop"]
    shape = (case.batch, case.steps)
    layers = range(case.layers)
    going_on, body = _saying(make_step, case.cell, case.steps)
    carry = {
        "t": np.int32(0),
        "token": jnp.full(case.batch, start),
        "stop": stop,
        "running": jnp.ones(case.batch, bool),
        "states": [problem.initial(layer, "forward") for layer in layers],
        "weights": [problem.weights(layer, "forward") for layer in layers],
        "tokens": jnp.full(shape, stop),
        "outputs": jnp.zeros((*shape, case.output_size), problem["readout"].dtype),
    }
    for name in ("embedding", "readout", "readout_bias"):
        carry[name] = problem[name]
    done = lax.while_loop(going_on, body, carry)
    return {"tokens": done["tokens"], **result(done["outputs"], done["states"])}


@cache
def _saying(
    make_step: MakeStep, cell: str, steps: int
) -> tuple[Callable[[Arrays], Tensor], Callable[[Arrays], Arrays]]:
    """Give the condition and the body of a loop that feeds itself its tokens."""

    def going_on(carry: Arrays) -> Tensor:
        return (carry["t"] < steps) & carry["running"].any()

    def body(carry: Arrays) -> Arrays:
        t, running, stop = carry["t"], carry["running"], carry["stop"]
        x, keep, states = carry["embedding"][carry["token"]], running[:, None], []
        for weights, old in zip(carry["weights"], carry["states"], strict=True):
            taken = make_step(cell, weights)(x, old)
            states.append({n: jnp.where(keep, taken[n], old[n]) for n in old})
            x = taken["h"]
        logits = x @ carry["readout"] + carry["readout_bias"]
        token = jnp.argmax(logits, axis=1).astype(jnp.int32)
        said = jnp.where(running, token, stop)
        return {
            **carry,
            "t": t + 1,
            "token": token,
            "running": running & (token != stop),
            "states": states,
            "tokens": carry["tokens"].at[:, t].set(said),
            "outputs": carry["outputs"].at[:, t].set(jnp.where(keep, x, 0)),
        }

    return going_on, body
