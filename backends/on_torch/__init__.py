"""PyTorch: tensor operations, `nn.RNNCell` and `nn.RNN`, on the CPU."""

from harness.backend import BackendInfo

INFO = BackendInfo(
    name="torch",
    adapter="backends.on_torch.adapter:TorchBackend",
    requires={"torch": "torch"},
    install="pip install 'rnn-parity[torch]'",
    apis={
        "basic": "torch.matmul, torch.tanh",
        "static": "nn.RNNCell over a list",
        "static_single": "nn.RNNCell over x.unbind(1), torch.stack",
        "dynamic": "nn.RNN",
    },
    # PyTorch 2.13, CPU: 0.51 and 0.75 were the largest seen.
    elementwise_ulp={"tanh": {"float32": 1.0, "float64": 2.0}},
)
