"""Cells with other activations, by each engine's own layers where these take them.

Frameworks are never imported here, only in processes started from here.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.rounded import Rounded
from rnn_parity.runs.registry import known_backends
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.process import Worker
from rnn_parity_backends import on_numpy
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import Accuracy, Array, Choice, Gap, Implementation, Unsupported
from rnn_parity_core.functions import (
    HARD_SIGMOID,
    HARD_SIGMOID_5,
    HARD_TANH,
    RELU6,
    SOFTSIGN,
    Function,
)
from rnn_parity_core.probing import probing
from rnn_parity_fixtures import catalogue
from support import assert_named_after, installed, judged

CELLS = (
    "lstm.recurrent_hard_sigmoid",
    "lstm.recurrent_hard_sigmoid_5",
    "lstm.activation_relu.output_relu",
    "lstm.activation_relu",
    "lstm.activation_softsign.output_softsign",
    "gru.recurrent_hard_sigmoid",
    "gru.recurrent_hard_sigmoid_5",
    "gru.activation_relu",
    "gru_reset_before.recurrent_hard_sigmoid",
    "gru_reset_before.recurrent_hard_sigmoid_5",
    "gru_reset_before.activation_relu",
    "rnn_tanh.activation_linear",
    "lstm_peephole.recurrent_hard_sigmoid_5",
    "lstm.activation_relu6.output_relu6",
)
SHAPES = (
    "dynamic-B3-T7-D4-H5-L2-bidirectional-f32-s1",
    "dynamic-B3-T7-D4-H5-f64-s1",
    "dynamic-B3-T7-D4-H5-f32-s1",
    "dynamic-B3-T7-D4-H5-gradient-f64-s1",
    "dynamic-B3-T7-D4-H5-bf16-s1",
    "static-B3-T7-D4-H5-nobias-gradient-f32-s1",
    "basic-B3-T7-D4-H5-bf16-s1",
    "basic-B3-T7-D4-H5-gradient-f32-s1",
)
CASES = [
    catalogue.case_from_id(f"{cell}-{shape}") for cell in CELLS for shape in SHAPES
]
PROBES = [
    probe
    for case in CASES
    if case.id.endswith("T7-D4-H5-f32-s1")
    if (probe := probing(case))
]
SLOW = ("keras:jax", "keras:torch", "flax", "tinygrad", "tensorflow:v1", "jax")
# Backend → how many of the cases it computes.
COMPUTED = {
    "numpy": 84,
    "torch": 28,
    "tensorflow": 84,
    "tensorflow:v1": 22,
    "jax": 42,
    "keras:torch": 28,
    "keras:jax": 29,
    "flax": 11,
    "onnxruntime": 39,
    "openvino": 30,
    "mlx": 28,
    "tinygrad": 10,
    "haiku": 0,
    "equinox": 0,
}


@pytest.mark.parametrize("backend", COMPUTED)
def test_each_case_is_computed_right_or_is_a_declared_gap(
    backend: str, workers: Callable[[str], Worker], tmp_path: Path
) -> None:
    info, worker = installed(backend), workers(backend)
    worker.load(info)
    folder, computed, wrong = RunFolder(tmp_path), 0, {}
    for case in [*CASES, *PROBES][:: 3 if backend in SLOW else 1]:
        result = judged(worker, info, case, folder)
        computed += result.verdict == "pass"
        gap = info.gap(case)
        if result.verdict != ("gap" if gap else "pass"):
            wrong[case.id] = result.detail
        if gap:
            assert gap in (*info.gaps, *info.otherwise), case.id
    assert wrong == {}
    assert computed == COMPUTED[backend]


# Tells a layer another function than the case has, `CASE?one=other`.
CHANGED = """
import functools, sys
from importlib import import_module
from rnn_parity_core.arrays import pack
from rnn_parity_core.cell import Cell
from rnn_parity_fixtures import catalogue
from rnn_parity.runs.registry import known_backends

name, folder, *runs = sys.argv[1:]
info = known_backends()[name]
module, _, made = info.adapter.partition(":")
adapter = getattr(import_module(module), made)
chosen = Cell.chosen.fget
for number, run in enumerate(runs):
    case_id, _, change = run.partition("?")
    one, _, other = change.partition("=")
    told = {one: other} if other else {}
    problem = catalogue.build(catalogue.case_from_id(case_id))
    Cell.chosen = property(
        lambda cell: {p: told.get(f, f) for p, f in chosen(cell).items()}
    )
    for value in vars(sys.modules[module]).values():
        if isinstance(value, functools._lru_cache_wrapper):
            value.cache_clear()
    outcome = adapter(**info.options).run(problem)
    Cell.chosen = property(chosen)
    with open(f"{folder}/{number}", "wb") as file:
        file.write(pack(outcome, {"case": case_id}))
"""
HARD = "lstm.recurrent_hard_sigmoid-dynamic-B3-T7-D4-H5-f32-s1?hard_sigmoid"
HARD_5 = "gru.recurrent_hard_sigmoid_5-dynamic-B3-T7-D4-H5-f32-s1?hard_sigmoid_5"
RELU = "lstm.activation_relu.output_relu-dynamic-B3-T7-D4-H5-f32-s1?relu"
_FAULTS = {
    f"{HARD}=sigmoid": "sigmoid instead of hard sigmoid x / 6 + 0.5",
    f"{RELU}=tanh": "tanh instead of relu",
}
_NO_HARD = {f"{RELU}=tanh": "tanh instead of relu"}
FAULTS = {
    "tensorflow": _FAULTS,
    "keras:torch": _FAULTS,
    "keras:jax": _FAULTS,
    "flax": _FAULTS,
    "onnxruntime": {
        **_FAULTS,
        f"{HARD}=hard_sigmoid_5": "0.2 x + 0.5 instead of hard sigmoid x / 6 + 0.5",
        f"{HARD_5}=hard_sigmoid": "x / 6 + 0.5 instead of hard sigmoid 0.2 x + 0.5",
    },
    "tensorflow:v1": _NO_HARD,
    "openvino": _NO_HARD,
}


@pytest.mark.parametrize("backend", FAULTS)
def test_a_layer_that_is_told_another_function_fails_and_is_named(
    backend: str, tmp_path: Path
) -> None:
    assert_named_after(backend, CHANGED, FAULTS[backend], tmp_path)


LSTM = Implementation(
    "LSTM",
    ("dynamic",),
    ("lstm",),
    choices=(
        Choice(("recurrent_activation",), ("hard_sigmoid",)),
        Choice(("activation", "output_activation"), ("relu",)),
    ),
)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("lstm", True),
        ("lstm.recurrent_hard_sigmoid", True),
        ("lstm.recurrent_hard_sigmoid.activation_relu.output_relu", True),
        ("lstm.activation_relu", False),
        ("lstm.output_relu", False),
        ("lstm.recurrent_relu", False),
        ("lstm.recurrent_hard_sigmoid.output_relu", False),
        ("gru.recurrent_hard_sigmoid", False),
        ("lstm_peephole.recurrent_hard_sigmoid", False),
    ],
)
def test_an_implementation_says_which_functions_it_takes_where(
    cell: str, *, expected: bool
) -> None:
    assert LSTM.covers(cell, "dynamic") == expected
    assert not LSTM.covers(cell, "static")


def test_what_is_by_hand_takes_what_is_made_of_arithmetic() -> None:
    by_hand = Implementation("@", ("basic",), by_hand=True)
    assert by_hand.covers("lstm.activation_relu6.recurrent_softsign", "basic")
    assert not by_hand.covers("lstm.activation_gelu", "basic")


def test_what_nobody_states_the_accuracy_of_is_declined() -> None:
    case = catalogue.case_from_id("lstm.activation_silu-dynamic-B3-T7-D4-H5-f32-s1")
    assert on_numpy.INFO.gap(case)
    with pytest.raises(Unsupported, match="no backend states how accurate its silu is"):
        NumpyBackend().run(catalogue.build(case))


def test_a_gap_of_a_cell_or_function_is_one_of_other_activations_too() -> None:
    case = catalogue.case_from_id(f"{CELLS[0]}-{SHAPES[0]}")
    assert Gap("never", "", cells=("lstm",)).covers(case)
    assert Gap("never", "", functions=("hard_sigmoid",)).covers(case)
    assert Gap("never", "", activations=True).covers(case)
    assert not Gap("never", "", functions=("sigmoid",)).covers(case)
    assert not Gap("never", "", cells=("gru",)).covers(case)
    assert not Gap("never", "", activations=False).covers(case)


def bfloat16s() -> Array:
    """Give all numbers of bfloat16 that are of moderate size."""
    numbers = np.arange(2**16, dtype=np.uint16)
    largest = np.array(1e4, ml_dtypes.bfloat16).view(np.uint16)
    return numbers[(numbers & 0x7FFF) < largest].view(ml_dtypes.bfloat16)


def worst(function: Function, x: Array, y: Array, dtype: str) -> float:
    """Give the largest error / bound of results."""
    wide = x.astype(np.float64)
    bound = Rounded(Accuracy(dtype, {})).function(
        function, Bounded(wide, np.zeros_like(wide))
    )
    return float(np.max(np.abs(y.astype(np.float64) - bound.value) / bound.error))


# Computes functions of all numbers of `x.DTYPE.npy`, by Keras or what it runs on.
COMPUTES = """
import os, sys
name, folder, *functions = sys.argv[1:]
os.environ["KERAS_BACKEND"] = name.replace("tf_keras", "tensorflow")
import ml_dtypes
import numpy as np
if name == "tf_keras":
    import tensorflow as tf
    import tf_keras as keras
    tensor_of = lambda x: tf.constant(x)
    array_of = lambda y: tf.cast(y, "float32").numpy()
else:
    import keras
    tensor_of = lambda x: keras.ops.convert_to_tensor(x.astype("f4"), x.dtype.name)
    array_of = lambda y: keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))
for dtype in ("bfloat16", "float32"):
    x = np.load(f"{folder}/x.{dtype}.npy").astype(dtype)
    for function in functions:
        y = getattr(keras.activations, function)(tensor_of(x))
        np.save(f"{folder}/{function}.{dtype}.npy", array_of(y))
"""
_KERAS_3 = (HARD_SIGMOID, SOFTSIGN, RELU6, HARD_TANH)


@pytest.mark.parametrize(
    ("framework", "functions"),
    [
        ("torch", _KERAS_3),
        ("jax", _KERAS_3),
        ("tensorflow", _KERAS_3),
        ("tf_keras", (HARD_SIGMOID_5, SOFTSIGN)),
    ],
)
def test_what_frameworks_compute_of_a_function_is_within_its_bound(
    framework: str, functions: tuple[Function, ...], tmp_path: Path
) -> None:
    given = {"bfloat16": bfloat16s(), "float32": draws()}
    for dtype, x in given.items():
        np.save(tmp_path / f"x.{dtype}.npy", x.astype(np.float32))
    names = [function.name.removesuffix("_5") for function in functions]
    command = [sys.executable, "-c", COMPUTES, framework, str(tmp_path), *names]
    subprocess.run(command, check=True)
    for dtype, x in given.items():
        for function, name in zip(functions, names, strict=True):
            y = np.load(tmp_path / f"{name}.{dtype}.npy")
            assert worst(function, x, y, dtype) <= 1, (function.name, dtype)
        hard = np.load(tmp_path / f"hard_sigmoid.{dtype}.npy")
        other = HARD_SIGMOID_5 if framework != "tf_keras" else HARD_SIGMOID
        assert worst(other, x, hard, dtype) > 1


def draws() -> Array:
    return np.random.default_rng(1).uniform(-8, 8, 1_000_000).astype(np.float32)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_bound_of_a_hard_sigmoid_is_of_its_widest_form(dtype: str) -> None:
    x = bfloat16s() if dtype == "bfloat16" else draws()
    kind = x.dtype.type
    for function in (HARD_SIGMOID, HARD_SIGMOID_5):
        slope, half = kind(function.steepest), kind(0.5)
        y = np.clip(x * slope + half, kind(0), kind(1))
        assert 0.2 < worst(function, x, y, dtype) <= 1


def test_activations_are_a_gap_of_what_takes_none_in_words() -> None:
    case = catalogue.case_from_id(f"{CELLS[0]}-{SHAPES[0]}")
    gap = known_backends()["torch"].gap(case)
    assert gap is not None
    assert gap.reason.startswith("nn.LSTM and nn.GRU take no activations")
