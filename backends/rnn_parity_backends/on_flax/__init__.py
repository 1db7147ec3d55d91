"""Flax: the cells of `flax.nnx`, `nnx.RNN` and `nnx.Bidirectional`."""

from rnn_parity_backends.with_jax import XLA_CPU
from rnn_parity_core import (
    FLOAT32_SUMS,
    Arithmetic,
    BackendInfo,
    Choice,
    Gap,
    Implementation,
)

_LINK = "https://flax.readthedocs.io/en/latest/api_reference/flax.nnx/nn/recurrent.html"
_CALLED = {
    "rnn_tanh": "nnx.SimpleCell",
    "rnn_relu": "nnx.SimpleCell(nnx.relu)",
    "lstm": "nnx.LSTMCell",
    "gru": "nnx.GRUCell",
}
_LOOPED = {**_CALLED, "lstm": "nnx.OptimizedLSTMCell"}
_CALLS = {
    "static": "jit: {} over a list",
    "static_single": "jit: jnp.unstack, {}, jnp.stack",
    "variable_output": "jit: {} in lax.while_loop, jnp.argmax",
}
_LOOPS = {
    "dynamic": "jit: nnx.RNN({}); both directions: nnx.Bidirectional",
    "variable_input": (
        "jit: nnx.RNN({}), seq_lengths; past the end, where it runs on, zeroed after; "
        "no step: initial state put back"
    ),
}
_FUNCTIONS = ("tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign")
_TAKEN = (
    Choice(("recurrent_activation",), _FUNCTIONS),
    Choice(("activation", "output_activation"), _FUNCTIONS),
)

INFO = BackendInfo(
    name="flax",
    adapter="rnn_parity_backends.on_flax.adapter:FlaxBackend",
    requires={"jax": "jax", "jaxlib": "jaxlib", "optax": "optax", "flax": "flax"},
    install="pip install 'rnn-parity[flax]'",
    implementations=tuple(
        Implementation(how.format(name), (variant,), (cell,), choices=_TAKEN)
        for hows, names in ((_CALLS, _CALLED), (_LOOPS, _LOOPED))
        for variant, how in hows.items()
        for cell, name in names.items()
    ),
    accuracy=XLA_CPU,
    arithmetic=Arithmetic(FLOAT32_SUMS),
    options={"threads": 0},
    settings=("threads",),
    on_request="layers on top of jax, which always runs",
    gaps=(
        Gap(
            "never",
            "nnx.GRUCell has no recurrent bias of the candidate",
            cells=("gru",),
            biases=True,
            link=_LINK,
        ),
        Gap("notyet", "the adapter makes no updates", tasks=("sgd", "adam")),
    ),
    otherwise=(
        Gap(
            "never",
            "Flax has no recurrent operations below its cells; JAX's are those of the "
            "backend jax",
            variants=("basic",),
            link=_LINK,
        ),
        Gap(
            "never",
            f"Flax takes {', '.join(_FUNCTIONS)} of jax.nn here, and in an LSTM one "
            "function for the candidate and the cell state",
            cells=tuple(_CALLED),
            activations=True,
            link=_LINK,
        ),
        Gap(
            "never",
            "nnx has SimpleCell, LSTMCell and GRUCell: none with peepholes, a "
            "projection or the reset gate before the product",
            link=_LINK,
        ),
    ),
)
