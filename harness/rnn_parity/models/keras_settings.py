"""What a recurrent layer's settings in Keras mean: each is used, or without effect.

What is on neither list is not understood, and refuses the layer, unless it is off.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rnn_parity_core import CELLS

CLASSES = ("LSTM", "GRU", "SimpleRNN")
_PACKAGES = {"keras", "tf_keras", "tensorflow", "keras_core"}

_SHOWN = (
    *("activation", "recurrent_activation", "use_bias", "reset_after"),
    *("go_backwards", "stateful"),
)
_USED = {
    *(*_SHOWN, "units", "dtype", "cell", "layer", "backward_layer", "merge_mode"),
}
_TYPES = {
    "units": int,
    **dict.fromkeys(("use_bias", "reset_after", "go_backwards", "stateful"), bool),
}
# They say how weights began or were trained, how arrays lie, or how it is computed;
# what masks do is said by the layers that make them.
_WITHOUT_EFFECT = {
    *("name", "trainable", "return_sequences", "return_state", "unroll", "time_major"),
    *("implementation", "zero_output_for_mask", "unit_forget_bias", "seed"),
    *("dropout", "recurrent_dropout", "input_spec", "weights"),
    *("batch_input_shape", "batch_shape", "input_shape", "input_dim", "input_length"),
    *(f"{of}_initializer" for of in ("kernel", "recurrent", "bias")),
    *(f"{of}_constraint" for of in ("kernel", "recurrent", "bias")),
    *(f"{of}_regularizer" for of in ("kernel", "recurrent", "bias", "activity")),
}
_STATEFUL = "assumed: it begins with the batch's initial states, though it is stateful"
_BEFORE = "assumed: reset_after is off, as before Keras had it"
_CELLS = {"SimpleRNN": "rnn_tanh", "LSTM": "lstm", "GRU": "gru"}
# Keras' names of functions that are ours, whichever Keras wrote them.
_FUNCTIONS = ("tanh", "sigmoid", "relu", "linear", "softsign", "relu6", "hard_tanh")
_HARD = "hard_sigmoid"
_HARD_OF = {"1": f"{_HARD}_5", "2": f"{_HARD}_5", "3": _HARD}
_EITHER = "its hard_sigmoid is x / 6 + 0.5 in Keras 3 and 0.2 x + 0.5 before"


class Settings(NamedTuple):
    """What the settings of one direction come to."""

    cell: str = ""
    bias: bool = False
    units: int | None = None
    policy: str = ""
    """Name of its dtype policy; `""` if it has none."""
    refused: str = ""
    unread: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()


def settings(layer: Any, version: str = "") -> Settings:
    """Tell what a layer of one direction computes, or why it is none of our cells.

    Args:
        layer: Its config.
        version: That of the Keras that wrote it, if the file says so.

    """
    kind, config = class_of(layer), config_of(layer)
    told = {**config}
    if kind == "RNN" and not foreign(layer):
        layer = config.get("cell")
        kind, told = (
            class_of(layer).removesuffix("Cell"),
            {**config, **config_of(layer)},
        )
    if kind not in CLASSES or foreign(layer):
        said = f"it is a {(class_of(layer) or kind)[:80]}"
        if foreign(layer):
            own = layer.get("registered_name") or layer.get("module")
            said += f" of somebody's own, {own!r:.80}"
        return Settings(refused=f"{said}; only {', '.join(CLASSES)} of Keras are read")
    cell, refused = _cell(kind, told, version)
    for name, expected in _TYPES.items():
        if name in told and type(told[name]) is not expected:
            said = f"{name} {told[name]!r}"[:60]
            refused = f"its config has {said}, expected {expected.__name__}"
    notes = [_said(told)]
    notes += [_STATEFUL] if told.get("stateful") else []
    if kind == "GRU" and "reset_after" not in told:
        notes.append(_BEFORE)
    return Settings(
        cell,
        bool(told.get("use_bias")),
        told["units"] if type(told.get("units")) is int else None,
        policy(told),
        refused,
        unread(told),
        tuple(notes),
    )


def _said(told: Mapping[str, Any]) -> str:
    """Say the settings that are used, and how many have no effect."""
    used = [f"{name} {told[name]!r}"[:60] for name in _SHOWN if name in told]
    others = len(_WITHOUT_EFFECT & told.keys())
    return f"settings: {', '.join(used)}; {others} others without effect on its numbers"


def _cell(kind: str, told: Mapping[str, Any], version: str) -> tuple[str, str]:
    """Tell the cell of a layer, its activations in its name; or why it is none."""
    gated = kind != "SimpleRNN"
    asked = ["use_bias", "activation", *(["recurrent_activation"] if gated else [])]
    if lacking := [name for name in asked if name not in told]:
        return "", f"its config does not say {lacking[0]}"
    base = _CELLS[kind]
    if kind == "GRU" and not told.get("reset_after"):
        base = "gru_reset_before"
    chosen = {}
    for place in asked[1:]:
        function, refused = _function(told[place], version)
        if refused:
            return "", f"its {place} is {refused}"
        chosen[place] = function
    if kind == "SimpleRNN" and chosen["activation"] == "relu":
        return "rnn_relu", ""
    # In Keras one function is that of the candidate and of the cell state.
    chosen["output_activation"] = chosen["activation"]
    return CELLS.with_functions(base, chosen), ""


def _function(told: Any, version: str) -> tuple[str, str]:
    """Tell a function by Keras' name of it, or why it is none of ours."""
    if isinstance(told, str) and told in _FUNCTIONS:
        return told, ""
    if told != _HARD:
        said = f"{', '.join(_FUNCTIONS)} and {_HARD} are computed"
        return "", f"{told!r:.120}; {said}"
    if function := _HARD_OF.get(version.partition(".")[0]):
        return function, ""
    why = "the file does not say which Keras wrote it"
    if version:
        why = f"nobody here knows that of Keras {version:.20}, which wrote the file"
    return "", f"{told!r}; {_EITHER}, and {why}"


def unread(told: Mapping[str, Any]) -> dict[str, str]:
    """Give the settings that are not understood, and their values; none that is off."""
    return {
        str(name): f"= {value!r}"[:80]
        for name, value in told.items()
        if name not in _USED | _WITHOUT_EFFECT and value not in (None, False)
    }


def policy(told: Mapping[str, Any]) -> str:
    """Give the name of a dtype policy, however it is written."""
    found = told.get("dtype")
    name = found
    if isinstance(found, dict):
        name = config_of(found).get("name", class_of(found))
    return "" if found is None else str(name) or repr(found)


def class_of(layer: Any) -> str:
    """Give the name of a layer's class; `""` if it has none."""
    kind = layer.get("class_name") if isinstance(layer, dict) else None
    return kind if isinstance(kind, str) else ""


def config_of(layer: Any) -> dict[str, Any]:
    """Give a layer's settings."""
    config = layer.get("config") if isinstance(layer, dict) else None
    return config if isinstance(config, dict) else {}


def foreign(layer: Any) -> bool:
    """Whether a class is somebody's own, whatever its name."""
    module = layer.get("module") if isinstance(layer, dict) else None
    package = str(module).partition(".")[0]
    registered = layer.get("registered_name") if isinstance(layer, dict) else None
    named = registered is not None and registered != class_of(layer)
    return named or (module is not None and package not in _PACKAGES)
