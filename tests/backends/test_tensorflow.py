"""TensorFlow's two adapters: layouts that lose nothing, gaps that are what they say.

TensorFlow itself is never imported here, only in processes started from here.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from backends.on_tensorflow import layout as of_v1
from backends.with_keras import layout as of_keras
from fixtures import catalogue
from harness.backend import Unsupported
from harness.run.process import Worker
from harness.spec import CELLS, Problem
from harness.store.arrays import unpack
from support import bits_equal, installed, with_arrays

KERAS_CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru", "gru_reset_before")
V1_CELLS = tuple(cell for cell in CELLS if cell != "gru")

# Loads weights into layers and cells of its own making and saves what these then hold.
THROUGH_LAYERS = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf
from tf_keras.src.layers.rnn import legacy_cells
from backends.on_tensorflow import layout as of_v1
from backends.with_keras import layout as of_keras
from fixtures import catalogue
from harness.spec import CELLS

v1 = tf.compat.v1
KERAS = {
    "rnn_tanh": ("SimpleRNN", {}),
    "rnn_relu": ("SimpleRNN", {}),
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {"reset_after": True}),
    "gru_reset_before": ("GRU", {"reset_after": False}),
}
V1 = {
    "rnn_tanh": ("BasicRNNCell", {}),
    "rnn_relu": ("BasicRNNCell", {}),
    "lstm": ("BasicLSTMCell", {}),
    "lstm_peephole": ("LSTMCell", {"use_peepholes": True}),
    "lstm_projection": ("LSTMCell", {"num_proj": 2}),
    "gru_reset_before": ("GRUCell", {}),
}

def through_keras(case, weights):
    name, options = KERAS[case.cell]
    layer = getattr(keras.layers, name)(
        case.units, use_bias=case.bias, dtype=case.dtype, **options
    )
    layer.build((case.batch, case.steps, case.features))
    layer.set_weights(of_keras.to_keras(case.cell, weights))
    return of_keras.from_keras(case.cell, layer.get_weights())

def through_v1(case, weights):
    name, options = V1[case.cell]
    with tf.Graph().as_default(), v1.Session() as session:
        cell = getattr(legacy_cells, name)(case.units, dtype=case.dtype, **options)
        cell.build((case.batch, case.features))
        native = of_v1.to_v1(case.cell, weights)
        for variable, array in zip(cell.variables, native, strict=True):
            session.run(v1.assign(variable, array))
        return of_v1.from_v1(case.cell, session.run(cell.variables))

saved = {}
for argument in sys.argv[2:]:
    kind, case_id = argument.split("=")
    problem = catalogue.build(catalogue.case_from_id(case_id))
    weights = problem.weights(0, "forward")
    through = through_keras if kind == "keras" else through_v1
    for name, array in through(problem.case, weights).items():
        saved[f"{argument} {name}"] = array
np.savez(sys.argv[1], **saved)
"""


def one_layer(cell: str, dtype: str = "f32", nobias: str = "") -> Problem:
    """Give a problem whose sizes all differ."""
    size = "B3-T7-D4-H5-P2" if "projection" in CELLS[cell].weights else "B3-T7-D4-H5"
    return catalogue.build(
        catalogue.case_from_id(f"{cell}-dynamic-{size}{nobias}-{dtype}-s1")
    )


def test_weights_survive_layers_and_cells_to_the_last_bit(tmp_path: Path) -> None:
    installed("tensorflow")
    installed("tensorflow:v1")
    sent = {}
    for dtype in ("f32", "f64"):
        for cell in KERAS_CELLS:
            for nobias in ("", "-nobias"):
                problem = one_layer(cell, dtype, nobias)
                sent[f"keras={problem.case.id}"] = problem
        for cell in V1_CELLS:
            problem = one_layer(cell, dtype)
            sent[f"v1={problem.case.id}"] = problem
    saved = tmp_path / "saved.npz"
    subprocess.run(
        [sys.executable, "-c", THROUGH_LAYERS, str(saved), *sent],
        check=True,
        capture_output=True,
    )
    with np.load(saved) as held:
        back = dict(held)
    expected = {
        f"{argument} {name}": array
        for argument, problem in sent.items()
        for name, array in problem.weights(0, "forward").items()
    }
    assert back.keys() == expected.keys()
    assert [n for n in expected if not bits_equal(back[n], expected[n])] == []


@pytest.mark.parametrize("cell", V1_CELLS)
def test_rows_of_a_legacy_kernel_are_those_of_the_inputs_first(cell: str) -> None:
    problem = one_layer(cell)
    native = of_v1.to_v1(cell, problem.weights(0, "forward"))
    rows = native[0][: problem.case.features, : problem.case.units]
    # The first gate of every legacy cell is our first.
    assert bits_equal(rows, problem["layer0.forward.kernel"][:, : problem.case.units])


def test_a_legacy_lstm_has_the_candidate_second_and_1_off_its_forget_bias() -> None:
    weights = one_layer("lstm").weights(0, "forward")
    bias = of_v1.to_v1("lstm", weights)[1]
    assert bits_equal(bias[5:10], weights["bias"][10:15])
    assert bits_equal(bias[10:15], weights["bias"][5:10] - np.float32(1))


def test_a_legacy_cell_for_a_case_without_biases_has_zeros() -> None:
    weights = one_layer("lstm", nobias="-nobias").weights(0, "forward")
    bias = of_v1.to_v1("lstm", weights)[1]
    assert bits_equal(bias, np.repeat(np.array([0, 0, -1, 0], np.float32), 5))
    gru = one_layer("gru_reset_before", nobias="-nobias").weights(0, "forward")
    assert not any(array.any() for array in of_v1.to_v1("gru_reset_before", gru)[1::2])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_a_forget_bias_that_adding_1_would_change_is_declined(dtype: str) -> None:
    weights = dict(one_layer("lstm").weights(0, "forward"))
    bias = weights["bias"].astype(ml_dtypes.bfloat16).astype(dtype)
    bias[7] = 1e-5
    with pytest.raises(Unsupported, match="not exact in"):
        of_v1.to_v1("lstm", {**weights, "bias": bias})


def test_a_keras_gru_uses_both_rows_of_biases() -> None:
    weights = one_layer("gru").weights(0, "forward")
    rows = of_keras.to_keras("gru", weights)[2]
    assert rows.shape == (2, 15)
    assert bits_equal(rows[0, :5], weights["bias"][5:10] / 2)  # z comes first
    assert bits_equal(rows[0, :10], rows[1, :10])
    assert bits_equal(rows[0, 10:], weights["bias"][10:])
    assert bits_equal(rows[1, 10:], weights["recurrent_bias"])


def test_a_graph_serves_problems_of_one_shape_with_other_weights_and_inputs(
    workers: Callable[[str], Worker],
) -> None:
    worker = workers("tensorflow:v1")
    worker.load(installed("tensorflow:v1"))
    problem = one_layer("lstm")
    halved = with_arrays(problem, kernel=problem["layer0.forward.kernel"] / 2)

    def outputs(given: Problem) -> bytes:
        kind, data, _ = worker.run("tensorflow:v1", given, 120)
        assert kind == "outcome"
        return unpack(data, "v1")[0]["outputs"].tobytes()

    first = outputs(problem)
    assert outputs(halved) != first
    assert outputs(problem) == first


def test_lengths_are_of_a_run_and_not_of_a_graph(
    workers: Callable[[str], Worker],
) -> None:
    worker = workers("tensorflow:v1")
    worker.load(installed("tensorflow:v1"))
    case_id = "lstm-variable_input-B3-T7-D4-H5-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(case_id))
    for lengths in ([7, 1, 4], [2, 0, 7]):
        given = with_arrays(problem, lengths=np.array(lengths, np.int32))
        kind, data, _ = worker.run("tensorflow:v1", given, 120)
        assert kind == "outcome"
        found = unpack(data, "v1")[0]["outputs"]
        assert [int(np.any(row != 0, axis=-1).sum()) for row in found] == lengths
