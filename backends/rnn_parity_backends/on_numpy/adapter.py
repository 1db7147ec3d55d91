"""Every cell in NumPy, in the problem's own dtype."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_parity_backends import equations
from rnn_parity_core import Array, Outcome, Problem, Scalar, Unsupported
from rnn_parity_core.functions import Function
from rnn_parity_core.graph import Graph


class _Ops:
    def tanh(self, x: Array) -> Array:
        return np.asarray(np.tanh(x))

    def sigmoid(self, x: Array) -> Array:
        # Where exp overflows the quotient is 0, which is right.
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-x)))

    def relu(self, x: Array) -> Array:
        return np.asarray(np.maximum(x, 0))

    def function(self, function: Function, x: Array) -> Array:
        return function.value(x).astype(x.dtype)

    def clip(self, x: Array, low: float, high: float) -> Array:
        return np.asarray(np.clip(x, x.dtype.type(low), x.dtype.type(high)))

    def concatenate(self, tensors: list[Array]) -> Array:
        return np.concatenate(tensors, axis=-1)


_OPS = _Ops()


class NumpyBackend:
    """Computes in the problem's dtype with plain NumPy."""

    def versions(self) -> dict[str, str]:
        """NumPy's version."""
        return {"numpy": np.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report the matrix library NumPy was built with, and its SIMD extensions."""
        config: Any = np.show_config(mode="dicts")
        blas = config["Build Dependencies"]["blas"]
        simd = config["SIMD Extensions"].get("found", [])
        return {
            "blas": f"{blas['name']} {blas.get('version', '')}".strip(),
            "simd": " ".join(simd),
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `apis` for the means."""
        if problem.case.task != "forward":
            raise Unsupported("NumPy has no automatic differentiation")
        if problem.case.variant == "variable_output":
            return _decode(problem)
        variant = {
            "basic": _basic,
            "static": _static,
            "static_single": _static_single,
            "dynamic": _masked,
            "variable_input": _masked,
        }[problem.case.variant]
        outputs, finals = variant(problem)
        return {"outputs": outputs, **equations.final_arrays(finals, np.stack)}

    def graph(self, problem: Problem) -> Graph:
        """Decline.

        Raises:
            Unsupported: Always.

        """
        raise Unsupported(
            f"NumPy computes {problem.case.variant} at once and keeps no graph"
        )


def _step_of(problem: Problem) -> Callable[[int, str], equations.Step]:
    """Give each pass its step, whose states are rounded to the case's dtype.

    Within a step NumPy widens what it has no product for: bfloat16 to float32.
    """
    weights = equations.canonical(problem, np.asarray)
    dtype = np.dtype(problem.case.dtype)

    def step_of(layer: int, way: str) -> equations.Step:
        step = equations.make_step(_OPS, problem.case.cell, weights(layer, way))
        return lambda x, state: {
            name: array.astype(dtype) for name, array in step(x, state).items()
        }

    return step_of


def _unroll(
    problem: Problem, inputs: list[Array]
) -> tuple[list[Array], list[equations.State]]:
    return equations.unroll(
        problem.case, inputs, _step_of(problem), problem.initial, _OPS.concatenate
    )


def _basic(problem: Problem) -> tuple[Array, list[equations.State]]:
    inputs = [problem["inputs"][:, t] for t in range(problem.case.steps)]
    outputs, finals = _unroll(problem, inputs)
    return np.stack(outputs, axis=1), finals


def _static(problem: Problem) -> tuple[Array, list[equations.State]]:
    inputs = [x.copy() for x in problem["inputs"].swapaxes(0, 1)]
    outputs, finals = _unroll(problem, inputs)
    return np.stack(outputs, axis=1), finals


def _static_single(problem: Problem) -> tuple[Array, list[equations.State]]:
    time_major = problem["inputs"].transpose(1, 0, 2)
    outputs, finals = _unroll(problem, list(np.unstack(time_major)))
    return np.stack(outputs).transpose(1, 0, 2), finals


def _masked(problem: Problem) -> tuple[Array, list[equations.State]]:
    """Loop over time into one array; rows past their length keep their state."""
    case, step_of = problem.case, _step_of(problem)
    lengths = problem.arrays.get("lengths", np.full(case.batch, case.steps))
    x, finals = problem["inputs"], []
    for layer in range(case.layers):
        ways = []
        for way in case.directions:
            step, state = step_of(layer, way), problem.initial(layer, way)
            outputs = np.zeros((*x.shape[:2], case.recurrent_size), dtype=x.dtype)
            times = range(case.steps)
            for t in times if way == "forward" else reversed(times):
                valid = (t < lengths)[:, np.newaxis]
                taken = step(x[:, t], state)
                state = {n: _where(valid, taken[n], state[n]) for n in state}
                outputs[:, t] = np.where(valid, taken["h"], 0)
            ways.append(outputs)
            finals.append(state)
        x = np.concatenate(ways, axis=-1)
    return x, finals


def _where(rows: Array, taken: Array, old: Array) -> Array:
    """Take what a step gives in some rows, `[B, 1]`, whatever axes a state has."""
    return np.where(rows.reshape(-1, *(1 for _ in old.shape[1:])), taken, old)


def _decode(problem: Problem) -> Outcome:
    """Feed the first of the largest logits back until every row has said stop."""
    case, step_of = problem.case, _step_of(problem)
    start, stop = (int(n) for n in problem["start_stop"])
    steps = [step_of(layer, "forward") for layer in range(case.layers)]
    states = [problem.initial(layer, "forward") for layer in range(case.layers)]
    token, running = np.full(case.batch, start), np.ones(case.batch, dtype=bool)
    tokens = np.full((case.batch, case.steps), stop, dtype=np.int32)
    outputs = np.zeros((case.batch, case.steps, case.output_size), dtype=case.dtype)
    for t in range(case.steps):
        if not running.any():
            break
        x, keep = problem["embedding"][token], running[:, np.newaxis]
        for layer, step in enumerate(steps):
            taken, old = step(x, states[layer]), states[layer]
            states[layer] = {n: _where(keep, taken[n], old[n]) for n in old}
            x = taken["h"]
        outputs[:, t] = np.where(keep, x, 0)
        token = (x @ problem["readout"] + problem["readout_bias"]).argmax(axis=1)
        tokens[:, t] = np.where(running, token, stop)
        running &= token != stop
    finals = equations.final_arrays(states, np.stack)
    return {"tokens": tokens, "outputs": outputs, **finals}
