"""An adapter of recurrent layers that were built on JAX, whoever built them.

What differs is the function of a case; that it is compiled, differentiated, fed and
returned is the same for all of them.
"""

from collections.abc import Callable
from importlib.metadata import version

import jax
from msgspec.structs import replace

from rnn_parity_backends.with_jax import settings
from rnn_parity_backends.with_jax.arrays import Arrays, Forward, Tensor, fed, returned
from rnn_parity_backends.with_jax.loops import concatenate, result
from rnn_parity_backends.with_jax.training import with_gradients
from rnn_parity_core import Case, Outcome, Problem, Scalar, Unsupported

Loop = Callable[[str, Arrays, Arrays, Tensor], tuple[Tensor, Arrays]]
"""A direction, canonical weights, initial states and inputs to outputs and final
states; inputs and outputs in the axes that the problem was fed in."""


class LayerBackend:
    """Compiles the function of each case once, on the CPU.

    Args:
        distribution: The package that has the layers.
        forward_of: Gives the function of a case, its arrays as the variant is fed
            them, weights canonical; raises `Unsupported` where the layers have none.
        threads: Threads of one operation; 0 leaves them to XLA.

    """

    def __init__(
        self, distribution: str, forward_of: Callable[[Case], Forward], *, threads: int
    ) -> None:
        settings.put_in_force(device="cpu", deterministic=True, threads=threads)
        self._distribution = distribution
        self._forward_of = forward_of
        self._programs: dict[Case, Forward] = {}

    def versions(self) -> dict[str, str]:
        """Versions of JAX, of its compiler's package and of the layers'."""
        return {name: version(name) for name in ("jax", "jaxlib", self._distribution)}

    def settings(self) -> dict[str, Scalar]:
        """Report what is in force: device, precision, compiler flags and threads."""
        return {
            **settings.in_force("highest"),
            "jit": True,
            "enable_x64": "while a float64 case runs",
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        # Neither the seed nor the lengths are part of a program.
        case = replace(problem.case, seed=0, zero_length=False)
        if case.trains:
            raise Unsupported("the adapter makes no updates")
        # Outside of this JAX would quietly turn float64 into float32.
        with (
            jax.enable_x64(case.dtype == "float64"),
            jax.default_matmul_precision("highest"),
        ):
            arrays = jax.device_put(fed(case, problem))
            found = self._program(case)(arrays)
            return {name: returned(case, name, a) for name, a in found.items()}

    def _program(self, case: Case) -> Forward:
        if case not in self._programs:
            if settings.are_too_many(len(self._programs)):
                self._programs.clear()
                jax.clear_caches()
            forward = self._forward_of(case)
            if case.task == "gradient":
                forward = with_gradients(forward)
            self._programs[case] = jax.jit(forward)
        return self._programs[case]


def looped(problem: Problem, loop: Loop) -> Arrays:
    """Run a loop of one direction for every layer and direction of a problem."""
    case, x, finals = problem.case, problem["inputs"], []
    for layer in range(case.layers):
        ways = []
        for way in case.directions:
            weights, initial = problem.weights(layer, way), problem.initial(layer, way)
            outputs, final = loop(way, weights, initial, x)
            ways.append(outputs)
            finals.append(final)
        x = concatenate(ways)
    return result(x, finals)
