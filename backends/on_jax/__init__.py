"""JAX: operations, an unrolled cell and `lax.scan`, compiled (`jax`) or not.

JAX has no recurrent layer; the cell is a function of `jax.numpy`, the loop is JAX's.
"""

from harness.backend import BackendInfo

INFO = BackendInfo(
    name="jax",
    adapter="backends.on_jax.adapter:JaxBackend",
    requires={"jax": "jax", "jaxlib": "jaxlib"},
    install="pip install 'rnn-parity[jax]'",
    apis={
        "basic": "jit: jnp.matmul, jnp.tanh",
        "static": "jit: cell unrolled over a list",
        "static_single": "jit: jnp.unstack, cell, jnp.stack",
        "dynamic": "jit: lax.scan",
    },
    # JAX 0.10.2, CPU: 4.53 and 6.5 were the largest seen.
    elementwise_ulp={"tanh": {"float32": 5.0, "float64": 8.0}},
    options={"jit": True},
)

INFO_EAGER = BackendInfo(
    name="jax:eager",
    adapter=INFO.adapter,
    requires=INFO.requires,
    install=INFO.install,
    apis={
        "basic": "jnp.matmul, jnp.tanh, op by op",
        "static": "cell called over a list",
        "static_single": "jnp.unstack, cell, jnp.stack",
        "dynamic": "lax.scan outside jit",
    },
    elementwise_ulp=INFO.elementwise_ulp,
    options={"jit": False},
)
