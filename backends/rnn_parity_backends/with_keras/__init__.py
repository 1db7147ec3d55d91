"""What the backends of Keras share: networks of its layers, layouts, optimisers.

This module imports nothing of Keras; those beside it do, but for `layout` and
`gradients`. Keras has one backend in a process, chosen by KERAS_BACKEND before it is
imported: an adapter's module sets it, and its constructor checks that it is so.
"""

from rnn_parity_core import Choice, Gap, Implementation

# Cells → Keras' name of them, and what it is told to be one of them.
_KERAS = {
    ("rnn_tanh",): ("SimpleRNN", ""),
    ("rnn_relu",): ("SimpleRNN", "activation='relu'"),
    ("lstm",): ("LSTM", ""),
    ("gru",): ("GRU", "reset_after=True"),
    ("gru_reset_before",): ("GRU", "reset_after=False"),
}

FUNCTIONS = ("tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign")
"""Keras' names of those functions that are ours too, and have the same names."""
TAKEN = (
    Choice(("recurrent_activation",), FUNCTIONS),
    Choice(("activation", "output_activation"), FUNCTIONS),
)

NO_ACTIVATION = Gap(
    "never",
    f"Keras has {', '.join(FUNCTIONS)}, and in a layer one function for the candidate "
    "and the cell state",
    cells=tuple(cell for cells in _KERAS for cell in cells),
    activations=True,
    link="https://keras.io/api/layers/activations/",
)
NO_LAYER = Gap(
    "never",
    "Keras has no LSTM with peepholes and none with a projection",
    link="https://keras.io/api/layers/recurrent_layers/lstm/",
)

DECODED_FROM = ("embedding", "readout", "readout_bias", "start_stop")
"""The arrays that a network that feeds itself reads by name."""


def implementations(decoded: str, before: str = "keras") -> tuple[Implementation, ...]:
    """Name Keras' layers; what they do otherwise than the contract is said here.

    Args:
        decoded: What feeds a cell its own tokens.
        before: What each name starts with.

    """
    found = []
    for cells, (name, argument) in _KERAS.items():
        cell, layer = f"{name}Cell({argument})", f"{name}({argument})"
        calls = {
            "static": f"{cell} over a list",
            "static_single": f"RNN({cell}, unroll=True)",
            "dynamic": f"{layer}; time-major: transposed before",
            "variable_input": f"{layer}, mask of lengths; past the end, where it "
            "repeats its last output, zeroed after",
            "variable_output": f"{cell} in {decoded}",
        }
        found += [
            Implementation(f"{before} {api}", (v,), cells, choices=TAKEN)
            for v, api in calls.items()
        ]
    return tuple(found)
