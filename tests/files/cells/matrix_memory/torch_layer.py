"""The layer in PyTorch: a module with a loop over time."""

import torch
from torch import Tensor, nn


class Layer(nn.Module):
    """`x` `[B, T, I]` and `C` `[B, H, H]` to outputs `[B, T, H]` and the last `C`."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(features, 6 * units))
        self.bias = nn.Parameter(torch.zeros(6 * units))

    def forward(self, x: Tensor, C: Tensor) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: N803 - as it is written
        """Go through all steps."""
        memory, outputs = C, []
        for now in x.unbind(1):
            q, k, v, i, f, o = (now @ self.kernel + self.bias).chunk(6, -1)
            written = torch.einsum("bi,bj->bij", torch.sigmoid(i) * v, k)
            memory = torch.sigmoid(f)[:, :, None] * memory + written
            read = torch.einsum("bij,bj->bi", memory, q)
            outputs.append(torch.sigmoid(o) * read)
        return torch.stack(outputs, 1), {"C": memory}
