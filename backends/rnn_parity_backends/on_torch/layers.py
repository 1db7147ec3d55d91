"""The loops over time of `nn.RNN`, `nn.LSTM` and `nn.GRU`.

Each function here makes a case's layers once and gives what computes its problems.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnn_parity_backends.on_torch import layout
from rnn_parity_backends.on_torch.cells import Compute, Tensors
from rnn_parity_core import Case, Problem, Unsupported

# What PyTorch has; a cell that is not here it has not.
_LAYERS: Mapping[str, Any] = {
    "rnn_tanh": partial(nn.RNN, nonlinearity="tanh"),
    "rnn_relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "lstm_projection": nn.LSTM,
    "gru": nn.GRU,
}


def _made(case: Case) -> Any:
    """Make one `nn.RNN`, `nn.LSTM` or `nn.GRU` of all layers.

    These have no reverse direction alone: it runs here as the forward one.
    """
    if case.cell not in _LAYERS:
        raise Unsupported(f"torch.nn has no layer for {case.cell}")
    if case.projection >= case.units:
        raise Unsupported("nn.LSTM wants proj_size smaller than hidden_size")
    return _LAYERS[case.cell](
        case.features,
        case.units,
        num_layers=case.layers,
        bias=case.bias,
        batch_first=not case.time_major,
        bidirectional=case.direction == "bidirectional",
        dtype=getattr(torch, case.dtype),
        # nn.RNN and nn.GRU do not know the word.
        **({"proj_size": case.projection} if case.projection else {}),
    )


def _weights(problem: Problem) -> Tensors:
    """Give our weights under a layer's names: `weight_ih_l0_reverse`, …."""
    case = problem.case
    weights: Tensors = {}
    both = case.direction == "bidirectional"
    for number, way in case.passes:
        suffix = f"_l{number}" + ("_reverse" if both and way == "reverse" else "")
        native = layout.to_native(case.cell, problem.weights(number, way))
        weights |= {name + suffix: tensor for name, tensor in native.items()}
    return weights


def _called(layer: Any, problem: Problem, inputs: Any) -> tuple[Any, Tensors]:
    """Call a layer with our weights and states; `h_n`, `c_n` are stacked as ours are.

    The weights replace the layer's own for the call, so that gradients reach them.
    """
    weights, h = _weights(problem), problem["initial_h"]
    if "initial_c" not in problem.arrays:
        outputs, final_h = functional_call(layer, weights, (inputs, h))
        return outputs, {"final_h": final_h}
    states = (h, problem["initial_c"])
    outputs, (final_h, final_c) = functional_call(layer, weights, (inputs, states))
    return outputs, {"final_h": final_h, "final_c": final_c}


def _major(case: Case, x: Tensor) -> Tensor:
    """Swap batch and time if the case is fed time-major, in memory too."""
    return x.transpose(0, 1).contiguous() if case.time_major else x


def dynamic(case: Case) -> Compute:
    """Call a layer on whole rows."""
    layer = _made(case)
    turned = [1] if case.direction == "reverse" else []

    def compute(problem: Problem) -> Tensors:
        inputs: Any = problem["inputs"]
        outputs, finals = _called(layer, problem, _major(case, inputs.flip(turned)))
        return {"outputs": _major(case, outputs).flip(turned), **finals}

    return compute


def _reversed_within(lengths: Tensor, x: Tensor) -> Tensor:
    """Reverse each row of `[B, T, …]` within its own length; the rest stays."""
    times = torch.arange(x.shape[1], device=x.device)
    last = lengths.unsqueeze(1) - 1
    order = torch.where(times <= last, last - times, times)
    return x.gather(1, order.unsqueeze(2).expand_as(x))


def variable_input(case: Case) -> Compute:
    """Call a layer on packed rows, each of its own length."""
    layer = _made(case)
    reverse = case.direction == "reverse"

    def compute(problem: Problem) -> Tensors:
        lengths: Any = problem["lengths"].long()  # type: ignore[attr-defined]
        if int(lengths.min()) < 1:
            raise Unsupported("pack_padded_sequence refuses rows of length 0")
        x: Any = problem["inputs"]
        x = _reversed_within(lengths, x) if reverse else x
        packed = pack_padded_sequence(
            _major(case, x),
            lengths.cpu(),
            batch_first=not case.time_major,
            enforce_sorted=False,
        )
        outputs, finals = _called(layer, problem, packed)
        padded, _ = pad_packed_sequence(
            outputs, batch_first=not case.time_major, total_length=case.steps
        )
        padded = _major(case, padded)
        padded = _reversed_within(lengths, padded) if reverse else padded
        return {"outputs": padded, **finals}

    return compute
