"""The functions of cases, by `nn.RNN`, `nn.LSTM` and `nn.GRU` or by hand.

These layers are all that MLX has: one layer, one direction, rows of one length, batch
before time. They return the states of every step, of which the last one of each row is
taken here; directions are turned around before and after, as users do.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import mlx.core as mx
from mlx import nn

from rnn_parity_backends import equations
from rnn_parity_backends.on_mlx import layout
from rnn_parity_core import Case, Problem, Unsupported

Tensor = Any  # an `mx.array`
Tensors = dict[str, Tensor]
Forward = Callable[[Tensors], Tensors]
"""All arrays of a case to an outcome; pure."""

_LAYERS: dict[str, Any] = {
    "rnn_tanh": nn.RNN,
    "rnn_relu": partial(nn.RNN, nonlinearity=nn.relu),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


class _Ops:
    tanh = staticmethod(mx.tanh)
    sigmoid = staticmethod(mx.sigmoid)
    relu = staticmethod(nn.relu)
    clip = staticmethod(mx.clip)
    where = staticmethod(mx.where)

    def concatenate(self, tensors: list[Tensor]) -> Tensor:
        return mx.concatenate(tensors, axis=-1)

    def argmax(self, x: Tensor) -> Tensor:
        return mx.argmax(x, axis=-1).astype(mx.int32)


_OPS = _Ops()


def forward_of(case: Case) -> Forward:
    """Give the function of a case.

    Raises:
        Unsupported: MLX has no such layer.

    """
    if case.variant != "basic" and case.cell not in _LAYERS:
        raise Unsupported(f"mlx.nn has no layer for {case.cell}")
    compute = {
        "basic": _basic,
        "static": _static,
        "static_single": _static_single,
        "dynamic": _looped,
        "variable_input": _looped,
        "variable_output": _decoded,
    }[case.variant]
    return lambda arrays: compute(Problem(case, arrays))


def _layer(problem: Problem, number: int, way: str) -> Any:
    """Make a layer that holds our weights."""
    case = problem.case
    layer = _LAYERS[case.cell](case.input_size(number), case.units, bias=case.bias)
    native = layout.to_native(case.cell, problem.weights(number, way))
    return layer.load_weights([*native.items()])  # refuses other names and shapes


def _states(layer: Any, x: Tensor, initial: Tensors) -> Tensors:
    """Call a layer: the states of every step, `[B, T, H]` each."""
    found = layer(x, *initial.values())
    each = found if isinstance(found, tuple) else (found,)
    return dict(zip(initial, each, strict=True))


def _step(problem: Problem, number: int, way: str) -> equations.Step:
    """Give the function that takes one step: a layer, called on a row of one."""
    layer = _layer(problem, number, way)

    def step(x: Tensor, state: equations.State) -> equations.State:
        found = _states(layer, x[:, None], state)
        return {name: tensor[:, 0] for name, tensor in found.items()}

    return step


def _result(outputs: Tensor, finals: list[equations.State]) -> Tensors:
    return {"outputs": outputs, **equations.final_arrays(finals, mx.stack)}


def _unrolled(
    problem: Problem,
    inputs: list[Tensor],
    step_of: Callable[[int, str], equations.Step],
) -> Tensors:
    outputs, finals = equations.unroll(
        problem.case, inputs, step_of, problem.initial, _OPS.concatenate
    )
    return _result(mx.stack(outputs, axis=1), finals)


def _basic(problem: Problem) -> Tensors:
    def step_of(number: int, way: str) -> equations.Step:
        weights = problem.weights(number, way)
        return equations.make_step(_OPS, problem.case.cell, weights)

    x = problem["inputs"]
    return _unrolled(problem, [x[:, t] for t in range(x.shape[1])], step_of)


def _static(problem: Problem) -> Tensors:
    x: Tensor = problem["inputs"]
    inputs = [mx.contiguous(x[:, t]) for t in range(x.shape[1])]
    return _unrolled(problem, inputs, partial(_step, problem))


def _static_single(problem: Problem) -> Tensors:
    x: Tensor = problem["inputs"]
    return _unrolled(problem, [*mx.unstack(x, axis=1)], partial(_step, problem))


def _looped(problem: Problem) -> Tensors:
    """Call a layer on whole rows, padding and all, for every layer and direction."""
    case, finals, x = problem.case, [], _fed(problem)
    lengths: Tensor = problem.arrays.get("lengths")
    for number in range(case.layers):
        ways = []
        for way in case.directions:
            initial = problem.initial(number, way)
            entering = x if way == "forward" else _turned(lengths, x)
            states = _states(_layer(problem, number, way), entering, initial)
            finals.append(_last(lengths, initial, states))
            h = states["h"]
            ways.append(h if way == "forward" else _turned(lengths, h))
        x = _ended(lengths, _OPS.concatenate(ways))
    return _result(x, finals)


def _fed(problem: Problem) -> Tensor:
    """Give inputs `[B, T, D]`, time-major in memory if the case is fed so."""
    x: Tensor = problem["inputs"]
    if not problem.case.time_major:
        return x
    return mx.contiguous(x.swapaxes(0, 1)).swapaxes(0, 1)


def _turned(lengths: Tensor | None, x: Tensor) -> Tensor:
    """Reverse rows of `[B, T, …]`, each within its length; the rest stays."""
    if lengths is None:
        return x[:, ::-1]
    times, last = mx.arange(x.shape[1]), lengths[:, None] - 1
    order = mx.where(times <= last, last - times, times)
    return mx.take_along_axis(x, order[:, :, None], axis=1)


def _ended(lengths: Tensor | None, x: Tensor) -> Tensor:
    """Zero rows of `[B, T, …]` past their ends, where layers have run on."""
    if lengths is None:
        return x
    return mx.where(mx.arange(x.shape[1])[:, None] < lengths[:, None, None], x, 0)


def _last(lengths: Tensor | None, initial: Tensors, states: Tensors) -> Tensors:
    """Take the states of each row's last step, the initial ones if it has none."""
    if lengths is None:
        return {name: tensor[:, -1] for name, tensor in states.items()}
    at, any_ = mx.maximum(lengths - 1, 0)[:, None, None], lengths[:, None] > 0
    return {
        name: mx.where(
            any_, mx.take_along_axis(tensor, at, axis=1)[:, 0], initial[name]
        )
        for name, tensor in states.items()
    }


def _decoded(problem: Problem) -> Tensors:
    """Call layers in a loop, with what they say, until every row has said stop."""
    case = problem.case
    steps = [_step(problem, number, "forward") for number in range(case.layers)]
    start = mx.full(case.batch, problem["start_stop"][0])
    tokens, outputs, finals = equations.greedy_decode(problem, steps, start, _OPS)
    said = {"tokens": mx.stack(tokens, axis=1)}
    return said | _result(mx.stack(outputs, axis=1), finals)
