"""Every cell by JAX's own means."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
from jax import lax, nn
from msgspec.structs import replace

from backends import by_hand
from harness.backend import Scalar
from harness.spec import Case, Outcome, Problem

Tensor = Any  # a `jax.Array`, traced or not
Arrays = dict[str, Tensor]

# Without this a GPU would be taken where there is one.
jax.config.update("jax_platforms", "cpu")


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


class JaxBackend:
    """Runs on the CPU.

    Args:
        jit: Compile each variant as one program; otherwise dispatch op by op.

    """

    def __init__(self, *, jit: bool) -> None:
        self._jit = jit

    def versions(self) -> dict[str, str]:
        """Versions of JAX and of its compiler's package."""
        return {"jax": jax.__version__, "jaxlib": jaxlib.version.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report precision, device and compiler flags."""
        return {
            "device": jax.devices()[0].platform,
            "jit": self._jit,
            "default_matmul_precision": jax.config.jax_default_matmul_precision,
            "xla_flags": os.environ.get("XLA_FLAGS"),
            "enable_x64": "while a float64 case runs",
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        # The seed is no part of a program.
        case = replace(problem.case, seed=0)
        function = _compiled(case) if self._jit else _function(case)
        # Outside of this JAX would quietly turn float64 into float32.
        with jax.enable_x64(case.dtype == "float64"):
            arrays = {name: jnp.array(a) for name, a in problem.arrays.items()}
            if "inputs" in arrays:
                arrays["inputs"] = _fed(case, arrays["inputs"])
            outcome = {n: np.array(a) for n, a in function(arrays).items()}
        if case.time_major:
            for name in {"outputs", "gradient_inputs"} & outcome.keys():
                outcome[name] = outcome[name].swapaxes(0, 1)
        return outcome


def _fed(case: Case, x: Tensor) -> Tensor:
    """Give inputs as the variant takes them: a list of steps, or time-major."""
    if case.variant == "static":
        return list(jnp.unstack(x, axis=1))
    return jnp.swapaxes(x, 0, 1) if case.time_major else x


@cache
def _compiled(case: Case) -> Callable[[Arrays], Arrays]:
    """Compile once; JAX keeps one program for each shape and dtype."""
    compiled: Callable[[Arrays], Arrays] = jax.jit(_function(case))
    return compiled


def _function(case: Case) -> Callable[[Arrays], Arrays]:
    """Give the pure function of a case: all its arrays to an outcome."""
    variant = {
        "basic": _basic,
        "static": _static,
        "static_single": _static_single,
        "dynamic": _scanned,
        "variable_input": _scanned,
        "variable_output": _decoded,
    }[case.variant]

    def forward(arrays: Arrays) -> Arrays:
        return variant(Problem(case, arrays))

    if case.task == "gradient":
        return _with_gradients(forward, time_major=case.time_major)
    return forward


def _with_gradients(
    forward: Callable[[Arrays], Arrays], *, time_major: bool
) -> Callable[[Arrays], Arrays]:
    """Give outputs and the gradients of their seeded sum by everything that is real."""

    def function(arrays: Arrays) -> Arrays:
        fixed = {n: a for n, a in arrays.items() if n.startswith(("cotangent", "len"))}
        outcome, pull = jax.vjp(
            lambda moving: forward({**moving, **fixed}),
            {name: a for name, a in arrays.items() if name not in fixed},
        )
        cotangents = {name: arrays[f"cotangent_{name}"] for name in outcome}
        if time_major:
            cotangents["outputs"] = jnp.swapaxes(cotangents["outputs"], 0, 1)
        (gradients,) = pull(cotangents)
        inputs = gradients["inputs"]
        if isinstance(inputs, list):
            gradients["inputs"] = jnp.stack(inputs, axis=1)
        return outcome | {f"gradient_{name}": g for name, g in gradients.items()}

    return function


def _step_of(problem: Problem) -> Callable[[int, str], by_hand.Step]:
    return lambda layer, way: by_hand.make_step(
        _OPS, problem.case.cell, problem.weights(layer, way)
    )


def _result(outputs: Tensor, finals: list[by_hand.State]) -> Arrays:
    return {"outputs": outputs, **by_hand.final_arrays(finals, jnp.stack)}


def _unrolled(problem: Problem, inputs: list[Tensor]) -> Arrays:
    outputs, finals = by_hand.unroll(
        problem.case, inputs, _step_of(problem), problem.initial, _OPS.concatenate
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


def _scanned(problem: Problem) -> Arrays:
    """Scan over time, from the end for the reverse pass.

    A row's steps past its length leave its state as it is; the reverse pass meets them
    first, with the initial state.
    """
    case, finals = problem.case, []
    x: Tensor = problem["inputs"]
    if not case.time_major:
        x = jnp.swapaxes(x, 0, 1)
    lengths = problem.arrays.get("lengths", jnp.full(case.batch, case.steps))
    valid = (jnp.arange(case.steps)[:, None] < lengths)[..., None]
    for layer in range(case.layers):
        ways = []
        for way in case.directions:
            final, outputs = lax.scan(
                _masked(
                    by_hand.make_step(_OPS, case.cell, problem.weights(layer, way))
                ),
                problem.initial(layer, way),
                (x, valid),
                reverse=way == "reverse",
            )
            ways.append(outputs)
            finals.append(final)
        x = _OPS.concatenate(ways)
    return _result(x if case.time_major else jnp.swapaxes(x, 0, 1), finals)


def _masked(step: by_hand.Step) -> Callable[..., tuple[by_hand.State, Tensor]]:
    def body(
        state: by_hand.State, now: tuple[Tensor, Tensor]
    ) -> tuple[by_hand.State, Tensor]:
        x, valid = now
        taken = step(x, state)
        kept = {name: jnp.where(valid, taken[name], state[name]) for name in state}
        return kept, jnp.where(valid, taken["h"], jnp.zeros_like(taken["h"]))

    return body


def _decoded(problem: Problem) -> Arrays:
    """Loop until every row has said stop; the carry holds what has been said so far."""
    case, step_of = problem.case, _step_of(problem)
    start, stop = problem["start_stop"]
    steps = [step_of(layer, "forward") for layer in range(case.layers)]

    def going_on(carry: Arrays) -> Tensor:
        return (carry["t"] < case.steps) & carry["running"].any()

    def body(carry: Arrays) -> Arrays:
        t, running = carry["t"], carry["running"]
        x, keep, states = problem["embedding"][carry["token"]], running[:, None], []
        for step, old in zip(steps, carry["states"], strict=True):
            taken = step(x, old)
            states.append({n: jnp.where(keep, taken[n], old[n]) for n in old})
            x = taken["h"]
        logits = x @ problem["readout"] + problem["readout_bias"]
        token = jnp.argmax(logits, axis=1).astype(jnp.int32)
        said = jnp.where(running, token, stop)
        return {
            "t": t + 1,
            "token": token,
            "running": running & (token != stop),
            "states": states,
            "tokens": carry["tokens"].at[:, t].set(said),
            "outputs": carry["outputs"].at[:, t].set(jnp.where(keep, x, 0)),
        }

    shape = (case.batch, case.steps)
    carry = {
        "t": jnp.int32(0),
        "token": jnp.full(case.batch, start),
        "running": jnp.ones(case.batch, bool),
        "states": [problem.initial(layer, "forward") for layer in range(case.layers)],
        "tokens": jnp.full(shape, stop),
        "outputs": jnp.zeros((*shape, case.output_size), problem["readout"].dtype),
    }
    done = lax.while_loop(going_on, body, carry)
    return {"tokens": done["tokens"], **_result(done["outputs"], done["states"])}
