"""Every cell by JAX's own means."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from jax import lax
from msgspec.structs import replace

from rnn_parity_backends.on_jax import loops
from rnn_parity_backends.on_jax.graph import graph_of
from rnn_parity_backends.with_jax import settings, training
from rnn_parity_backends.with_jax.arrays import Arrays, Forward, fed, returned
from rnn_parity_backends.with_jax.training import Update
from rnn_parity_core import Case, Outcome, Problem, Scalar
from rnn_parity_core.graph import Graph

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
        self._programs: set[Case] = set()

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
        case = _program_case(problem.case)
        self._make_room(case)
        with self._precisely(case):
            arrays = jax.device_put(_fed(case, problem))
            found = (self._trained if case.trains else self._computed)(case, arrays)
            return {name: returned(case, name, a) for name, a in found.items()}

    def graph(self, problem: Problem) -> Graph:
        """Give the jaxpr of what `run` calls; of a training that of its first update.

        JAX traces a function to the same jaxpr whether it then compiles it or not.
        """
        case = _program_case(problem.case)
        note = "" if self._jit else "run outside of jit, one operation after the other"
        with self._precisely(case):
            arrays = jax.device_put(_fed(case, problem))
            if not case.trains:
                return graph_of(self._function(case), arrays, note=note)
            names = list(case.weight_shapes())
            first = training.before_updates(case.task, names, arrays)
            note = "; ".join(filter(None, [note, "one of ten updates"]))
            return graph_of(self._update(case), *first, note=note)

    def _make_room(self, case: Case) -> None:
        """Forget all programs, once there are as many as may be kept."""
        if case in self._programs:
            return
        if settings.are_too_many(len(self._programs)):
            self._programs.clear()
            for kept in (_function, _compiled_function, _update, _compiled_update):
                kept.cache_clear()
            jax.clear_caches()
        self._programs.add(case)

    @contextmanager
    def _precisely(self, case: Case) -> Iterator[None]:
        """Keep dtypes and products as they are asked for.

        Outside of this JAX would quietly turn float64 into float32.
        """
        with (
            jax.enable_x64(case.dtype == "float64"),
            jax.default_matmul_precision(self._precision),
        ):
            yield

    def _function(self, case: Case) -> Forward:
        return _compiled_function(case) if self._jit else _function(case)

    def _update(self, case: Case) -> Update:
        return _compiled_update(case) if self._jit else _update(case)

    def _computed(self, case: Case, arrays: Arrays) -> Arrays:
        return self._function(case)(arrays)

    def _trained(self, case: Case, arrays: Arrays) -> Arrays:
        names = list(case.weight_shapes())
        return training.with_updates(self._update(case), case.task, names, arrays)


def _program_case(case: Case) -> Case:
    """Give the case whose program computes a case."""
    # Neither the seed nor the lengths are part of a program.
    case = replace(case, seed=0, zero_length=False)
    if case.variant == "dynamic":
        return replace(case, variant="variable_input")  # of full lengths
    return case


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
