"""tinygrad: tensor operations, and its one recurrent cell, `nn.LSTMCell`."""

from rnn_parity_core import (
    FLOAT32_SUMS,
    Arithmetic,
    BackendInfo,
    Error,
    Gap,
    Implementation,
)

_LINK = "https://docs.tinygrad.org/nn/"

INFO = BackendInfo(
    name="tinygrad",
    adapter="rnn_parity_backends.on_tinygrad.adapter:TinygradBackend",
    requires={"tinygrad": "tinygrad"},
    install="pip install 'rnn-parity[tinygrad]'",
    implementations=(
        Implementation("@, tanh, sigmoid, relu of Tensor", ("basic",), by_hand=True),
        Implementation("nn.LSTMCell over a list", ("static",), ("lstm",)),
        Implementation(
            "Tensor.split, nn.LSTMCell, Tensor.stack", ("static_single",), ("lstm",)
        ),
        Implementation(
            "nn.LSTMCell in a Python loop, Tensor.argmax",
            ("variable_output",),
            ("lstm",),
        ),
    ),
    # tinygrad 0.14, interpreted and compiled by clang: the logistic function is off by
    # 0.8 of the spacing after 1 anywhere, tanh, which is 2 sigmoid(2 x) - 1, by 1.6; of
    # that 1.5 and 1.2 ulp go beyond what is stated as absolute. Half precisions, all
    # numbers tried, are rounded operation by operation, float16 not where it is
    # interpreted by a Python before 3.12.
    accuracy={
        "float64": {
            "tanh": Error(1.5, absolute=2.3e-16),
            "sigmoid": Error(2.0, absolute=2.8e-17),
        },
        "float32": {
            "tanh": Error(1.5, absolute=1.2e-7),
            "sigmoid": Error(2.0, absolute=1.5e-8),
        },
        "bfloat16": {
            "tanh": Error(1.5, absolute=8e-3),
            "sigmoid": Error(2.0, absolute=1e-3),
        },
        "float16": {
            "tanh": Error(1.5, absolute=2.5e-4),
            "sigmoid": Error(2.0, absolute=1.25e-4),
        },
    },
    arithmetic=Arithmetic(FLOAT32_SUMS),
    options={"clang": False},
    settings=("clang",),
    on_request="interprets its kernels, or compiles them by clang: seconds a case",
    gaps=(Gap("notyet", "the adapter makes no updates", tasks=("sgd", "adam")),),
    otherwise=(
        Gap(
            "never",
            "tinygrad.nn.LSTMCell takes no activations",
            activations=True,
            link=_LINK,
        ),
        Gap(
            "never",
            "tinygrad.nn has LSTMCell alone",
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
    ),
)
