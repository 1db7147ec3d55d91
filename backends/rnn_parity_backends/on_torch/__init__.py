"""PyTorch: tensor operations, `nn.*Cell` and the layers of `nn`.

On the CPU operation by operation (`torch`) or each case compiled (`torch:compile`), and
on a GPU (`torch@cuda`).
"""

from msgspec.structs import replace

from rnn_parity_core import (
    FLOAT32_SUMS,
    TF32_UNIT,
    Arithmetic,
    BackendInfo,
    Error,
    Gap,
    Implementation,
)

_CELL = "over a list, one cell for each layer and direction"
_UNBOUND = "over x.unbind(1), torch.stack"
_PACKED = "on pack_padded_sequence, pad_packed_sequence; reverse: rows gathered"
_FED = "in a Python loop, torch.argmax"
_FLIPPED = "batch_first unless time-major; reverse: torch.flip before and after"

_NO_ACTIVATION = Gap(
    "never",
    "nn.LSTM and nn.GRU take no activations, nn.RNN tanh and relu alone",
    activations=True,
    link="https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers",
)
_NO_CELL = Gap(
    "never",
    "nn has RNNCell, LSTMCell and GRUCell: none with peepholes, a projection "
    "or the reset gate before the product",
    variants=("static", "static_single", "variable_output"),
    link="https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers",
)
_NO_LAYER = Gap(
    "never",
    "nn.LSTM has no peepholes, nn.GRU resets after the product",
    variants=("dynamic", "variable_input"),
    link="https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html",
)
_FULL_PROJECTION = Gap(
    "never",
    "nn.LSTM wants proj_size smaller than hidden_size",
    cells=("lstm_projection",),
    variants=("dynamic", "variable_input"),
    full_projection=True,
    link="https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html",
)
_NO_ZERO_LENGTH = Gap(
    "never",
    "pack_padded_sequence refuses rows of length 0",
    variants=("variable_input",),
    zero_length=True,
    link="https://docs.pytorch.org/docs/stable/generated/"
    "torch.nn.utils.rnn.pack_padded_sequence.html",
)

_SIGMOID = Error(6.0, near=((1.0, 2.5), (8.0, 4.0)), absolute=5e-39)
"""The logistic function in float32; where this is from is said beside the others."""

INFO = BackendInfo(
    name="torch",
    adapter="rnn_parity_backends.on_torch.adapter:TorchBackend",
    requires={"torch": "torch"},
    install="pip install 'rnn-parity[torch]'",
    implementations=(
        Implementation(
            "@, torch.tanh, torch.sigmoid, torch.relu", ("basic",), by_hand=True
        ),
        Implementation(f"nn.RNNCell {_CELL}", ("static",), ("rnn_tanh", "rnn_relu")),
        Implementation(f"nn.LSTMCell {_CELL}", ("static",), ("lstm",)),
        Implementation(f"nn.GRUCell {_CELL}", ("static",), ("gru",)),
        Implementation(
            f"nn.RNNCell {_UNBOUND}", ("static_single",), ("rnn_tanh", "rnn_relu")
        ),
        Implementation(f"nn.LSTMCell {_UNBOUND}", ("static_single",), ("lstm",)),
        Implementation(f"nn.GRUCell {_UNBOUND}", ("static_single",), ("gru",)),
        Implementation(f"nn.RNN, {_FLIPPED}", ("dynamic",), ("rnn_tanh", "rnn_relu")),
        Implementation(f"nn.LSTM, {_FLIPPED}", ("dynamic",), ("lstm",)),
        Implementation(
            f"nn.LSTM(proj_size), {_FLIPPED}", ("dynamic",), ("lstm_projection",)
        ),
        Implementation(f"nn.GRU, {_FLIPPED}", ("dynamic",), ("gru",)),
        Implementation(
            f"nn.RNN {_PACKED}", ("variable_input",), ("rnn_tanh", "rnn_relu")
        ),
        Implementation(f"nn.LSTM {_PACKED}", ("variable_input",), ("lstm",)),
        Implementation(
            f"nn.LSTM(proj_size) {_PACKED}", ("variable_input",), ("lstm_projection",)
        ),
        Implementation(f"nn.GRU {_PACKED}", ("variable_input",), ("gru",)),
        Implementation(
            f"nn.RNNCell {_FED}", ("variable_output",), ("rnn_tanh", "rnn_relu")
        ),
        Implementation(f"nn.LSTMCell {_FED}", ("variable_output",), ("lstm",)),
        Implementation(f"nn.GRUCell {_FED}", ("variable_output",), ("gru",)),
    ),
    # PyTorch 2.13, CPU, float64 and float32: tanh 0.75 and 0.51, sigmoid 2.5 and 2.40
    # at most; but nn.LSTM in float32 is oneDNN's kernel, seen to err by 1.22 and, down
    # to -86.5, 4.70; from there on by 5.72, and from -86.99 on its sigmoid is 0, which
    # is 1.67e-38 off. Half precisions: all numbers tried, 0.5.
    #
    # Near 0: own kernels by default, with AVX2 and AVX-512: tanh 0.51, sigmoid 2.0 up
    # to 8. oneDNN's limited to SSE 4.1, AVX, AVX2 and AVX-512 in turn, millions of
    # numbers in each: tanh 0.99 up to 4, sigmoid 2.12 up to 1 and 3.29 up to 8.
    #
    # In bfloat16, where the processor computes it itself (AVX512_BF16, AMX), oneDNN's
    # LSTM gives 0 at -87, where the logistic function is 1.65e-38.
    accuracy={
        "float64": {"tanh": Error(2.0), "sigmoid": Error(3.0)},
        "float32": {"tanh": Error(1.5, near=((4.0, 1.25),)), "sigmoid": _SIGMOID},
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(1.0, absolute=2e-38)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(1.0)},
    },
    # Products of halves are summed in float32: tests/backends/test_accumulators.py.
    arithmetic=Arithmetic(FLOAT32_SUMS, recomputes=False),
    options={"device": "cpu", "tf32": False, "deterministic": True, "threads": 0},
    settings=("tf32", "deterministic", "threads"),
    gaps=(_FULL_PROJECTION, _NO_ZERO_LENGTH),
    otherwise=(_NO_ACTIVATION, _NO_CELL, _NO_LAYER),
)

# Dynamo unrolls layers into their steps, but for nn.LSTM without a projection, in
# float32 and bfloat16 and without gradients: oneDNN's layer, called by the program.
_UNROLLED = "one graph: {}, unrolled into its steps; reverse: torch.flip"
_ONEDNN = "one graph: nn.LSTM, unrolled; forward in f32, bf16: mkldnn_rnn_layer"
_ALL_STEPS = "one graph: {} over every step, torch.argmax, torch.where; no early stop"

INFO_COMPILE = replace(
    INFO,
    name="torch:compile",
    adapter="rnn_parity_backends.on_torch.compiled:CompiledBackend",
    implementations=(
        Implementation(
            "one graph: @, torch.tanh, torch.sigmoid", ("basic",), by_hand=True
        ),
        *(
            Implementation(f"one graph: {name} {how}", (variant,), cells)
            for variant, how in (("static", _CELL), ("static_single", _UNBOUND))
            for name, cells in (
                ("nn.RNNCell", ("rnn_tanh", "rnn_relu")),
                ("nn.LSTMCell", ("lstm",)),
                ("nn.GRUCell", ("gru",)),
            )
        ),
        Implementation(
            _UNROLLED.format("nn.RNN"), ("dynamic",), ("rnn_tanh", "rnn_relu")
        ),
        Implementation(_ONEDNN, ("dynamic",), ("lstm",)),
        Implementation(
            _UNROLLED.format("nn.LSTM(proj_size)"), ("dynamic",), ("lstm_projection",)
        ),
        Implementation(_UNROLLED.format("nn.GRU"), ("dynamic",), ("gru",)),
        Implementation(
            _ALL_STEPS.format("nn.RNNCell"),
            ("variable_output",),
            ("rnn_tanh", "rnn_relu"),
        ),
        Implementation(
            _ALL_STEPS.format("nn.LSTMCell"), ("variable_output",), ("lstm",)
        ),
        Implementation(_ALL_STEPS.format("nn.GRUCell"), ("variable_output",), ("gru",)),
    ),
    # PyTorch 2.13, CPU, AVX-512, over 110 million float32 and 4 million float64: tanh
    # 1.0, sigmoid 2.46 in vectors (Sleef), tanh 2.12, sigmoid 2.35 in what is left over
    # (libm). oneDNN's nn.LSTM as above. Half precisions are computed in float32: 0.5.
    # tanh in libm errs by 2.17 near 0 too.
    accuracy={
        "float64": {"tanh": Error(3.0), "sigmoid": Error(3.0)},
        "float32": {"tanh": Error(3.0), "sigmoid": _SIGMOID},
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(1.0, absolute=2e-38)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(1.0)},
    },
    arithmetic=Arithmetic(),  # accumulators are not measured
    on_request="compiles every case: 5 to 30 s each on 2 cores, minutes for long ones",
    gaps=(
        _FULL_PROJECTION,
        Gap(
            "never",
            "mkldnn_rnn_layer is taken where the inputs need no gradient, and cannot "
            "give the weights theirs: TypeError",
            cells=("lstm",),
            variants=("dynamic",),
            dtypes=("float32",),
            tasks=("sgd", "adam"),
        ),
    ),
    otherwise=(
        _NO_ACTIVATION,
        _NO_CELL,
        Gap(
            "never",
            "Dynamo does not trace pack_padded_sequence, and how many rows a packed "
            "step holds is data: no one graph",
            variants=("variable_input",),
            link="https://docs.pytorch.org/docs/stable/compile/programming_model.html",
        ),
        _NO_LAYER,
    ),
)

INFO_CUDA = replace(
    INFO,
    name="torch@cuda",
    # No device was here to measure on. The CUDA C++ Programming Guide, "Mathematical
    # Functions", has for expf and tanhf 2 ulp, for exp 1 and for tanh 2, each from the
    # correctly rounded result; from exp follows what 1 / (1 + exp(-x)) can err by, in
    # two more roundings. cuDNN, whose kernels nn.RNN, nn.LSTM and nn.GRU are, documents
    # nothing. Half precisions are computed in float32.
    accuracy={
        "float64": {"tanh": Error(2.5), "sigmoid": Error(5.0)},
        "float32": {"tanh": Error(2.5), "sigmoid": Error(7.0)},
        "bfloat16": {"tanh": Error(1.0), "sigmoid": Error(1.0)},
        "float16": {"tanh": Error(1.0), "sigmoid": Error(1.0)},
    },
    # No accumulators: cuBLAS may sum halves as halves.
    arithmetic=Arithmetic(factor_units={"tf32": TF32_UNIT}),
    options={**INFO.options, "device": "cuda"},
    on_request="needs an NVIDIA GPU",
)
