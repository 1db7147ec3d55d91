"""Every cell by JAX's own means."""

from functools import cache
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from jax import lax
from msgspec.structs import replace

from backends.on_jax import loops
from backends.with_jax import settings, training
from backends.with_jax.arrays import Arrays, Forward, fed, returned
from backends.with_jax.training import Update
from harness.backend import Scalar
from harness.spec import Case, Outcome, Problem

# Outside of jit JAX keeps the program of a scan, but not of one that is differentiated:
# that would be compiled anew in each update. In a jit of its own, which is what JAX
# makes of any scan outside of one, it is kept, and gives the same bits.
_scan_alone = jax.jit(lax.scan, static_argnames=("f", "reverse"))


class JaxBackend:
    """Runs on the CPU or on an NVIDIA GPU.

    Args:
        device: `cpu`, or `cuda`.
        jit: Compile each variant as one program; otherwise dispatch op by op.
        tf32: Whether a GPU's products of float32 may be of TensorFloat-32's 10 bits,
            which is JAX's own default there; no product on the CPU is.
        deterministic: Whether a GPU's operations must give the same bits each time;
            those of the CPU do.
        threads: Threads of one operation on the CPU; 0 leaves them to XLA.

    Raises:
        Absent: There is no such device here.

    """

    def __init__(
        self,
        *,
        device: str = "cpu",
        jit: bool,
        tf32: bool = False,
        deterministic: bool = True,
        threads: int = 0,
    ) -> None:
        settings.put_in_force(
            device=device, deterministic=deterministic, threads=threads
        )
        self._jit = jit
        self._precision = "tensorfloat32" if tf32 else "highest"

    def versions(self) -> dict[str, str]:
        """Versions of JAX, of its compiler's package and of Optax."""
        return {name: version(name) for name in ("jax", "jaxlib", "optax")}

    def settings(self) -> dict[str, Scalar]:
        """Report what is in force: device, precision, compiler flags and threads."""
        return {
            **settings.in_force(self._precision),
            "jit": self._jit,
            "enable_x64": "while a float64 case runs",
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        # Neither the seed nor the lengths are part of a program.
        case = replace(problem.case, seed=0, zero_length=False)
        if case.variant == "dynamic":
            case = replace(case, variant="variable_input")  # of full lengths
        # Outside of this JAX would quietly turn float64 into float32.
        with (
            jax.enable_x64(case.dtype == "float64"),
            jax.default_matmul_precision(self._precision),
        ):
            arrays = jax.device_put(_fed(case, problem))
            found = (self._trained if case.trains else self._computed)(case, arrays)
            return {name: returned(case, name, a) for name, a in found.items()}

    def _computed(self, case: Case, arrays: Arrays) -> Arrays:
        function = _compiled_function(case) if self._jit else _function(case)
        return function(arrays)

    def _trained(self, case: Case, arrays: Arrays) -> Arrays:
        update = _compiled_update(case) if self._jit else _update(case)
        names = list(case.weight_shapes())
        return training.with_updates(update, case.task, names, arrays)


@cache
def _function(case: Case) -> Forward:
    """Give the function from a case's arrays to its outcome, dispatched op by op."""
    if case.task == "gradient":
        return training.with_gradients(loops.forward_of(case, _scan_alone))
    return loops.forward_of(case, lax.scan)


@cache
def _compiled_function(case: Case) -> Forward:
    """Give the same as one program; JAX keeps one for each shape and dtype."""
    forward = loops.forward_of(case, lax.scan)
    if case.task == "gradient":
        forward = training.with_gradients(forward)
    return jax.jit(forward)


@cache
def _update(case: Case) -> Update:
    """Give the function that updates a case's weights once, op by op."""
    return training.update_of(loops.forward_of(case, _scan_alone), case.task)


@cache
def _compiled_update(case: Case) -> Update:
    """Give the same as one program."""
    update = training.update_of(loops.forward_of(case, lax.scan), case.task)
    return jax.jit(update)


def _fed(case: Case, problem: Problem) -> dict[str, Any]:
    """Give arrays as the variant takes them; `dynamic` has full lengths."""
    found = fed(case, problem)
    if case.variant == "variable_input" and "lengths" not in found:
        found["lengths"] = np.full(case.batch, case.steps, np.int32)
    return found
