"""TensorFlow 1's cells, which `tf_keras` keeps, and their states."""

from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras.src.layers.rnn import legacy_cells

from rnn_parity_backends import equations
from rnn_parity_backends.on_tensorflow.operations import Tensors
from rnn_parity_core import CELLS, Case, Unsupported

_FUNCTIONS = {
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "linear": tf.identity,
    "softsign": tf.nn.softsign,
    "hard_sigmoid_5": tf_keras.activations.hard_sigmoid,
}
_CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("BasicRNNCell", {}),
    "rnn_relu": ("BasicRNNCell", {}),
    "lstm": ("BasicLSTMCell", {}),
    "lstm_peephole": ("LSTMCell", {"use_peepholes": True}),
    "lstm_projection": ("LSTMCell", {}),
    "gru_reset_before": ("GRUCell", {}),
}


def make_cell(case: Case, offset: float) -> Any:
    """Make the legacy cell for a case; `forget_bias` stays at its 1.0, if it can.

    Args:
        case: The case.
        offset: What an LSTM is to add to its forget gate: see `layout.forget_offset`.

    Raises:
        Unsupported: There is none.

    """
    cell = CELLS[case.cell]
    if cell.base == "gru":
        raise Unsupported("TensorFlow 1's GRUCell resets before the product, not after")
    chosen = cell.chosen
    active = chosen["activation"]
    gate = chosen.get("recurrent_activation", "sigmoid")
    if gate != "sigmoid" or chosen.get("output_activation", active) != active:
        raise Unsupported("TensorFlow 1's cells have one function, not of the gates")
    if active not in _FUNCTIONS:
        raise Unsupported(f"TensorFlow 1 and tf_keras have no {active}")
    name, own = _CELLS[cell.base]
    particular = {**own, "activation": _FUNCTIONS[active]}
    if "projection" in cell.weights:
        particular["num_proj"] = case.projection
    if "c" in cell.states and offset != 1:
        particular["forget_bias"] = offset
    return getattr(legacy_cells, name)(case.units, dtype=case.dtype, **particular)


def to_native(state: equations.State) -> Tensors:
    """Give a state as legacy cells have it: LSTMs as the pair c, h."""
    if "c" in state:
        return legacy_cells.LSTMStateTuple(state["c"], state["h"])
    return state["h"]


def to_canonical(case: Case, native: Tensors) -> equations.State:
    """Give back `h`, and `c` of LSTMs."""
    if "c" in CELLS[case.cell].states:
        return {"h": native.h, "c": native.c}
    return {"h": native}
