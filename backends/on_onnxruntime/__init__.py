"""ONNX Runtime: the operators RNN, LSTM and GRU of models made here, on the CPU."""

from harness.backend import BackendInfo, Means

# Cells → ONNX's operator, and what it is told to be one of them.
_OPERATORS = {
    ("rnn_tanh",): "RNN",
    ("rnn_relu",): "RNN(activations=Relu)",
    ("lstm",): "LSTM",
    ("lstm_peephole",): "LSTM(P)",
    ("gru",): "GRU(linear_before_reset=1)",
    ("gru_reset_before",): "GRU(linear_before_reset=0)",
}


def _means() -> tuple[Means, ...]:
    found = []
    for cells, operator in _OPERATORS.items():
        calls = {
            "static": f"{operator} of seq_length 1 over a list",
            "static_single": f"Split, {operator} of seq_length 1, Concat",
            "dynamic": f"{operator}; batch-major: Transpose before and after",
            "variable_input": f"{operator}, sequence_lens",
            "variable_output": f"Loop over every step, {operator} of seq_length 1, "
            "ArgMax, Where; no early stop",
        }
        found += [Means(api, (v,), cells) for v, api in calls.items()]
    return tuple(found)


INFO = BackendInfo(
    name="onnxruntime",
    adapter="backends.on_onnxruntime.adapter:OnnxRuntimeBackend",
    requires={"onnx": "onnx", "onnxruntime": "onnxruntime"},
    install="pip install 'rnn-parity[onnxruntime]'",
    means=(
        Means("MatMul, Add, Mul, Tanh, Sigmoid, Relu", ("basic",), by_hand=True),
        *_means(),
    ),
    elementwise_ulp={
        "tanh": {"float64": 2.0, "float32": 3.0, "bfloat16": 1.0, "float16": 1.0},
        "sigmoid": {"float64": 3.0, "float32": 0.0, "bfloat16": 1.0, "float16": 1.0},
    },
    elementwise_absolute={"tanh": {"float32": 1.6e-7}, "sigmoid": {"float32": 2e-7}},
    options={"threads": 0},
    settings=("threads",),
    on_request="a second engine for the same operators",
)
