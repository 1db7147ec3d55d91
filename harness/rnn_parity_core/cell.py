"""The cells: the weights, states and gates of each, and their canonical layout."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """The signature of recurrence equations: named arrays and their axes."""

    weights: Mapping[str, str]
    """Canonical weight of one layer and direction → its axes, one letter each."""
    states: Mapping[str, str]
    """State carried from step to step → its last axis; `h` is what a step returns."""
    functions: tuple[str, ...]
    """Elementwise functions in the equations."""
    gates: tuple[str, ...] = ()
    """Names of the blocks of `H` that `G` consists of, in canonical order."""


_RNN = {"kernel": "IG", "recurrent_kernel": "RG", "bias": "G"}
_LSTM_GATES = ("i", "f", "g", "o")
_LSTM_STATES = {"h": "R", "c": "H"}
_SIGMOID_TANH = ("sigmoid", "tanh")

CELLS = {
    "rnn_tanh": Cell(_RNN, {"h": "R"}, ("tanh",), gates=("h",)),
    "rnn_relu": Cell(_RNN, {"h": "R"}, (), gates=("h",)),
    "lstm": Cell(_RNN, _LSTM_STATES, _SIGMOID_TANH, gates=_LSTM_GATES),
    "lstm_peephole": Cell(
        {**_RNN, "peephole": "3H"}, _LSTM_STATES, _SIGMOID_TANH, gates=_LSTM_GATES
    ),
    "lstm_projection": Cell(
        {**_RNN, "projection": "HP"}, _LSTM_STATES, _SIGMOID_TANH, gates=_LSTM_GATES
    ),
    "gru": Cell(
        {**_RNN, "recurrent_bias": "H"},
        {"h": "R"},
        _SIGMOID_TANH,
        gates=("r", "z", "n"),
    ),
    "gru_reset_before": Cell(_RNN, {"h": "R"}, _SIGMOID_TANH, gates=("r", "z", "n")),
}
"""The cells; `rnn_parity.judge.cells` has their equations.

`kernel` `[I, G]` reads the inputs, `recurrent_kernel` `[R, G]` the state, `bias` `[G]`
is added to both; gates stand side by side along `G` in the order of `gates`. `peephole`
`[3, H]` is for i, f and o; `recurrent_bias` `[H]` is that of the candidate n alone,
inside of what r multiplies.
"""
