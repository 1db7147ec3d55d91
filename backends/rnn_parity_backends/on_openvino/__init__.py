"""OpenVINO: the operators RNN, LSTM and GRU of models made here, on the CPU."""

from rnn_parity_core import BackendInfo, Choice, Error, Gap, Implementation

# Cells → OpenVINO's operators, less the word for a cell or a sequence.
_OPERATORS = {
    ("rnn_tanh",): ("RNN", ""),
    ("rnn_relu",): ("RNN", "(relu)"),
    ("lstm",): ("LSTM", ""),
    ("gru",): ("GRU", "(linear_before_reset)"),
    ("gru_reset_before",): ("GRU", ""),
}

_FUNCTIONS = ("tanh", "sigmoid", "relu")
# One of `activations` for each place.
_TAKEN = tuple(
    Choice((place,), _FUNCTIONS)
    for place in ("recurrent_activation", "activation", "output_activation")
)


def _means() -> tuple[Implementation, ...]:
    found = []
    for cells, (operator, told) in _OPERATORS.items():
        cell, sequence = f"{operator}Cell{told}", f"{operator}Sequence{told}"
        calls = {
            "static": f"{cell} over a list",
            "static_single": f"Split, {cell}, Concat",
            "dynamic": f"{sequence}; time-major: Transpose before and after",
            "variable_input": f"{sequence}, sequence_lengths",
            "variable_output": f"Loop, {cell}, TopK, Select",
        }
        found += [
            Implementation(api, (v,), cells, choices=_TAKEN) for v, api in calls.items()
        ]
    return tuple(found)


_DOCS = "https://docs.openvino.ai/2026/documentation/openvino-ir-format"

INFO = BackendInfo(
    name="openvino",
    adapter="rnn_parity_backends.on_openvino.adapter:OpenVinoBackend",
    requires={"openvino": "openvino"},
    install="pip install 'rnn-parity[openvino]'",
    implementations=(
        Implementation(
            "MatMul, Add, Multiply, Tanh, Sigmoid, Relu", ("basic",), by_hand=True
        ),
        *_means(),
    ),
    # OpenVINO 2026.4, CPU with AVX-512, 30 million numbers: tanh 1.21, sigmoid 4.06
    # beyond what is stated absolutely, for from -86.99 on it is 0, which is 1.67e-38
    # off. Half precisions are float32 between casts: all numbers tried, 0.5.
    # sigmoid up to 1, 6 million numbers: 2.18.
    accuracy={
        "float32": {
            "tanh": Error(1.5),
            "sigmoid": Error(5.0, near=((1.0, 2.75),), absolute=5e-39),
        },
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(1.0, absolute=5e-39)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(1.0)},
    },
    # No accumulators: states stay float32 between steps of half precisions too, which
    # only the bound for sums of halves allows.
    options={"precision": "f32", "threads": 0},
    settings=("precision", "threads"),
    on_request="a third engine for the operators of models",
    gaps=(
        Gap(
            "never",
            "OpenVINO runs models, and trains none",
            tasks=("gradient", "sgd", "adam"),
        ),
        Gap(
            "never",
            "OpenVINO's CPU plugin computes float64 in float32 and says float64",
            dtypes=("float64",),
        ),
        Gap(
            "never",
            "a row of length 0 ends in zeros, not in its initial states",
            variants=("variable_input",),
            zero_length=True,
        ),
    ),
    otherwise=(
        Gap(
            "never",
            "OpenVINO's operators take tanh, sigmoid and relu; the CPU plugin refuses "
            "others, hardsigmoid too, as it compiles a model",
            cells=tuple(cell for cells in _OPERATORS for cell in cells),
            activations=True,
        ),
        Gap(
            "never",
            "OpenVINO's LSTMCell and LSTMSequence have no peepholes and no projection",
            link=f"{_DOCS}/operation-sets/operation-specs/sequence/lstm-sequence-1.html",
        ),
    ),
)
