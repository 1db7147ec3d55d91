"""Which functions a cell may have, and what each is mistaken for."""

from rnn_parity_core.functions import (
    GELU,
    HARD_SIGMOID,
    HARD_SIGMOID_4,
    HARD_SIGMOID_5,
    HARD_TANH,
    LINEAR,
    PADE_TANH,
    RELU,
    RELU6,
    SIGMOID,
    SILU,
    SOFTSIGN,
    TANH,
    Function,
)

_TAKEN = TANH, SIGMOID
ACTIVATIONS = {
    f.name: f
    for f in (
        TANH,
        SIGMOID,
        RELU,
        LINEAR,
        HARD_SIGMOID,
        HARD_SIGMOID_5,
        SOFTSIGN,
        HARD_TANH,
        RELU6,
        SILU,
        GELU,
    )
}
"""What an activation of a cell may be, by the name in the cell's own."""
COMPOSED = tuple(f.name for f in ACTIVATIONS.values() if f.roundings or f in _TAKEN)
"""Names of those that every backend has: made of arithmetic, and what cells have."""

_GATES = SIGMOID, HARD_SIGMOID, HARD_SIGMOID_5, HARD_SIGMOID_4, TANH, LINEAR
_SQUASHING = RELU, LINEAR, SIGMOID, PADE_TANH, HARD_TANH, SOFTSIGN, TANH
_RECTIFIERS = TANH, LINEAR, SIGMOID, RELU6, RELU


def instead_of(own: Function) -> dict[str, Function]:
    """Return what is mistaken for a function, by words for that."""
    rectifies = own.name.endswith(("relu", "relu6"))
    alike = _GATES if own.is_share else _RECTIFIERS if rectifies else _SQUASHING
    found = {}
    for other in alike:
        words = f"{other.says} instead of {own.says}"
        if own is LINEAR:
            words = f"{other.says} where there is no function"
        if other is LINEAR:
            words = f"no {own.says}"
        elif other.approximates == own.name:
            words = other.says
        if other.name != own.name and not (own is LINEAR and other.approximates):
            found[words] = other
    return found
