"""NumPy: no layers of its own, so every variant is the equation in its idiom."""

from harness.backend import BackendInfo

INFO = BackendInfo(
    name="numpy",
    adapter="backends.on_numpy.adapter:NumpyBackend",
    requires={"numpy": "numpy"},
    install="pip install rnn-parity",
    apis={
        "basic": "x @ W + h @ U + b, tanh",
        "static": "a cell function over a list",
        "static_single": "np.unstack, cell function, np.stack",
        "dynamic": "one product for all inputs, then a loop in place",
    },
    # NumPy 2.4 with AVX-512: 1.37 and 1.1 were the largest seen.
    elementwise_ulp={"tanh": {"float32": 2.0, "float64": 2.0}},
)
