"""Generator and discriminator as they stand at one level of growth (Karras et al. 2018, table 2).

Level k works at sides 4, 8, … 4·2^k. Layers are named by the side they work at, so that a larger
network finds the weights of the smaller one by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan_toolkit.layers import LeakyReLU
from gantk_progressive.layers import (
    Convolution,
    Dense,
    MinibatchDeviation,
    PixelNorm,
    Projection,
    enlarged,
    shrunk,
)

SMALLEST = 4


class Generator(nn.Module):
    """z on a hypersphere → 4×4 → doubled `len(widths) - 1` times → an image, enlarged to `side`.

    `widths` are the channels of each level from 4×4 up. With `fading` the newest level is mixed
    with the enlarged picture of the level before (figure 2).
    """

    def __init__(
        self, latent: int, widths: Sequence[int], channels: int, side: int, *, fading: bool
    ) -> None:
        super().__init__()
        self.side = side
        self.level = len(widths) - 1
        self.fading = fading
        self.first = nn.Sequential(
            PixelNorm(),
            Projection(latent, widths[0], SMALLEST),
            LeakyReLU(0.2),
            PixelNorm(),
            *_made(widths[0], widths[0]),
        )
        self.blocks = nn.ModuleDict(
            {
                _name(level): nn.Sequential(*_made(inner, outer), *_made(outer, outer))
                for level, (inner, outer) in enumerate(pairwise(widths), 1)
            }
        )
        self.to_image = nn.ModuleDict(
            {
                _name(level): Convolution(widths[level], channels, 1, gain=1.0)
                for level in range(self.level - fading, self.level + 1)
            }
        )

    def forward(self, z: Tensor, level: Tensor) -> Tensor:
        """Return images [N, C, side, side] of z [N, latent], enlarged while G is smaller.

        `level` (0-d) is how far the run has grown; its fraction is the newest level's share.
        """
        features = before = self.first(z)
        for block in self.blocks.values():
            before, features = features, block(enlarged(features))
        image: Tensor = self.to_image[_name(self.level)](features)
        if self.fading:
            old = enlarged(self.to_image[_name(self.level - 1)](before))
            image = old.lerp(image, _share(level, self.level, image))
        return enlarged(image, self.side // image.shape[-1])


class Discriminator(nn.Module):
    """An image, averaged down to this level's side → halved to 4×4 → one logit."""

    def __init__(self, widths: Sequence[int], channels: int, group: int, *, fading: bool) -> None:
        super().__init__()
        self.level = len(widths) - 1
        self.fading = fading
        self.from_image = nn.ModuleDict(
            {
                _name(level): nn.Sequential(Convolution(channels, widths[level], 1), LeakyReLU(0.2))
                for level in range(self.level - fading, self.level + 1)
            }
        )
        self.blocks = nn.ModuleDict(
            {
                _name(level): nn.Sequential(
                    Convolution(inner, inner, 3),
                    LeakyReLU(0.2),
                    Convolution(inner, outer, 3),
                    LeakyReLU(0.2),
                )
                for level, (outer, inner) in enumerate(pairwise(widths), 1)
            }
        )
        self.last = nn.Sequential(
            MinibatchDeviation(group),
            Convolution(widths[0] + 1, widths[0], 3),
            LeakyReLU(0.2),
            nn.Flatten(),
            Dense(widths[0] * SMALLEST**2, widths[0]),
            LeakyReLU(0.2),
            Dense(widths[0], 1, gain=1.0),
        )

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Return logits [N, 1] of images [N, C, side, side] of any side from this level's up."""
        image = shrunk(x, x.shape[-1] // (SMALLEST << self.level))
        features = self.from_image[_name(self.level)](image)
        for number in range(self.level, 0, -1):
            features = shrunk(self.blocks[_name(number)](features))
            if self.fading and number == self.level:
                old = self.from_image[_name(number - 1)](shrunk(image))
                features = old.lerp(features, _share(level, number, features))
        verdict: Tensor = self.last(features)
        return verdict


def _made(inner: int, outer: int) -> list[nn.Module]:
    """Return one layer of G: 3×3, leaky ReLU, then the norm of each pixel."""
    return [Convolution(inner, outer, 3), LeakyReLU(0.2), PixelNorm()]


def _share(level: Tensor, number: int, like: Tensor) -> Tensor:
    """Return the weight of level `number` while the run grows to it: 0 … 1."""
    return (level - (number - 1)).clamp(0.0, 1.0).to(like.dtype)


def _name(level: int) -> str:
    return str(SMALLEST << level)
