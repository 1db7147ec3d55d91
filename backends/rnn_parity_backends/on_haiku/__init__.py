"""Haiku: `hk.VanillaRNN`, `hk.LSTM`, `hk.GRU`, `hk.static_unroll`, `dynamic_unroll`.

Haiku's LSTM adds 1 to its forget gate, and its GRU has z on the candidate: both are
taken off the weights on their way in.
"""

from rnn_parity_backends.with_jax import XLA_CPU
from rnn_parity_core import (
    FLOAT32_SUMS,
    Arithmetic,
    BackendInfo,
    Gap,
    Implementation,
)

_LINK = "https://dm-haiku.readthedocs.io/en/latest/api.html#recurrent"
_NAMES = {
    "rnn_relu": "hk.VanillaRNN",
    "lstm": "hk.LSTM (forget bias less 1)",
    "gru_reset_before": "hk.GRU (z negated)",
}
_HOW = {
    "static": "jit: {} over a list",
    "static_single": "jit: hk.static_unroll of {}; reverse: jnp.flip before and after",
    "dynamic": "jit: hk.dynamic_unroll of {}",
    "variable_output": "jit: {} in lax.while_loop, jnp.argmax",
}

INFO = BackendInfo(
    name="haiku",
    adapter="rnn_parity_backends.on_haiku.adapter:HaikuBackend",
    requires={"jax": "jax", "jaxlib": "jaxlib", "optax": "optax", "haiku": "dm-haiku"},
    install="pip install 'rnn-parity[haiku]'",
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
    gaps=(
        Gap(
            "never",
            "hk.LSTM always adds 1 to its forget bias, and a forget bias of this layer "
            "less 1 has no number in its dtype: Haiku cannot hold these weights",
            cells=("lstm",),
            biases=True,
            depends_on_data=True,
            link=_LINK,
        ),
        Gap("notyet", "the adapter makes no updates", tasks=("sgd", "adam")),
    ),
    otherwise=(
        Gap(
            "never",
            "Haiku has no recurrent operations below its cores; JAX's are those of "
            "the backend jax",
            variants=("basic",),
            link=_LINK,
        ),
        Gap(
            "never",
            "neither unroll takes rows' lengths",
            variants=("variable_input",),
            link=_LINK,
        ),
        Gap(
            "never",
            "hk.LSTM, hk.GRU and hk.VanillaRNN take no activations",
            activations=True,
            link=_LINK,
        ),
        Gap(
            "never",
            "hk.VanillaRNN has the rectifier and no other, hk.GRU resets before the "
            "product, hk.LSTM has neither peepholes nor a projection",
            link=_LINK,
        ),
    ),
)
