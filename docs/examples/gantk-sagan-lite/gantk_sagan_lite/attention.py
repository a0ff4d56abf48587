"""Self-attention (Zhang et al. 2019, arXiv:1805.08318, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """A map in which each place also sees all others; it keeps its shape.

    Place j looks at place i by β_ji, a softmax over i of f(x_i)ᵀ g(x_j) (equation 1), and sees
    o_j = v(Σ_i β_ji h(x_i)) (equation 2); y_j = γ o_j + x_j (equation 3). f, g, h and v are 1×1
    convolutions, inside of which there is an eighth of the channels, as in the paper. γ starts at
    0, so that the map begins as it came and far places are learned of after near ones.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)  # f
        self.query = nn.Conv2d(channels, inner, 1, bias=False)  # g
        self.value = nn.Conv2d(channels, inner, 1, bias=False)  # h
        self.out = nn.Conv2d(inner, channels, 1, bias=False)  # v
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, H, W] of [N, C, H, W]."""
        key, query, value = (f(x).flatten(2) for f in (self.key, self.query, self.value))
        beta = torch.softmax(key.transpose(1, 2) @ query, 1)  # [N, i, j], i and j up to H·W
        seen = (value @ beta).unflatten(2, x.shape[2:])  # [N, C / 8, H, W]
        y: Tensor = self.gamma * self.out(seen) + x
        return y
