"""TensorFlow: today's Keras layers, op by op or compiled, and the notebook's graph."""

from msgspec.structs import replace

from rnn_parity_backends import with_keras
from rnn_parity_core import (
    Arithmetic,
    BackendInfo,
    Choice,
    Error,
    Gap,
    Implementation,
    Scalar,
)

# Cells → TensorFlow 1's cell.
_V1 = {
    ("rnn_tanh",): "BasicRNNCell",
    ("rnn_relu",): "BasicRNNCell(tf.nn.relu)",
    ("lstm",): "BasicLSTMCell",
    ("lstm_peephole",): "LSTMCell(use_peepholes=True)",
    ("lstm_projection",): "LSTMCell(num_proj=P)",
    ("gru_reset_before",): "GRUCell",
}

_V1_TAKEN = Choice(
    ("activation", "output_activation"),
    ("sigmoid", "relu", "relu6", "linear", "softsign", "hard_sigmoid_5"),
)


def _v1_implementations() -> tuple[Implementation, ...]:
    """Name TensorFlow 1's loops and cells.

    Legacy cells always have biases, and LSTMs add 1 to the forget gate when they run.
    """
    found = []
    for cells, cell in _V1.items():
        calls = {
            "static": f"static_rnn({cell}) over a list",
            "static_single": f"tf.unstack, static_rnn({cell}), tf.stack",
            "dynamic": f"dynamic_rnn({cell})",
            "variable_input": f"dynamic_rnn({cell}, sequence_length)",
            "variable_output": f"tf.while_loop, {cell}, tf.argmax",
        }
        offset = "; its forget_bias of 1 taken off ours; 0 in training and for "
        offset += "biases that this would round"
        said = offset if "LSTM" in cell else ""
        said += "; no bias: zeros"
        found += [
            Implementation(api + said, (v,), cells, choices=(_V1_TAKEN,))
            for v, api in calls.items()
        ]
    return tuple(found)


_OPTIONS: dict[str, Scalar] = {"tf32": False, "deterministic": True, "threads": 0}

INFO = BackendInfo(
    name="tensorflow",
    adapter="rnn_parity_backends.on_tensorflow.adapter:KerasBackend",
    requires={"tensorflow": "tensorflow", "keras": "keras"},
    install="pip install 'rnn-parity[tensorflow]'",
    options=_OPTIONS | {"function": False},
    settings=(*_OPTIONS, "function"),
    implementations=(
        Implementation(
            "@, tf.tanh, tf.sigmoid, tf.nn.relu, eager", ("basic",), by_hand=True
        ),
        *with_keras.implementations("tf.function, tf.while_loop, tf.argmax"),
    ),
    # TensorFlow 2.21, CPU, float64 and float32: tanh 7.8 and 6.14, sigmoid 2.5 and 6.58
    # were the largest seen; half precisions: all numbers tried, 0.5 and 1.76.
    # Up to 1, 40 million numbers: tanh 2.72, sigmoid 4.35.
    accuracy={
        "float64": {"tanh": Error(8.0), "sigmoid": Error(4.0)},
        "float32": {
            "tanh": Error(7.0, near=((1.0, 3.5),)),
            "sigmoid": Error(7.0, near=((1.0, 5.5),)),
        },
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
    },
    # Sums are kept in float32: tests/backends/test_accumulators.py. Those of bfloat16
    # too, but what is behind its last place is then cut off, where others round.
    arithmetic=Arithmetic({"float16": "float32"}, recomputes=False),
    otherwise=(with_keras.NO_ACTIVATION, with_keras.NO_LAYER),
)

INFO_XLA = BackendInfo(
    name="tensorflow:xla",
    adapter="rnn_parity_backends.on_tensorflow.adapter_xla:XlaBackend",
    requires=INFO.requires,
    install=INFO.install,
    options=_OPTIONS,
    settings=tuple(_OPTIONS),
    on_request="compiles each shape: 0.7 s, up to 17; 10 times tensorflow's cost",
    implementations=tuple(
        replace(means, api=f"jit_compile: {means.api.removesuffix(', eager')}")
        for means in INFO.implementations
    ),
    # TensorFlow 2.21, CPU with AVX-512, 60 million numbers in each of float64 and
    # float32: tanh 6.78 and 4.80, sigmoid 2.45 and 2.48 were the largest seen. Half
    # precisions, all numbers tried: tanh 0.50 and 0.37, sigmoid 0.50 and 1.69.
    accuracy={
        "float64": {"tanh": Error(8.0), "sigmoid": Error(3.0)},
        "float32": {"tanh": Error(6.0), "sigmoid": Error(3.0)},
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(1.0)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(2.0)},
    },
    otherwise=INFO.otherwise,
)

INFO_V1 = BackendInfo(
    name="tensorflow:v1",
    adapter="rnn_parity_backends.on_tensorflow.adapter_v1:GraphBackend",
    requires={"tensorflow": "tensorflow", "tf_keras": "tf_keras"},
    install=INFO.install,
    options=_OPTIONS,
    settings=tuple(_OPTIONS),
    implementations=(
        Implementation(
            "@, tf.tanh, tf.sigmoid, tf.nn.relu in a graph", ("basic",), by_hand=True
        ),
        *_v1_implementations(),
    ),
    accuracy=INFO.accuracy,
    arithmetic=INFO.arithmetic,
    otherwise=(
        Gap(
            "never",
            "TensorFlow 1's cells take one function, for the candidate and the cell "
            f"state, of tanh, {', '.join(_V1_TAKEN.functions)}; gates are sigmoid",
            cells=tuple(cell for cells in _V1 for cell in cells),
            activations=True,
        ),
        Gap(
            "never",
            "TensorFlow 1's GRUCell resets before the product, and it has no other",
            link="https://www.tensorflow.org/api_docs/python/tf/compat/v1/nn/rnn_cell/"
            "GRUCell",
        ),
    ),
)
