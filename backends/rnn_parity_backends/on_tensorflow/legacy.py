"""TensorFlow 1's cells, which `tf_keras` keeps, and their states."""

from typing import Any

import tensorflow as tf
from tf_keras.src.layers.rnn import legacy_cells

from rnn_parity_backends import equations
from rnn_parity_backends.on_tensorflow.operations import Tensors
from rnn_parity_core import CELLS, Case, Unsupported


def make_cell(case: Case, offset: float) -> Any:
    """Make the legacy cell for a case; `forget_bias` stays at its 1.0, if it can.

    Args:
        case: The case.
        offset: What an LSTM is to add to its forget gate: see `layout.forget_offset`.

    Raises:
        Unsupported: There is none.

    """
    if case.cell == "gru":
        raise Unsupported("TensorFlow 1's GRUCell resets before the product, not after")
    name, particular = {
        "rnn_tanh": ("BasicRNNCell", {"activation": tf.tanh}),
        "rnn_relu": ("BasicRNNCell", {"activation": tf.nn.relu}),
        "lstm": ("BasicLSTMCell", {}),
        "lstm_peephole": ("LSTMCell", {"use_peepholes": True}),
        "lstm_projection": ("LSTMCell", {"num_proj": case.projection}),
        "gru_reset_before": ("GRUCell", {}),
    }[case.cell]
    if "c" in CELLS[case.cell].states and offset != 1:
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
