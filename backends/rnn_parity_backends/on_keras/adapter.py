"""Keras' layers, on whichever of its backends."""

from functools import lru_cache
from importlib.metadata import version

import keras
from msgspec.structs import replace

from rnn_parity_backends.on_keras.programs import Engine, Program
from rnn_parity_backends.with_keras import engine
from rnn_parity_core import Case, Outcome, Problem, Scalar, Unsupported


class KerasBackend(Engine):
    """Builds the network of each shape once, and feeds many problems to it.

    Args:
        name: Keras' name of what it computes with.

    """

    def __init__(self, name: str) -> None:
        engine.check(name)
        self._name = name
        self._program = lru_cache(maxsize=16)(lambda case: Program(case, self))

    def versions(self) -> dict[str, str]:
        """Versions of Keras and of what it computes with."""
        return {name: version(name) for name in ("keras", self._name)}

    def settings(self) -> dict[str, Scalar]:
        """Report what Keras computes with."""
        return {"keras_backend": keras.backend.backend()}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        case = problem.case
        if case.dtype == "float64" and self.is_float32_inside(case):
            # Asked, so that the gap closes when Keras changes.
            computed = keras.backend.result_type("float64", "float64")
            if computed != "float64":
                raise Unsupported(f"Keras computes in {computed} what it calls float64")
        # Neither the seed nor the lengths are part of a program.
        return self._program(replace(case, seed=None, zero_length=False)).run(problem)

    def is_float32_inside(self, case: Case) -> bool:
        """Whether it is made of an operation that Keras promotes to float32."""
        raise NotImplementedError
