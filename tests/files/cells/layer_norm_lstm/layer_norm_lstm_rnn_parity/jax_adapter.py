"""Runs problems by the layer in JAX. Imported in a worker process only."""

from functools import partial

import jax
import numpy as np
from jax import Array
from jax import numpy as jnp

from layer_norm_lstm_rnn_parity.jax_layer import layer
from rnn_parity_core import CELLS, Case, Outcome, Problem, Scalar, Unsupported

_STATES = tuple(CELLS["layer_norm_lstm"].states)


class Backend:
    """The layer, once for each layer of a stack, as one compiled program."""

    def versions(self) -> dict[str, str]:
        """Versions of all that takes part."""
        return {"jax": jax.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Switches that may move numbers: precision, threads, kernels."""
        return {"precision": "highest"}

    def run(self, problem: Problem) -> Outcome:
        """Compute a problem; `inputs` `[B, T, D]`, weights by layer and direction."""
        case = problem.case
        if case.cell != "layer_norm_lstm" or case.variant != "dynamic":
            raise Unsupported("layer_norm_lstm as `dynamic` alone is adapted")
        if case.direction != "forward" or case.time_major or case.trains:
            raise Unsupported("forward, batch first, without training alone")
        if case.dtype not in {"float32", "float64"}:
            raise Unsupported("no half precisions")
        wide = jax.enable_x64(case.dtype == "float64")
        with wide, jax.default_matmul_precision("highest"):
            given = {n: jnp.asarray(array) for n, array in problem.arrays.items()}
            found = jax.jit(partial(_forward, case))(given)
            if case.task == "gradient":
                slopes = jax.jit(jax.grad(partial(_loss, case)))(given)
                names = [n for n in case.output_shapes() if n.startswith("gradient_")]
                found |= {n: slopes[n.removeprefix("gradient_")] for n in names}
            return {name: np.array(array) for name, array in found.items()}


def _forward(case: Case, given: dict[str, Array]) -> dict[str, Array]:
    """Go through the layers: outputs, and final states `[L, B, …]`."""
    x, finals, zeros = given["inputs"], [], case.no_biases()
    for number in range(case.layers):
        weights = {name: jnp.asarray(a, x.dtype) for name, a in zeros.items()}
        for name, array in given.items():
            if name.startswith(f"layer{number}."):
                weights[name.removeprefix(f"layer{number}.forward.")] = array
        states = {name: given[f"initial_{name}"][number] for name in _STATES}
        x, after = layer(weights, x, states)
        finals.append(after)
    last = {f"final_{n}": jnp.stack([of[n] for of in finals]) for n in _STATES}
    return {"outputs": x, **last}


def _loss(case: Case, given: dict[str, Array]) -> Array:
    found = _forward(case, given)
    return sum((given[f"cotangent_{name}"] * a).sum() for name, a in found.items())
