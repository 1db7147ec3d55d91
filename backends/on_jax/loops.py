"""What JAX computes: a cell called step by step, scanned, or feeding itself.

Every function here is pure, from all arrays of a case to an outcome. Weights enter a
loop's body in its carry, not by closing over them: a body is the same function each
time, and by that JAX knows what it has compiled. (What a body hands on unchanged, JAX
takes out of the carry again.)
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax, nn

from backends import by_hand
from harness.spec import Case, Problem

Tensor = Any  # a `jax.Array`, traced or not
Arrays = dict[str, Tensor]
Forward = Callable[[Arrays], Arrays]
Scan = Callable[..., tuple[Any, Tensor]]
"""`lax.scan`, or something that is called like it."""


class _Ops:
    def tanh(self, x: Tensor) -> Tensor:
        return jnp.tanh(x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return nn.sigmoid(x)

    def relu(self, x: Tensor) -> Tensor:
        return nn.relu(x)

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        return jnp.concatenate(tensors, axis=-1)


_OPS = _Ops()


def forward_of(case: Case, scan: Scan) -> Forward:
    """Give the function of a case, its arrays as the variant is fed them."""
    variant = {
        "basic": _basic,
        "static": _static,
        "static_single": _static_single,
        "variable_input": lambda problem: _scanned(problem, scan),
        "variable_output": _decoded,
    }[case.variant]
    return lambda arrays: variant(Problem(case, arrays))


def _result(outputs: Tensor, finals: list[by_hand.State]) -> Arrays:
    return {"outputs": outputs, **by_hand.final_arrays(finals, jnp.stack)}


def _unrolled(problem: Problem, inputs: list[Tensor]) -> Arrays:
    def step_of(layer: int, way: str) -> by_hand.Step:
        weights = problem.weights(layer, way)
        return by_hand.make_step(_OPS, problem.case.cell, weights)

    outputs, finals = by_hand.unroll(
        problem.case, inputs, step_of, problem.initial, _OPS.concatenate
    )
    return _result(jnp.stack(outputs, axis=1), finals)


def _static(problem: Problem) -> Arrays:
    per_step: Tensor = problem["inputs"]
    return _unrolled(problem, per_step)


def _basic(problem: Problem) -> Arrays:
    x = problem["inputs"]
    return _unrolled(problem, [x[:, t] for t in range(problem.case.steps)])


def _static_single(problem: Problem) -> Arrays:
    time_major = jnp.transpose(problem["inputs"], (1, 0, 2))
    return _unrolled(problem, list(jnp.unstack(time_major)))


def _scanned(problem: Problem, scan: Scan) -> Arrays:
    """Scan over time, from the end for the reverse pass.

    Rows of full length are scanned by the same program as others. A row's steps past
    its length leave its state as it is; the reverse pass meets them first, with the
    initial state.
    """
    case, finals = problem.case, []
    x: Tensor = problem["inputs"]
    if not case.time_major:
        x = jnp.swapaxes(x, 0, 1)
    valid = (jnp.arange(case.steps)[:, None] < problem["lengths"])[..., None]
    for layer in range(case.layers):
        ways = []
        for way in case.directions:
            carry = problem.weights(layer, way), problem.initial(layer, way)
            (_, final), outputs = scan(
                _masked(case.cell), carry, (x, valid), reverse=way == "reverse"
            )
            ways.append(outputs)
            finals.append(final)
        x = _OPS.concatenate(ways)
    return _result(x if case.time_major else jnp.swapaxes(x, 0, 1), finals)


@cache
def _masked(cell: str) -> Callable[..., tuple[Any, Tensor]]:
    """Give a scan's body: weights and states, an input and whether it is one."""

    def body(carry: tuple[Arrays, Arrays], now: tuple[Tensor, Tensor]) -> Any:
        weights, state = carry
        x, valid = now
        taken = by_hand.make_step(_OPS, cell, weights)(x, state)
        kept = {name: jnp.where(valid, taken[name], state[name]) for name in state}
        output = jnp.where(valid, taken["h"], jnp.zeros_like(taken["h"]))
        return (weights, kept), output

    return body


def _decoded(problem: Problem) -> Arrays:
    """Loop until every row has said stop; the carry holds what has been said so far."""
    case = problem.case
    start, stop = problem["start_stop"]
    shape = (case.batch, case.steps)
    layers = range(case.layers)
    going_on, body = _saying(case.cell, case.steps)
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
    return {"tokens": done["tokens"], **_result(done["outputs"], done["states"])}


@cache
def _saying(
    cell: str, steps: int
) -> tuple[Callable[[Arrays], Tensor], Callable[[Arrays], Arrays]]:
    """Give the condition and the body of a loop that feeds itself its tokens."""

    def going_on(carry: Arrays) -> Tensor:
        return (carry["t"] < steps) & carry["running"].any()

    def body(carry: Arrays) -> Arrays:
        t, running, stop = carry["t"], carry["running"], carry["stop"]
        x, keep, states = carry["embedding"][carry["token"]], running[:, None], []
        for weights, old in zip(carry["weights"], carry["states"], strict=True):
            taken = by_hand.make_step(_OPS, cell, weights)(x, old)
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
