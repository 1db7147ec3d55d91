"""NumPy: no layers of its own, so every variant is the equations in its idiom."""

from rnn_parity_core import (
    FLOAT32_SUMS,
    Arithmetic,
    BackendInfo,
    Error,
    Gap,
    Implementation,
)

INFO = BackendInfo(
    name="numpy",
    adapter="rnn_parity_backends.on_numpy.adapter:NumpyBackend",
    requires={"numpy": "numpy"},
    install="pip install rnn-parity",
    implementations=tuple(
        Implementation(api, (variant,), by_hand=True, every_cell=True)
        for variant, api in {
            "basic": "x @ W + h @ U + b, step by step",
            "static": "a cell function over a list",
            "static_single": "np.unstack, cell function, np.stack",
            "dynamic": "a loop over time into one array",
            "variable_input": "the same loop, masked at each step",
            "variable_output": "a loop, np.argmax, until all rows stop",
        }.items()
    ),
    gaps=(
        Gap(
            "never",
            "NumPy has no automatic differentiation",
            tasks=("gradient", "sgd", "adam"),
        ),
    ),
    # NumPy 2.4 with AVX-512, float64 and float32: tanh 1.2 and 1.37, 1 / (1 + exp(-x))
    # 2.5 and 3.68; half precisions: all numbers tried, 0.5 and 2.04.
    # Near 0: of all float32 up to 1, with AVX-512 and AVX2 2.75, without either 2.0.
    accuracy={
        "float64": {"tanh": Error(2.0), "sigmoid": Error(3.0)},
        "float32": {"tanh": Error(2.0), "sigmoid": Error(4.0, near=((1.0, 3.25),))},
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
    },
    # Products of halves are summed in float32: tests/backends/test_accumulators.py.
    arithmetic=Arithmetic(FLOAT32_SUMS, recomputes=False),
)
