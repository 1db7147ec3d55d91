"""Canonical weights of one layer and direction ↔ Keras' and TensorFlow 1's lists.

The lists are in the order of `set_weights()` (keras/src/layers/rnn) and of `variables`
(tf_keras/src/layers/rnn/legacy_cells.py). Keras has two kernels as we do, TensorFlow 1
stacks them, rows `[x; h]`. Our gates are i, f, g, o and r, z, n.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import numpy as np

from harness.backend import Unsupported
from harness.spec import CELLS, Array, Case, Problem

Api = Literal["keras", "v1"]

_KERAS_GRU = ("z", "r", "n")
_V1_LSTM = ("i", "g", "f", "o")
_V1_PEEPHOLES = (1, 0, 2)  # f, i, o of our i, f, o


def to_keras(cell: str, weights: Mapping[str, Array]) -> list[Array]:
    """Give `[kernel, recurrent_kernel, bias]`; without biases, the kernels alone.

    Keras orders a GRU's gates z, r, n. If it resets after the product it has two rows
    of biases `[2, G]`, for the inputs and for the state. Those of z and r are only ever
    added together: each gets half of ours, exact in binary, so that neither can go
    unused unnoticed. Of n's, r multiplies the second: that one is `recurrent_bias`.
    """
    native = [
        _to_order(cell, _keras_order(cell), weights[name])
        for name in ("kernel", "recurrent_kernel", "bias")
        if name in weights
    ]
    if "recurrent_bias" in weights:
        bias, candidate = native.pop(), weights["recurrent_bias"]
        rows = np.stack([bias, bias]) / bias.dtype.type(2)
        rows[0, -candidate.size :] = bias[-candidate.size :]
        rows[1, -candidate.size :] = candidate
        native.append(rows)
    return native


def from_keras(cell: str, native: list[Array]) -> dict[str, Array]:
    """Give back the canonical weights of `get_weights()`."""
    weights = dict(zip(("kernel", "recurrent_kernel", "bias"), native, strict=False))
    if "bias" in weights and weights["bias"].ndim > 1:
        rows = weights["bias"]
        units = rows.shape[1] // len(CELLS[cell].gates)
        bias = rows[0] + rows[1]
        bias[-units:] = rows[0, -units:]
        weights |= {"bias": bias, "recurrent_bias": rows[1, -units:].copy()}
    order = _keras_order(cell)
    return {
        name: array
        if name == "recurrent_bias"
        else _to_canonical_order(cell, order, array)
        for name, array in weights.items()
    }


def forget_offset(case: Case) -> float:
    """Say what a case's legacy LSTM adds to its forget gate when it runs.

    That is 1 if it is not told otherwise. In training it is told 0: a bias kept 1 lower
    is rounded 1 lower after each update, where that is more than the contract allows.
    """
    return 0.0 if case.trains else 1.0


def to_v1(cell: str, weights: Mapping[str, Array], offset: float = 1.0) -> list[Array]:
    """Give a legacy cell's variables; biases that a case lacks are zeros there.

    RNN: `[kernel [I + R, H], bias [H]]`. LSTMs: the same with gates i, g, f, o, then
    the peepholes of f, i, o, or the projection; `forget_offset` is taken off here. GRU:
    kernel and bias of r and z, then those of n.

    Raises:
        Unsupported: A forget bias has no number in its dtype that is it with the offset
            added.

    """
    kernel = np.concatenate([weights["kernel"], weights["recurrent_kernel"]])
    bias = weights.get("bias", np.zeros(kernel.shape[1], kernel.dtype))
    if cell.startswith("rnn"):
        return [kernel, bias]
    if cell == "gru_reset_before":
        gates = 2 * (bias.size // 3)
        return [kernel[:, :gates], bias[:gates], kernel[:, gates:], bias[gates:]]
    native = [
        _to_order(cell, _V1_LSTM, kernel),
        _to_order(cell, _V1_LSTM, _less_forget_bias(bias, offset)),
    ]
    if "peephole" in weights:
        native += [weights["peephole"][k] for k in _V1_PEEPHOLES]
    if "projection" in weights:
        native.append(weights["projection"])
    return native


def from_v1(cell: str, native: list[Array], offset: float = 1.0) -> dict[str, Array]:
    """Give back the canonical weights of a legacy cell's variables."""
    weights = _from_v1(cell, native)
    if cell.startswith("lstm"):
        bias = weights["bias"]
        size = bias.size // len(CELLS[cell].gates)
        bias[size : 2 * size] += bias.dtype.type(offset)
    return weights


def native_weights(api: Api, problem: Problem) -> list[Array]:
    """Give all weights, for one layer and direction after the other, as `api` has them.

    In `basic` they are the canonical ones, in the order of the cell.
    """
    case = problem.case
    found: list[Array] = []
    for at in case.passes:
        weights = problem.weights(*at)
        if case.variant == "basic":
            found += [weights[name] for name in _own(case)]
        elif api == "keras":
            found += to_keras(case.cell, weights)
        else:
            found += to_v1(case.cell, weights, forget_offset(case))
    return found


def canonical_weights(api: Api, case: Case, native: list[Array]) -> dict[str, Array]:
    """Give back the case's weights, by full name, of what `native_weights` gives."""
    if api == "keras":
        return _named(case, native, from_keras)
    return _named(case, native, partial(from_v1, offset=forget_offset(case)))


def canonical_gradients(api: Api, case: Case, native: list[Array]) -> dict[str, Array]:
    """Give the gradients by the case's weights of those by `native_weights`."""
    return _named(case, native, partial(gradients_to_canonical, api))


def _own(case: Case) -> list[str]:
    """Name the weights that each layer and direction of a case has."""
    names = CELLS[case.cell].weights
    return [name for name in names if case.bias or not name.endswith("bias")]


def _named(
    case: Case,
    native: list[Array],
    to_canonical: Callable[[str, list[Array]], dict[str, Array]],
) -> dict[str, Array]:
    """Name what belongs to weights; biases that a case lacks are left out."""
    found: dict[str, Array] = {}
    count, own = len(native) // len(case.passes), _own(case)
    for number, (layer, way) in enumerate(case.passes):
        arrays = native[number * count :][:count]
        if case.variant == "basic":
            weights = dict(zip(own, arrays, strict=True))
        else:
            weights = to_canonical(case.cell, arrays)
        found |= {f"layer{layer}.{way}.{name}": weights[name] for name in own}
    return found


def gradients_to_canonical(
    api: Api, cell: str, native: list[Array]
) -> dict[str, Array]:
    """Give the gradients by our weights of those by what `to_keras` or `to_v1` made.

    Every element of ours is one of theirs, so that its gradient is that one's, wherever
    it stands; that 1 is taken off changes nothing. Only the bias of a GRU's r and z was
    cut into halves: half of each half's gradient.
    """
    if api == "v1":
        return _from_v1(cell, native)
    gradients = from_keras(cell, native)
    if "recurrent_bias" in gradients:
        gates = 2 * gradients["recurrent_bias"].size
        gradients["bias"][:gates] /= 2
    return gradients


def _from_v1(cell: str, native: list[Array]) -> dict[str, Array]:
    """Take a legacy cell's variables apart, the forget gate's 1 left off."""
    kernel, bias, *more = native
    if cell == "gru_reset_before":
        kernel = np.concatenate([kernel, more[0]], axis=1)
        bias = np.concatenate([bias, more[1]])
    weights: dict[str, Array] = {}
    size = bias.size // len(CELLS[cell].gates)
    if cell.startswith("lstm"):
        kernel = _to_canonical_order(cell, _V1_LSTM, kernel)
        bias = _to_canonical_order(cell, _V1_LSTM, bias)
    if cell == "lstm_peephole":
        weights["peephole"] = np.stack([more[k] for k in _V1_PEEPHOLES])
    if cell == "lstm_projection":
        weights["projection"] = more[0]
        size = more[0].shape[1]
    return {
        "kernel": kernel[:-size],
        "recurrent_kernel": kernel[-size:],
        "bias": bias,
        **weights,
    }


def _keras_order(cell: str) -> tuple[str, ...]:
    return _KERAS_GRU if cell.startswith("gru") else CELLS[cell].gates


def _to_order(cell: str, order: tuple[str, ...], array: Array) -> Array:
    """Put the gates along the last axis from canonical order into another."""
    ours = CELLS[cell].gates
    blocks = np.split(array, len(ours), axis=-1)
    return np.concatenate([blocks[ours.index(gate)] for gate in order], axis=-1)


def _to_canonical_order(cell: str, order: tuple[str, ...], array: Array) -> Array:
    blocks = np.split(array, len(order), axis=-1)
    ours = CELLS[cell].gates
    return np.concatenate([blocks[order.index(gate)] for gate in ours], axis=-1)


def _less_forget_bias(bias: Array, offset: float) -> Array:
    units, added = bias.size // 4, bias.dtype.type(offset)
    forget = bias[units : 2 * units]
    if np.any(forget - added + added != forget):
        raise Unsupported(
            "legacy cells add 1 to the forget gate when they run, and taking it off a "
            f"forget bias of this case first is not exact in {bias.dtype}"
        )
    less = bias.copy()
    less[units : 2 * units] = forget - added
    return less
