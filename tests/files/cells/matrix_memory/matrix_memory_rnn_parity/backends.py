"""What the two adapters do, and what they do not; imports no framework."""

from msgspec.structs import replace

from rnn_parity_core import BackendInfo, Error, Gap, Implementation

_CELLS = ("matrix_memory",)

TORCH = BackendInfo(
    name="matrix_memory_torch",
    adapter="matrix_memory_rnn_parity.torch_adapter:Backend",
    # Import name → distribution of everything that must be installed.
    requires={
        "torch": "torch",
        "matrix_memory_rnn_parity": "rnn-parity-matrix-memory",
    },
    install="pip install 'rnn-parity-matrix-memory[torch]'",
    implementations=(Implementation("torch_layer.Layer", ("dynamic",), _CELLS),),
    gaps=(
        Gap("notyet", "forward alone", directions=("reverse", "bidirectional")),
        Gap("notyet", "batch first alone", time_major=True),
        Gap("notyet", "no half precisions", dtypes=("bfloat16", "float16")),
        Gap("notyet", "no training", tasks=("sgd", "adam")),
    ),
    otherwise=(Gap("notyet", "matrix_memory as `dynamic` alone is adapted"),),
    # Largest errors in ulp of the functions that the cell uses.
    accuracy={
        "float64": {"tanh": Error(2.0), "sigmoid": Error(4.0)},
        "float32": {"tanh": Error(2.0), "sigmoid": Error(6.0, absolute=5e-39)},
    },
)
JAX = replace(
    TORCH,
    name="matrix_memory_jax",
    adapter="matrix_memory_rnn_parity.jax_adapter:Backend",
    requires={
        "jax": "jax",
        "matrix_memory_rnn_parity": "rnn-parity-matrix-memory",
    },
    install="pip install 'rnn-parity-matrix-memory[jax]'",
    implementations=(Implementation("jax_layer.layer", ("dynamic",), _CELLS),),
    accuracy={
        "float64": {"tanh": Error(8.0), "sigmoid": Error(4.0)},
        "float32": {"tanh": Error(5.0), "sigmoid": Error(3.0)},
    },
)
