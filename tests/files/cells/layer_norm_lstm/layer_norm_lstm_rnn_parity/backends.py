"""What the two adapters do, and what they do not; imports no framework."""

from msgspec.structs import replace

from rnn_parity_core import BackendInfo, Error, Gap, Implementation

_CELLS = ("layer_norm_lstm",)

TORCH = BackendInfo(
    name="layer_norm_lstm_torch",
    adapter="layer_norm_lstm_rnn_parity.torch_adapter:Backend",
    # Import name → distribution of everything that must be installed.
    requires={
        "torch": "torch",
        "layer_norm_lstm_rnn_parity": "rnn-parity-layer-norm-lstm",
    },
    install="pip install 'rnn-parity-layer-norm-lstm[torch]'",
    implementations=(Implementation("torch_layer.Layer", ("dynamic",), _CELLS),),
    gaps=(
        Gap("notyet", "forward alone", directions=("reverse", "bidirectional")),
        Gap("notyet", "batch first alone", time_major=True),
        Gap("notyet", "no half precisions", dtypes=("bfloat16", "float16")),
        Gap("notyet", "no training", tasks=("sgd", "adam")),
    ),
    otherwise=(Gap("notyet", "layer_norm_lstm as `dynamic` alone is adapted"),),
    # Largest errors in ulp of the functions that the cell uses.
    accuracy={
        "float64": {"tanh": Error(2.0), "sigmoid": Error(4.0)},
        "float32": {"tanh": Error(2.0), "sigmoid": Error(6.0, absolute=5e-39)},
    },
)
JAX = replace(
    TORCH,
    name="layer_norm_lstm_jax",
    adapter="layer_norm_lstm_rnn_parity.jax_adapter:Backend",
    requires={
        "jax": "jax",
        "layer_norm_lstm_rnn_parity": "rnn-parity-layer-norm-lstm",
    },
    install="pip install 'rnn-parity-layer-norm-lstm[jax]'",
    implementations=(Implementation("jax_layer.layer", ("dynamic",), _CELLS),),
    accuracy={
        "float64": {"tanh": Error(8.0), "sigmoid": Error(4.0)},
        "float32": {"tanh": Error(5.0), "sigmoid": Error(3.0)},
    },
)
