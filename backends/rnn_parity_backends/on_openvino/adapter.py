"""Every cell by OpenVINO on the CPU."""

import numpy as np
import openvino

from rnn_parity_backends import empty_rows
from rnn_parity_backends.on_openvino.models import build
from rnn_parity_backends.on_openvino.tensors import from_openvino, to_openvino
from rnn_parity_core import Array, Outcome, Problem, Scalar, Unsupported

_DEVICE = "CPU"
_PRECISIONS = ("f32", "bf16", "f16")


class OpenVinoBackend:
    """Makes a model of each problem, with its weights in it, and runs it once.

    Args:
        precision: What OpenVINO may compute in, whatever the model says: `f32`, `bf16`,
            which it takes of itself where the CPU has it, or `f16`, which is bf16 where
            the CPU has that and no arithmetic of float16.
        threads: Threads of one operator; 0 leaves them to OpenVINO.

    Raises:
        ValueError: There is no such precision.

    """

    def __init__(self, *, precision: str = "f32", threads: int = 0) -> None:
        if precision not in _PRECISIONS:
            raise ValueError(f"precision is {precision!r}, expected {_PRECISIONS}")
        self._core = openvino.Core()
        self._config: dict[str, Scalar] = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }

    def versions(self) -> dict[str, str]:
        """OpenVINO's version."""
        return {"openvino": openvino.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report what models are compiled with."""
        return {"device": _DEVICE, **{n.lower(): v for n, v in self._config.items()}}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        case = problem.case
        if case.task != "forward":
            raise Unsupported("OpenVINO runs models, and trains none")
        able = self._core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
        # Asked, so that the gap closes when OpenVINO changes.
        if case.dtype == "float64" and "FP64" not in able:
            raise Unsupported(f"OpenVINO computes float64 in {' or '.join(able)}")
        outcome = self._computed(problem)
        empty_rows.check(problem, outcome)
        return outcome

    def _computed(self, problem: Problem) -> dict[str, Array]:
        built = build(problem)
        compiled = self._core.compile_model(built.model, _DEVICE, self._config)
        request = compiled.create_infer_request()
        for number, name in enumerate(built.inputs):
            request.set_input_tensor(number, to_openvino(_fed(problem, name)))
        request.infer()
        found = {
            name: from_openvino(request.get_output_tensor(number))
            for number, name in enumerate(built.outputs)
        }
        if problem.case.time_major:
            found["outputs"] = np.array(found["outputs"].swapaxes(0, 1))
        return found


def _fed(problem: Problem, name: str) -> Array:
    """Give what a model's input is fed: an array, as it is asked for."""
    if name.startswith("inputs_"):
        return problem["inputs"][:, int(name.removeprefix("inputs_"))]
    array = problem[name]
    swapped = name == "inputs" and problem.case.time_major
    return array.swapaxes(0, 1) if swapped else array
