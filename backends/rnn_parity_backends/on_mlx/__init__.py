"""MLX: array operations, and the layers `nn.RNN`, `nn.LSTM` and `nn.GRU`."""

from rnn_parity_core import (
    FLOAT32_SUMS,
    Arithmetic,
    BackendInfo,
    Error,
    Gap,
    Implementation,
)

_LINK = "https://ml-explore.github.io/mlx/build/html/python/nn/layers.html"
_LAYERS = {
    "rnn_tanh": "nn.RNN",
    "rnn_relu": "nn.RNN(nonlinearity=nn.relu)",
    "lstm": "nn.LSTM",
    "gru": "nn.GRU",
}
_HOW = {
    "static": "{} of one step over a list",
    "static_single": "mx.unstack, {} of one step, mx.stack",
    "dynamic": "{}; reverse: flipped before and after",
    "variable_input": (
        "{} on padded rows; of its outputs, those past the end zeroed and the last "
        "valid states taken; reverse: rows gathered"
    ),
    "variable_output": "{} of one step in a Python loop, mx.argmax",
}

INFO = BackendInfo(
    name="mlx",
    adapter="rnn_parity_backends.on_mlx.adapter:MlxBackend",
    # What computes is a package of its own, a folder of `mlx`.
    requires={"mlx": "mlx", "mlx.lib": "mlx-cpu"},
    install="pip install 'rnn-parity[mlx]'",
    implementations=(
        Implementation("@, mx.tanh, mx.sigmoid, nn.relu", ("basic",), by_hand=True),
        *(
            Implementation(how.format(name), (variant,), (cell,))
            for variant, how in _HOW.items()
            for cell, name in _LAYERS.items()
        ),
    ),
    # MLX 0.32, CPU with AVX-512, millions of numbers in each: tanh 2.14 in float32, 2.1
    # in float64. The logistic function calls exp of float32 whatever the dtype
    # (mlx/backend/cpu/simd/math.h): in float64 it is off by 3.4e-8; in float32, where
    # exp's own argument is rounded and ulps grow to 64 at -88, 1.15 of them go beyond
    # 2.5e-8. Half precisions: all numbers tried, 0.5 and 1.42.
    accuracy={
        "float64": {"tanh": Error(3.0), "sigmoid": Error(0.0, absolute=4e-8)},
        "float32": {"tanh": Error(3.0), "sigmoid": Error(1.5, absolute=2.5e-8)},
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(2.0)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(2.0)},
    },
    arithmetic=Arithmetic(FLOAT32_SUMS),
    on_request="a framework for Apple's chips, here on the CPU",
    gaps=(
        Gap(
            "never",
            "mlx.optimizers.Adam corrects its moments by powers in float32: in float64 "
            "updates are off by up to 4e7 times what rounding can do",
            dtypes=("float64",),
            tasks=("adam",),
        ),
    ),
    otherwise=(
        Gap(
            "never",
            "nn.LSTM and nn.GRU take no activations; nn.RNN is told tanh or relu",
            activations=True,
            link=_LINK,
        ),
        Gap(
            "never",
            "mlx.nn has RNN, LSTM and GRU: none with peepholes, a projection or the "
            "reset gate before the product",
            link=_LINK,
        ),
    ),
)
