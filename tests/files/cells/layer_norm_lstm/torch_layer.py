"""The layer in PyTorch, as `benchmarks/fastrnns/custom_lstms.py` there has it."""

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm


class Layer(nn.Module):
    """`x` `[B, T, I]`, `h` and `c` `[B, H]` to outputs `[B, T, H]` and last states."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(features, 4 * units))
        self.recurrent_kernel = nn.Parameter(torch.zeros(units, 4 * units))
        # The norms have biases to learn, so that the gates have none.
        for name, size in (("input", 4 * units), ("state", 4 * units), ("cell", units)):
            setattr(self, f"{name}_scale", nn.Parameter(torch.ones(size)))
            setattr(self, f"{name}_shift", nn.Parameter(torch.zeros(size)))

    def _norm(self, name: str, a: Tensor) -> Tensor:
        scale, shift = getattr(self, f"{name}_scale"), getattr(self, f"{name}_shift")
        return layer_norm(a, a.shape[-1:], scale, shift)

    def forward(
        self, x: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Go through all steps."""
        outputs = []
        for now in x.unbind(1):
            gates = self._norm("input", now @ self.kernel)
            gates = gates + self._norm("state", h @ self.recurrent_kernel)
            i, f, g, o = gates.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            c = self._norm("cell", c)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, 1), {"h": h, "c": c}
