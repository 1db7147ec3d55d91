"""tinygrad: tensor operations, and its one recurrent cell, `nn.LSTMCell`."""

from harness.backend import BackendInfo, Gap, Means

_LINK = "https://docs.tinygrad.org/nn/"

INFO = BackendInfo(
    name="tinygrad",
    adapter="backends.on_tinygrad.adapter:TinygradBackend",
    requires={"tinygrad": "tinygrad"},
    install="pip install 'rnn-parity[tinygrad]'",
    means=(
        Means("@, tanh, sigmoid, relu of Tensor", ("basic",), by_hand=True),
        Means("nn.LSTMCell over a list", ("static",), ("lstm",)),
        Means("Tensor.split, nn.LSTMCell, Tensor.stack", ("static_single",), ("lstm",)),
        Means(
            "nn.LSTMCell in a Python loop, Tensor.argmax",
            ("variable_output",),
            ("lstm",),
        ),
    ),
    elementwise_ulp={
        "tanh": {"float64": 3.0, "float32": 3.0, "bfloat16": 1.0, "float16": 1.0},
        "sigmoid": {"float64": 3.0, "float32": 3.0, "bfloat16": 2.0, "float16": 2.0},
    },
    elementwise_absolute={
        "tanh": {"float64": 4e-16, "float32": 2e-7},
        "sigmoid": {"float64": 2e-16, "float32": 1e-7},
    },
    options={"clang": False},
    settings=("clang",),
    on_request="interprets its kernels, or compiles them by clang: seconds a case",
    gaps=(
        Gap(
            "never",
            "tinygrad.nn has LSTMCell alone",
            cells=(
                "rnn_tanh",
                "rnn_relu",
                "lstm_peephole",
                "lstm_projection",
                "gru",
                "gru_reset_before",
            ),
            variants=("static", "static_single", "variable_output"),
            link=_LINK,
        ),
        Gap(
            "never",
            "tinygrad.nn has a cell alone: no loop over it, and nothing that knows of "
            "rows' lengths",
            variants=("dynamic", "variable_input"),
            link=_LINK,
        ),
        Gap(
            "notyet",
            "the adapter makes no updates",
            tasks=("sgd", "adam"),
        ),
    ),
)
