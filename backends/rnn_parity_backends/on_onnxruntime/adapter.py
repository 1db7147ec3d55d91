"""Every cell by ONNX Runtime on the CPU."""

import numpy as np
import onnx
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from rnn_parity_backends import empty_rows
from rnn_parity_backends.on_onnxruntime import models
from rnn_parity_core import Array, Outcome, Problem, Scalar, Unsupported

_PROVIDERS = ["CPUExecutionProvider"]
_NO_DOUBLE = "does not support double"  # LSTM's and GRU's way to say no kernel


class OnnxRuntimeBackend:
    """Makes a model of each problem, with its weights in it, and runs it once.

    Args:
        threads: Threads of one operator; 0 leaves them to ONNX Runtime.

    """

    def __init__(self, *, threads: int = 0) -> None:
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.use_deterministic_compute = True
        # Errors are raised; the log need not have them too.
        self._options.log_severity_level = 4

    def versions(self) -> dict[str, str]:
        """Versions of what makes the models and of what runs them."""
        return {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}

    def settings(self) -> dict[str, Scalar]:
        """Report what sessions are made with."""
        options = self._options
        return {
            "providers": " ".join(_PROVIDERS),
            "threads": options.intra_op_num_threads,
            "deterministic": options.use_deterministic_compute,
            "graph_optimization_level": options.graph_optimization_level.name,
            "execution_mode": options.execution_mode.name,
        }

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        if problem.case.task != "forward":
            raise Unsupported("onnxruntime runs models, and trains none")
        outcome = self._computed(problem)
        empty_rows.check(problem, outcome, "Y_{}")
        return outcome

    def _computed(self, problem: Problem) -> dict[str, Array]:
        model = models.build(problem).SerializeToString()
        try:
            session = onnxruntime.InferenceSession(
                model, self._options, providers=_PROVIDERS
            )
            made = session.run(None, _fed(problem))
        except NoKernel as error:
            raise Unsupported(f"ONNX Runtime has no such kernel: {error}") from error
        except RuntimeException as error:
            if _NO_DOUBLE not in str(error):
                raise
            raise Unsupported(f"ONNX Runtime has no such kernel: {error}") from error
        names = [output.name for output in session.get_outputs()]
        found = {n: np.array(array) for n, array in zip(names, made, strict=True)}
        if problem.case.time_major:
            found["outputs"] = np.array(found["outputs"].swapaxes(0, 1))
        return found


def _fed(problem: Problem) -> dict[str, Array]:
    """Give a model's inputs by name: all of a problem's arrays but the weights."""
    case = problem.case
    fed = {
        name: np.ascontiguousarray(problem[name])
        for name in ("lengths", "start_stop", "initial_h", "initial_c")
        if name in problem.arrays
    }
    if case.variant == "variable_output":
        return fed
    inputs = problem["inputs"]
    if case.variant == "static":
        steps = {f"inputs_{t}": inputs[:, t].copy() for t in range(case.steps)}
        return fed | steps
    major = inputs.swapaxes(0, 1) if case.time_major else inputs
    return fed | {"inputs": np.ascontiguousarray(major)}
