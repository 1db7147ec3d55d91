"""Weights survive the way into a framework's layout and back, to the last bit."""

import numpy as np

from backends.on_tensorflow import layout as tensorflow_layout
from backends.on_torch import layout as torch_layout
from harness.spec import CELLS, Array, Problem
from support import bits_equal


def assert_same_weights(back: dict[str, Array], problem: Problem) -> None:
    names = CELLS["rnn_tanh"].weights
    assert back.keys() == names.keys()
    for name in names:
        assert bits_equal(back[name], problem[name]), name


def test_torch_layout_round_trips(problem: Problem) -> None:
    native = torch_layout.to_native(problem.arrays)
    assert native["weight_ih"].shape == (5, 4)
    assert native["weight_hh"].shape == (5, 5)
    assert_same_weights(torch_layout.to_canonical(native), problem)


def test_torch_uses_both_of_its_biases(problem: Problem) -> None:
    native = torch_layout.to_native(problem.arrays)
    assert np.all(native["bias_ih"] != 0)
    assert np.all(native["bias_hh"] != 0)


def test_keras_layout_round_trips(problem: Problem) -> None:
    native = tensorflow_layout.to_keras(problem.arrays)
    assert [array.shape for array in native] == [(4, 5), (5, 5), (5,)]
    assert_same_weights(tensorflow_layout.from_keras(native), problem)


def test_tensorflow_1_layout_round_trips_with_rows_of_inputs_first(
    problem: Problem,
) -> None:
    native = tensorflow_layout.to_v1(problem.arrays)
    assert bits_equal(native[0][:4], problem["kernel"])
    assert_same_weights(tensorflow_layout.from_v1(native), problem)
