"""Every cell by tinygrad's tensors, and an LSTM by its `nn.LSTMCell`."""

import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import ml_dtypes
import numpy as np
from tinygrad import Device, Tensor, dtypes, nn
from tinygrad.helpers import DEV, PARALLEL

from rnn_parity_backends import equations
from rnn_parity_backends.on_tinygrad import layout
from rnn_parity_core import Absent, Array, Case, Outcome, Problem, Scalar, Unsupported

Tensors = dict[str, Any]
StepOf = Callable[[int, str], equations.Step]


class _Ops:
    tanh = staticmethod(Tensor.tanh)
    sigmoid = staticmethod(Tensor.sigmoid)
    relu = staticmethod(Tensor.relu)
    clip = staticmethod(Tensor.clip)
    where = staticmethod(Tensor.where)

    def concatenate(self, tensors: list[Any]) -> Any:
        return Tensor.cat(*tensors, dim=-1)

    def argmax(self, x: Any) -> Any:
        return x.argmax(-1).cast(dtypes.int32)


_OPS = _Ops()


class TinygradBackend:
    """Makes kernels of each problem, on the CPU, and runs them.

    Args:
        clang: Whether they are compiled, by clang (tinygrad's device `CPU`), and not
            interpreted, which needs nothing else (`PYTHON`).

    Raises:
        Absent: There is no clang here.

    """

    def __init__(self, *, clang: bool = False) -> None:
        compiler = os.environ.get("CC", "clang")  # as tinygrad has it
        if clang and not shutil.which(compiler):
            raise Absent(f"tinygrad compiles for the CPU by {compiler}: install clang")
        DEV.value = "CPU" if clang else "PYTHON"
        PARALLEL.value = 0  # processes of its own would outlive a worker that is killed

    def versions(self) -> dict[str, str]:
        """Tinygrad's version."""
        return {"tinygrad": version("tinygrad")}

    def settings(self) -> dict[str, Scalar]:
        """Report the device, and what makes kernels for it."""
        device = Device.DEFAULT
        return {"device": device, "renderer": type(Device[device].renderer).__name__}

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem; see the package's `means`."""
        case = problem.case
        _check(case)
        tensors = {name: _tensor(array) for name, array in problem.arrays.items()}
        found = _computed(Problem(case, tensors))
        if case.task == "gradient":
            found |= _gradients(found, tensors)
        Tensor.realize(*found.values())
        return {name: _array(tensor) for name, tensor in found.items()}


def _check(case: Case) -> None:
    """See whether a case is one of tinygrad's.

    Raises:
        Unsupported: It is not.

    """
    if case.trains:
        raise Unsupported("the adapter makes no updates")
    if case.variant in {"dynamic", "variable_input"}:
        raise Unsupported("tinygrad has a cell, and no loop over it")
    if case.variant != "basic" and case.cell != "lstm":
        raise Unsupported(f"tinygrad has no cell for {case.cell}")


def _computed(problem: Problem) -> Tensors:
    case, step_of = problem.case, _steps(problem)
    if case.variant == "variable_output":
        steps = [step_of(layer, "forward") for layer in range(case.layers)]
        start = problem["start_stop"][0].expand(case.batch)
        tokens, outputs, finals = equations.greedy_decode(problem, steps, start, _OPS)
        return {"tokens": Tensor.stack(*tokens, dim=1), **_result(outputs, finals)}
    x: Any = problem["inputs"]
    if case.variant == "static":
        inputs = [x[:, t].contiguous() for t in range(case.steps)]
    else:
        inputs = [step.squeeze(1) for step in x.split(1, dim=1)]
    outputs, finals = equations.unroll(
        case, inputs, step_of, problem.initial, _OPS.concatenate
    )
    return _result(outputs, finals)


def _result(outputs: list[Any], finals: list[equations.State]) -> Tensors:
    stacked = equations.final_arrays(finals, lambda tensors: Tensor.stack(*tensors))
    return {"outputs": Tensor.stack(*outputs, dim=1), **stacked}


def _steps(problem: Problem) -> StepOf:
    """Give the steps of cells, by hand or tinygrad's own."""
    case = problem.case

    def step_of(layer: int, way: str) -> equations.Step:
        weights = problem.weights(layer, way)
        step = (
            equations.make_step(_OPS, case.cell, weights)
            if case.variant == "basic"
            else _lstm(weights)
        )

        def bounded(x: Any, state: equations.State) -> equations.State:
            # A kernel ends here, so that each step is the same one.
            return {name: t.contiguous() for name, t in step(x, state).items()}

        return bounded

    return step_of


def _lstm(weights: Tensors) -> equations.Step:
    """Give the step of an `nn.LSTMCell` that holds our weights."""
    size, gates = weights["kernel"].shape
    cell = nn.LSTMCell(size, gates // 4, bias="bias" in weights)
    for name, tensor in layout.to_native(weights).items():
        setattr(cell, name, tensor)

    def step(x: Any, state: equations.State) -> equations.State:
        h, c = cell(x, (state["h"], state["c"]))
        return {"h": h, "c": c}

    return step


def _gradients(outcome: Tensors, tensors: Tensors) -> Tensors:
    """Give the gradients of an outcome's seeded sum by everything that is real."""
    loss = sum((t * tensors[f"cotangent_{n}"]).sum() for n, t in outcome.items())
    names = [name for name in tensors if not name.startswith("cotangent_")]
    found = loss.gradient(*(tensors[name] for name in names))
    return {f"gradient_{name}": g for name, g in zip(names, found, strict=True)}


def _tensor(array: Array) -> Any:
    """Copy to a tensor; NumPy's bfloat16 is unknown there, and travels as its bits."""
    if array.dtype == ml_dtypes.bfloat16:
        return Tensor(array.view(np.uint16)).bitcast(dtypes.bfloat16)
    return Tensor(np.array(array))


def _array(tensor: Any) -> Array:
    """Copy to an array of its own."""
    if tensor.dtype == dtypes.bfloat16:
        bits = tensor.bitcast(dtypes.uint16).numpy()
        return np.array(bits).view(ml_dtypes.bfloat16)
    return np.array(tensor.numpy())
