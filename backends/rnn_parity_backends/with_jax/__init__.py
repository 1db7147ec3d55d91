"""What the backends on JAX share: its process, its arrays, loops over cells, gradients.

This module imports nothing of JAX; those beside it do.
"""

from rnn_parity_core import Error

# JAX 0.10.2, CPU, float64 and float32: tanh 6.5 and 4.90, sigmoid 2.5 and 2.48 were
# the largest seen; half precisions: all numbers tried, 0.5 and 2.04. Flax, Equinox and
# Haiku call the same functions, and measure the same.
XLA_CPU = {
    "float64": {"tanh": Error(8.0), "sigmoid": Error(4.0)},
    "float32": {"tanh": Error(5.0), "sigmoid": Error(3.0)},
    "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
    "float16": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
}
