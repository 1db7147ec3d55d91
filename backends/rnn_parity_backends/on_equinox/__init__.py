"""Equinox: `eqx.nn.LSTMCell` and `eqx.nn.GRUCell`, cells of one row.

It has no loop of its own: its documentation scans a cell with `lax.scan`, and maps over
rows with `jax.vmap`.
"""

from rnn_parity_backends.with_jax import XLA_CPU
from rnn_parity_core import (
    FLOAT32_SUMS,
    Arithmetic,
    BackendInfo,
    Gap,
    Implementation,
)

_LINK = "https://docs.kidger.site/equinox/api/nn/rnn/"
_NAMES = {"lstm": "eqx.nn.LSTMCell", "gru": "eqx.nn.GRUCell"}
_HOW = {
    "static": "jit: jax.vmap({}) over a list",
    "static_single": "jit: jnp.unstack, jax.vmap({}), jnp.stack",
    "dynamic": "jit: jax.vmap of lax.scan({}); reverse: lax.scan(reverse)",
    "variable_output": "jit: jax.vmap({}) in lax.while_loop, jnp.argmax",
}

INFO = BackendInfo(
    name="equinox",
    adapter="rnn_parity_backends.on_equinox.adapter:EquinoxBackend",
    requires={
        "jax": "jax",
        "jaxlib": "jaxlib",
        "optax": "optax",
        "equinox": "equinox",
    },
    install="pip install 'rnn-parity[equinox]'",
    implementations=tuple(
        Implementation(how.format(name), (variant,), (cell,))
        for variant, how in _HOW.items()
        for cell, name in _NAMES.items()
    ),
    accuracy=XLA_CPU,
    arithmetic=Arithmetic(FLOAT32_SUMS),
    options={"threads": 0},
    settings=("threads",),
    on_request="layers on top of jax, which always runs",
    gaps=(Gap("notyet", "the adapter makes no updates", tasks=("sgd", "adam")),),
    otherwise=(
        Gap(
            "never",
            "Equinox has no operations of its own; JAX's are those of the backend jax",
            variants=("basic",),
            link=_LINK,
        ),
        Gap(
            "never",
            "eqx.nn has cells alone: nothing in it knows of rows' lengths",
            variants=("variable_input",),
            link=_LINK,
        ),
        Gap(
            "never",
            "eqx.nn.LSTMCell and GRUCell take no activations",
            activations=True,
            link=_LINK,
        ),
        Gap(
            "never",
            "eqx.nn has LSTMCell and GRUCell: no plain network, and none with "
            "peepholes, a projection or the reset gate before the product",
            link=_LINK,
        ),
    ),
)
