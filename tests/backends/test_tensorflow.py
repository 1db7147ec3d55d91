"""TensorFlow's two adapters: layouts that lose nothing, gaps that are what they say.

TensorFlow itself is never imported here, only in processes started from here.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.judge.certify import certify
from rnn_parity.workers.process import Worker
from rnn_parity_backends.on_tensorflow import layout as of_v1
from rnn_parity_backends.with_keras import layout as of_keras
from rnn_parity_core import CELLS, Problem
from rnn_parity_core.arrays import unpack
from rnn_parity_fixtures import catalogue
from support import bits_equal, installed, with_arrays

KERAS_CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru", "gru_reset_before")
V1_CELLS = tuple(cell for cell in CELLS.in_suites if cell != "gru")

# Loads weights into layers and cells of its own making and saves what these then hold.
THROUGH_LAYERS = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf
from tf_keras.src.layers.rnn import legacy_cells
from rnn_parity_backends.on_tensorflow import layout as of_v1
from rnn_parity_backends.with_keras import layout as of_keras
from rnn_parity_fixtures import catalogue
from rnn_parity_core import CELLS

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
        native = of_v1.to_v1(case.cell, weights, 1.0)
        for variable, array in zip(cell.variables, native, strict=True):
            session.run(v1.assign(variable, array))
        return of_v1.from_v1(case.cell, session.run(cell.variables), 1.0)

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
    native = of_v1.to_v1(cell, problem.weights(0, "forward"), 1.0)
    rows = native[0][: problem.case.features, : problem.case.units]
    # The first gate of every legacy cell is our first.
    assert bits_equal(rows, problem["layer0.forward.kernel"][:, : problem.case.units])


def test_a_legacy_lstm_has_the_candidate_second_and_1_off_its_forget_bias() -> None:
    weights = one_layer("lstm").weights(0, "forward")
    bias = of_v1.to_v1("lstm", weights, 1.0)[1]
    assert bits_equal(bias[5:10], weights["bias"][10:15])
    assert bits_equal(bias[10:15], weights["bias"][5:10] - np.float32(1))


def test_a_legacy_cell_for_a_case_without_biases_has_zeros() -> None:
    weights = one_layer("lstm", nobias="-nobias").weights(0, "forward")
    bias = of_v1.to_v1("lstm", weights, 1.0)[1]
    assert bits_equal(bias, np.repeat(np.array([0, 0, -1, 0], np.float32), 5))
    gru = one_layer("gru_reset_before", nobias="-nobias").weights(0, "forward")
    assert not any(
        array.any() for array in of_v1.to_v1("gru_reset_before", gru, 1.0)[1::2]
    )


ROUNDED = 0.1
"""1 taken off this, and added to it again, is another number in every dtype."""


def inexact(case_id: str) -> Problem:
    """Give a problem one forget bias, in the last layer, that 1 off would round."""
    problem = catalogue.build(catalogue.case_from_id(case_id))
    layer, way = problem.case.passes[-1]
    bias = problem[f"layer{layer}.{way}.bias"].copy()
    bias[bias.size // 4] = ROUNDED
    return with_arrays(problem, **{f"layer{layer}__{way}__bias": bias})


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16"])
@pytest.mark.parametrize("options", ["", "-L2", "-bidirectional", "-L2-bidirectional"])
def test_legacy_cells_add_1_to_a_forget_bias_only_if_that_gives_it_back(
    options: str, dtype: str
) -> None:
    case_id = f"lstm-dynamic-B3-T7-D4-H5{options}-{dtype}-s1"
    problem = catalogue.build(catalogue.case_from_id(case_id))
    assert of_v1.forget_offset(problem) == 1
    assert of_v1.forget_offset(inexact(case_id)) == 0
    native = of_v1.native_weights(inexact(case_id))
    assert (
        native[-1][10] == inexact(case_id).weights(*problem.case.passes[-1])["bias"][5]
    )


@pytest.mark.parametrize("nobias", ["", "-nobias"])
def test_training_adds_nothing_and_what_has_no_bias_is_told_to_add_1(
    nobias: str,
) -> None:
    trained = catalogue.case_from_id(f"lstm-dynamic-B3-T7-D4-H5{nobias}-sgd-f32-s1")
    assert of_v1.forget_offset(catalogue.build(trained)) == 0
    case = replace(trained, task="forward", seed=1)
    assert of_v1.forget_offset(catalogue.build(case)) == 1


@pytest.mark.parametrize("sizes", ["B3-T4-D6-H5", "B3-T4-D4-H5-gradient"])
@pytest.mark.parametrize("variant", ["static", "dynamic"])
@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole"])
def test_legacy_lstms_of_any_forget_bias_are_right_beside_seeded_ones(
    cell: str, variant: str, sizes: str, workers: Callable[[str], Worker]
) -> None:
    case_id = f"{cell}-{variant}-{sizes}-f32-s1"
    worker, info = workers("tensorflow:v1"), installed("tensorflow:v1")
    worker.load(info)
    seeded = catalogue.build(catalogue.case_from_id(case_id))
    # One shape, and two graphs.
    for problem in (seeded, inexact(case_id), seeded):
        kind, data, _ = worker.run(info.name, problem, 120)
        assert kind == "outcome", data
        outcome = unpack(data, "v1")[0]
        assert (
            certify(problem, outcome, info.accuracy_for(problem.case)).bound_ratio <= 1
        )


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
