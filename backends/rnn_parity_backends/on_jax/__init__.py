"""JAX: operations, an unrolled cell and `lax.scan`, compiled (`jax`) or not.

JAX has no recurrent layer and no cell; a cell is a function of `jax.numpy`, the loops
and the compiler are JAX's, the optimisers Optax's.
"""

from msgspec.structs import replace

from rnn_parity_backends.with_jax import XLA_CPU
from rnn_parity_core import (
    ANY_ACTIVATION,
    FLOAT32_SUMS,
    TF32_UNIT,
    Arithmetic,
    BackendInfo,
    Error,
    Implementation,
)


def _loops(**apis: str) -> tuple[Implementation, ...]:
    """Name JAX' loops by variant; what they go through is cells by hand."""
    return tuple(
        Implementation(api, (variant,), choices=ANY_ACTIVATION)
        for variant, api in apis.items()
    )


INFO = BackendInfo(
    name="jax",
    adapter="rnn_parity_backends.on_jax.adapter:JaxBackend",
    requires={"jax": "jax", "jaxlib": "jaxlib", "optax": "optax"},
    install="pip install 'rnn-parity[jax]'",
    implementations=(
        Implementation("jit: jnp operations, step by step", ("basic",), by_hand=True),
        *_loops(
            static="jit: cell unrolled over a list",
            static_single="jit: jnp.unstack, cell, jnp.stack",
            dynamic="jit: lax.scan",
            variable_input="jit: lax.scan, masked by lengths",
            variable_output="jit: lax.while_loop, jnp.argmax",
        ),
    ),
    accuracy=XLA_CPU,
    # Products of halves are summed in float32: tests/backends/test_accumulators.py.
    arithmetic=Arithmetic(FLOAT32_SUMS),
    options={"device": "cpu", "jit": True, "tf32": False, "threads": 0},
    settings=("tf32", "threads"),
)

INFO_EAGER = replace(
    INFO,
    name="jax:eager",
    implementations=(
        Implementation("jnp operations, op by op", ("basic",), by_hand=True),
        *_loops(
            static="cell called over a list",
            static_single="jnp.unstack, cell, jnp.stack",
            dynamic="lax.scan outside jit",
            variable_input="lax.scan outside jit, masked by lengths",
            variable_output="lax.while_loop outside jit, jnp.argmax",
        ),
    ),
    options={**INFO.options, "jit": False},
)

INFO_CUDA = replace(
    INFO,
    name="jax@cuda",
    install="pip install 'rnn-parity[jax]' 'jax[cuda12]'",
    # Read and derived, not seen: there was no GPU to try. The table of functions in the
    # CUDA C++ Programming Guide has 2 ulp for tanh in float64, 1 for exp in float64 and
    # 2 in float32. In float32 XLA has a tanh of its own, the approximation that it has
    # for the CPU. The logistic function is 1 / (1 + exp(-x)); in units of 2^-53, its
    # relative error in float64 is at most 2 + 1 + 1, and in float32, in units of 2^-24,
    # 4 + 1 + 4, as XLA asks for the division that errs by 2 ulp (div.full); a unit is
    # no more than an ulp. In half precisions each of the three operations is rounded.
    accuracy={
        "float64": {"tanh": Error(2.0), "sigmoid": Error(4.0)},
        "float32": {"tanh": Error(5.0), "sigmoid": Error(9.0)},
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
    },
    arithmetic=Arithmetic(factor_units={"tf32": TF32_UNIT}),
    options={"device": "cuda", "jit": True, "tf32": False, "deterministic": True},
    settings=("tf32", "deterministic"),
    on_request="needs an NVIDIA GPU",
)
