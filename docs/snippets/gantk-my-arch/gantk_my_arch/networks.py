"""The networks: fully connected, with residual blocks."""

from __future__ import annotations

import math

from gan_toolkit import DataSpec, Field, TwoNetworks
from torch import Tensor, nn

MOST_NUMBERS = 2**16
"""Numbers in a sample beyond which fully connected layers are the wrong tool."""


class MyArch(TwoNetworks):
    """Residual networks: a block adds a correction to its input (He et al. 2016, arXiv:1512.03385).

    Samples of any shape: images in -1 … 1, or points without bounds. They are laid out flat, so
    that pixels know nothing of their neighbours; that does for small images.
    """

    width: int = Field(128, ge=1, le=8192, description="units of the hidden layers")
    blocks: int = Field(2, ge=0, le=64, description="residual blocks of each network")

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape cannot be made."""
        numbers = math.prod(spec.sample.shape)
        if numbers <= MOST_NUMBERS:
            return []
        return [f"my-arch makes samples of up to {MOST_NUMBERS} numbers, not of {numbers}."]

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return G: [N, latent] → [N, *sample shape]."""
        shape = spec.sample.shape
        return nn.Sequential(
            nn.Linear(self.latent, self.width),  # [N, width]
            *(Block(self.width) for _ in range(self.blocks)),
            nn.LeakyReLU(0.2),
            nn.Linear(self.width, math.prod(shape)),  # [N, numbers of a sample]
            nn.Identity() if spec.sample.low is None else nn.Tanh(),
            nn.Unflatten(1, shape),
        )

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return D: [N, *sample shape] → [N, 1] logits."""
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(spec.sample.shape), self.width),  # [N, width]
            *(Block(self.width) for _ in range(self.blocks)),
            nn.LeakyReLU(0.2),
            nn.Linear(self.width, 1),  # [N, 1]
        )


class Block(nn.Module):
    """x + f(x), both [N, width]; f starts small, so that a fresh block changes little."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.correction = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
        )
        last = self.correction[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, 0.0, 0.01)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return x and its correction."""
        corrected: Tensor = x + self.correction(x)
        return corrected
