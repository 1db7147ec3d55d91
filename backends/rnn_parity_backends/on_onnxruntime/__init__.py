"""ONNX Runtime: the operators RNN, LSTM and GRU of models made here, on the CPU."""

from rnn_parity_core import BackendInfo, Choice, Error, Gap, Implementation

# Cells → ONNX's operator, and what it is told to be one of them.
_OPERATORS = {
    ("rnn_tanh",): "RNN",
    ("rnn_relu",): "RNN(activations=Relu)",
    ("lstm",): "LSTM",
    ("lstm_peephole",): "LSTM(P)",
    ("gru",): "GRU(linear_before_reset=1)",
    ("gru_reset_before",): "GRU(linear_before_reset=0)",
}

_FUNCTIONS = (
    *("tanh", "sigmoid", "relu", "linear", "softsign"),
    *("hard_sigmoid", "hard_sigmoid_5"),
)
# One attribute of a name for each place.
_TAKEN = tuple(
    Choice((place,), _FUNCTIONS)
    for place in ("recurrent_activation", "activation", "output_activation")
)


def _means() -> tuple[Implementation, ...]:
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
        found += [
            Implementation(api, (v,), cells, choices=_TAKEN) for v, api in calls.items()
        ]
    return tuple(found)


_BEYOND_BASIC = (
    "static",
    "static_single",
    "dynamic",
    "variable_input",
    "variable_output",
)
_KERNELS = "https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md"

_GAPS = (
    Gap(
        "never",
        "onnxruntime runs models, and trains none",
        tasks=("gradient", "sgd", "adam"),
    ),
    Gap(
        "never",
        "ONNX Runtime has no CPU kernels for bfloat16",
        dtypes=("bfloat16",),
        link=_KERNELS,
    ),
    Gap(
        "never",
        "ONNX Runtime has CPU kernels of RNN, LSTM and GRU for float32 alone: LSTM and "
        "GRU are registered for float64 too, and refuse it when they run",
        variants=_BEYOND_BASIC,
        dtypes=("float64",),
        link=_KERNELS,
    ),
    Gap(
        "never",
        "Y_h and Y_c of a row of length 0 are 0, not its initial states, which ONNX "
        "leaves open",
        variants=("variable_input",),
        zero_length=True,
        link="https://github.com/onnx/onnx/issues/1674",
    ),
)

INFO = BackendInfo(
    name="onnxruntime",
    adapter="rnn_parity_backends.on_onnxruntime.adapter:OnnxRuntimeBackend",
    requires={"onnx": "onnx", "onnxruntime": "onnxruntime"},
    install="pip install 'rnn-parity[onnxruntime]'",
    implementations=(
        Implementation(
            "MatMul, Add, Mul, Tanh, Sigmoid, Relu", ("basic",), by_hand=True
        ),
        *_means(),
    ),
    # ONNX Runtime 1.32, CPU with AVX-512. float32, 30 million numbers in each kernel:
    # tanh and sigmoid are MLAS' rational approximations, off by 3.25e-7 (tanh, near
    # 8.5, where it is 1.00000024) and 1.78e-7 (sigmoid, anywhere; 0 from -18 on), and
    # RNN's tanh is 2 sigmoid(2 x) - 1, off by 1.4e-7 near 0, where ulps say nothing;
    # of tanh 2.94 ulp go beyond 1.5e-7. float16 is float32 between casts: 0.5 ulp.
    # float64 in `basic` alone: tanh 7.8 ulp, sigmoid 2e-16 anywhere. GRU's tanh is off
    # by 6e-7 from 8 on: 7.6 ulp beyond what is absolute, 3.9 ulp up to there. Its reset
    # gate is off by 3.01e-7, and below 0, from -18 on: -2.4e-7 where it should be none.
    accuracy={
        "float64": {"tanh": Error(8.0), "sigmoid": Error(0.0, absolute=3e-16)},
        "float32": {
            "tanh": Error(9.5, near=((8.0, 5.0),), absolute=1.5e-7),
            "sigmoid": Error(0.0, absolute=3.2e-7),
        },
        "float16": {
            "tanh": Error(1.0, absolute=1.5e-7),
            "sigmoid": Error(1.0, absolute=3.2e-7),
        },
    },
    # Not of float16, whose sums are float32's: states stay float32 between steps too,
    # which only the bound for sums of halves allows.
    gaps=_GAPS,
    otherwise=(
        Gap(
            "never",
            f"of these functions ONNX' operators have {', '.join(_FUNCTIONS)}",
            cells=tuple(cell for cells in _OPERATORS for cell in cells),
            activations=True,
            link="https://onnx.ai/onnx/operators/onnx__LSTM.html",
        ),
        Gap(
            "never",
            "ONNX's LSTM has no projection",
            link="https://onnx.ai/onnx/operators/onnx__LSTM.html",
        ),
    ),
    options={"threads": 0},
    settings=("threads",),
    on_request="a second engine for the same operators",
)
