"""Keras 3 on its backends PyTorch and JAX: the layers that `tensorflow` has on its own.

Keras promotes float64 to float32 on every backend but TensorFlow (`DTYPE_MAP` of
keras/src/backend/common/dtypes.py), so that some of its operations compute in float32
what is then called float64: `ops.matmul` on PyTorch, `ops.tanh` on JAX. What is made of
these is a gap; what is not runs, and is held to float64.
"""

from msgspec.structs import replace

from rnn_parity_backends import with_keras
from rnn_parity_backends.with_jax import XLA_CPU
from rnn_parity_core import (
    FLOAT32_SUMS,
    Arithmetic,
    BackendInfo,
    Error,
    Gap,
    Implementation,
)

_LINK = (
    "https://github.com/keras-team/keras/blob/master/keras/src/backend/common/dtypes.py"
)
_DECODED = "ops.while_loop, ops.argmax"
_BY_HAND = "@, ops.tanh, ops.sigmoid, ops.relu"

INFO_TORCH = BackendInfo(
    name="keras:torch",
    adapter="rnn_parity_backends.on_keras.adapter_torch:TorchBackend",
    requires={"keras": "keras", "torch": "torch"},
    install="pip install 'rnn-parity[keras,torch]'",
    implementations=(
        Implementation(f"keras {_BY_HAND}", ("basic",), by_hand=True),
        *with_keras.implementations(_DECODED),
    ),
    # Keras 3.15 on PyTorch 2.13, CPU, 3 million numbers in float64 and float32: tanh
    # 0.64 and 0.56, sigmoid 2.40 and 2.34; half precisions: all numbers tried, 0.5.
    # nn.LSTM, whose sigmoid errs by more, Keras calls on a GPU alone.
    accuracy={
        "float64": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
        "float32": {"tanh": Error(1.0), "sigmoid": Error(3.0)},
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(1.0)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(1.0)},
    },
    arithmetic=Arithmetic(FLOAT32_SUMS),
    options={"threads": 0},
    settings=("threads",),
    on_request="the layers that tensorflow runs, on PyTorch",
    otherwise=(with_keras.NO_ACTIVATION, with_keras.NO_LAYER),
    gaps=(
        Gap(
            "never",
            "ops.matmul, which Keras' cells call, computes in float32 what is called "
            "float64",
            variants=("static", "static_single", "variable_input", "variable_output"),
            dtypes=("float64",),
            link=_LINK,
        ),
        Gap(
            "never",
            "ops.matmul computes in float32 what is called float64, and only LSTM and "
            "GRU(reset_after=True) have loops without it",
            cells=("rnn_tanh", "rnn_relu", "gru_reset_before"),
            variants=("dynamic",),
            dtypes=("float64",),
            link=_LINK,
        ),
        Gap(
            "wrong",
            "PyTorch's hardsigmoid has in float64 the slope 0.1666666716337204, which "
            "is float32's sixth",
            functions=("hard_sigmoid",),
            variants=("dynamic",),
            dtypes=("float64",),
            tasks=("gradient", "sgd", "adam"),
            link="https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cpu/"
            "Activation.cpp",
        ),
    ),
)

INFO_JAX = replace(
    INFO_TORCH,
    name="keras:jax",
    adapter="rnn_parity_backends.on_keras.adapter_jax:JaxBackend",
    requires={"keras": "keras", "jax": "jax", "jaxlib": "jaxlib"},
    install="pip install 'rnn-parity[keras,jax]'",
    implementations=(
        Implementation(f"jit: keras {_BY_HAND}", ("basic",), by_hand=True),
        *with_keras.implementations(_DECODED, "jit: keras"),
    ),
    # Measured as stated: tanh 4.86, sigmoid 2.38 in float32, 0.5 and 2.04 in halves.
    accuracy=XLA_CPU,
    on_request="the layers that tensorflow runs, on JAX; compiles each shape",
    gaps=(
        Gap(
            "never",
            "ops.tanh computes in float32 what is called float64",
            functions=("tanh",),
            dtypes=("float64",),
            link=_LINK,
        ),
    ),
)
