"""The functions that ONNX' RNN, LSTM and GRU are told, in three attributes.

`activations` names them, for one direction after the other. Those that have numbers
take them from `activation_alpha` and `activation_beta` in the order of the names, and
where a list has no more, those that the operator of the same name has.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnn_parity_backends.on_onnxruntime.layout import FUNCTIONS
from rnn_parity_core import FileError

ATTRIBUTES = ("activations", "activation_alpha", "activation_beta")
# ONNX' name in lower case → what its numbers are where the attributes say none, alpha
# and beta; None: it has no such number, nan: it must be said.
_NUMBERS: dict[str, tuple[float | None, float | None]] = {
    "hardsigmoid": (0.2, 0.5),
    "affine": (float("nan"), float("nan")),
    "leakyrelu": (0.01, None),
    "thresholdedrelu": (1.0, None),
    "scaledtanh": (float("nan"), float("nan")),
    "elu": (1.0, None),
}
_OURS = {
    (name.lower(), *(float(np.float32(number)) for number in numbers)): ours
    for ours, (name, numbers) in FUNCTIONS.items()
}


def of_node(
    told: Mapping[str, Any], usual: Mapping[str, str], ways: int, *, double: bool
) -> dict[str, str]:
    """Give the function at each place of a cell, by our names.

    Args:
        told: A node's attributes.
        usual: Those of its operator where it is told none.
        ways: How many directions it has.
        double: Whether it computes in float64, in which alpha and beta, float32 always,
            are not the numbers that they are taken for.

    Raises:
        FileError: One is none of ours, or directions differ.

    """
    names = [name.lower() for name in words(told.get("activations", []))]
    if not names:
        if any(told.get(field) for field in ATTRIBUTES[1:]):
            raise FileError("it has alpha or beta, and no activations that they are of")
        return dict(usual)
    if len(names) != len(usual) * ways:
        said = f"{', '.join(names)[:120]}; expected {len(usual) * ways}"
        raise FileError(f"its activations are {said}")
    left = [_numbers(told, field) for field in ATTRIBUTES[1:]]
    found = [_function(name, left, double=double) for name in names]
    if any(left):
        raise FileError("it has more alpha or beta than activations that take one")
    if found != found[: len(usual)] * ways:
        raise FileError(f"its directions differ in activations: {', '.join(found)}")
    return dict(zip(usual, found, strict=False))


def _function(name: str, left: list[list[float]], *, double: bool) -> str:
    """Take a function's numbers off what is left of both lists, and give our name."""
    numbers = []
    for own, rest in zip(_NUMBERS.get(name, (None, None)), left, strict=True):
        if own is not None:
            numbers.append(rest.pop(0) if rest else own)
    key = (name, *(float(np.float32(number)) for number in numbers))
    if key not in _OURS or (double and numbers and key[1:] != (1.0, 0.0)):
        said = f"{name}({', '.join(f'{number:.9g}' for number in numbers)})"
        known = ", ".join(f"{n}{values or ''}" for n, values in FUNCTIONS.values())
        if key in _OURS:
            known += ", but alpha and beta are float32 and the weights float64"
        raise FileError(f"one of its activations is {said[:80]}; computed are {known}")
    return _OURS[key]


def _numbers(told: Mapping[str, Any], field: str) -> list[float]:
    value = told.get(field, [])
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(number, float) for number in values):
        raise FileError(f"its {field} is no list of numbers")
    return values


def words(value: Any) -> list[str]:
    """Give an attribute's strings, whatever it is."""
    values = value if isinstance(value, list) else [value]
    return [
        v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values
    ]
