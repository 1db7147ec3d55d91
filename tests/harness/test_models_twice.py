"""What a model's file says twice is refused, and not taken from either place."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto

from hostile import LONE, layer
from rnn_parity.models import canonical, flax_state, hdf5, keras_file, onnx_file
from rnn_parity.models.formats import writers
from rnn_parity.models.layer import Saved
from rnn_parity.models.stack import by_name
from rnn_parity_core import FileError
from rnn_parity_core.arrays import unpack

ONE = np.ones((3, 3), "float32")


@pytest.mark.parametrize("twin", ["layer00", "0", "layer\uff10"])
def test_two_arrays_that_mean_one_canonical_weight_are_refused(twin: str) -> None:
    arrays, _ = unpack(canonical.write(layer(LONE)), "it")
    bias = arrays["layer0.forward.bias"]
    with pytest.raises(FileError, match="is there under two names"):
        canonical.saved({**arrays, f"{twin}.forward.bias": bias}, "lstm", "it")


def test_two_arrays_that_mean_one_weight_of_flax_are_refused() -> None:
    names = ("a.cell.dense_h.kernel", "a..cell.dense_h.kernel")
    with pytest.raises(FileError, match="is there under two names"):
        flax_state.saved(dict.fromkeys(names, ONE), "it")


@pytest.mark.parametrize(
    "names",
    [
        ("layers/a/cell/vars/0", "layers/a/forward_layer/cell/vars/0"),
        ("a/b/recurrent_kernel", "a/b/recurrent_kernel:0"),
        ("a/b/recurrent_kernel", "a/b/kernel", "a/b/kernel:0"),
        (
            *("a/forward_b/x/recurrent_kernel", "a/backward_b/x/recurrent_kernel"),
            "a/forward_c/x/recurrent_kernel",
        ),
    ],
)
def test_two_arrays_that_mean_one_weight_of_keras_are_refused(
    names: tuple[str, ...],
) -> None:
    data = hdf5.written(dict.fromkeys(names, ONE))
    with pytest.raises(FileError, match="is there under two names"):
        keras_file.saved_weights(data, "it")


def _initializer(model: ModelProto) -> None:
    model.graph.initializer.append(model.graph.initializer[0])


def _attribute(model: ModelProto) -> None:
    model.graph.node[0].attribute.append(model.graph.node[0].attribute[0])


@pytest.mark.parametrize("change", [_initializer, _attribute])
def test_what_an_onnx_model_has_twice_is_refused(
    change: Callable[[ModelProto], None],
) -> None:
    model = ModelProto.FromString(writers()["onnx"].write(layer(LONE)))
    recurrent = next(node for node in model.graph.node if node.op_type == "LSTM")
    del model.graph.node[:]
    model.graph.node.append(recurrent)
    change(model)
    try:
        said = onnx_file.saved(model.SerializeToString(), "it")[0].refused
    except FileError as error:
        said = str(error)
    assert "of one name" in said


def test_many_layers_of_one_name_are_told_apart_in_time() -> None:
    one = Saved("rnn", "it", "onnx", (), {}, lambda *_: {}, "")
    begun = time.process_time()
    found = by_name([one] * 50_000)
    assert time.process_time() - begun < 5
    assert list(found)[:3] == ["rnn", "rnn#2", "rnn#3"]
    assert len(found) == 50_000
