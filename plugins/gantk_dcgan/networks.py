"""The DCGAN generator and discriminator (Radford et al. 2016, arXiv:1511.06434, section 3)."""

from __future__ import annotations

import itertools

from torch import nn

from gan_toolkit import DataSpec, Field, TwoNetworks

SMALLEST = 4
"""Sides are halved down to this; a 64×64 image starts at the paper's 4×4."""


class DCGAN(TwoNetworks):
    """DCGAN (Radford et al. 2016, arXiv:1511.06434).

    Strided convolutions instead of pooling, batch norm everywhere but in G's output and D's input,
    ReLU in G, leaky ReLU 0.2 in D, tanh output, all weights from N(0, 0.02). Kernels are 4×4, the
    size of the authors' torch release; batch-norm scales start at N(1, 0.02), as there.

    Images [N, C, H, W] in -1 … 1, C from 1 to 4; H and W multiples of 8 from 16 up, or 28×28.
    """

    width: int = Field(64, ge=1, le=1024, description="channels of the layers next to the image")

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why an image shape cannot be made by doubling."""
        shape = spec.sample.shape
        if len(shape) != 3:
            return [
                f"dcgan makes images [C, H, W]; '{spec.name}' has samples of shape {list(shape)}."
            ]
        channels, height, width = shape
        reasons = []
        if not 1 <= channels <= 4:
            reasons.append(f"dcgan makes images of 1 to 4 channels, not {channels}.")
        regular = height % 8 == width % 8 == 0 and min(height, width) >= 16
        if not regular and (height, width) != (28, 28):
            reasons.append(
                f"dcgan makes images whose sides are multiples of 8 from 16 up, or 28×28, not "
                f"{height}×{width}; try `--set data.resolution=32`."
            )
        return reasons

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return G: [N, latent] → [N, C, H, W] in -1 … 1."""
        return Generator(spec.sample.shape, self.latent, self.width)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return D: [N, C, H, W] → [N, 1, 1, 1] logits."""
        return Discriminator(spec.sample.shape, self.width)


class Generator(nn.Sequential):
    """z → project to the smallest map → double until the image is reached."""

    def __init__(self, shape: tuple[int, ...], latent: int, width: int) -> None:
        channels, height, wide = shape
        halvings = _halvings(height, wide)
        widths = [width << place for place in reversed(range(halvings))]
        start = (height >> halvings, wide >> halvings)
        layers: list[nn.Module] = [
            nn.Unflatten(1, (latent, 1, 1)),
            nn.ConvTranspose2d(latent, widths[0], start, bias=False),
        ]
        for inner, outer in itertools.pairwise([*widths, channels]):
            layers += [
                nn.BatchNorm2d(inner),
                nn.ReLU(inplace=True),
                nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1, bias=False),
            ]
        super().__init__(*layers, nn.Tanh())
        self.apply(_initialise)


class Discriminator(nn.Sequential):
    """Halve until the smallest map is reached → one logit."""

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        channels, height, wide = shape
        halvings = _halvings(height, wide)
        widths = [width << place for place in range(halvings)]
        layers: list[nn.Module] = []
        for inner, outer in itertools.pairwise([channels, *widths]):
            layers.append(nn.Conv2d(inner, outer, 4, stride=2, padding=1, bias=False))
            if len(layers) > 1:
                layers.append(nn.BatchNorm2d(outer))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        last = nn.Conv2d(widths[-1], 1, (height >> halvings, wide >> halvings), bias=False)
        super().__init__(*layers, last)
        self.apply(_initialise)


def _halvings(height: int, width: int) -> int:
    """Return how often both sides halve evenly without falling below the smallest."""
    count = 0
    while height % 2 == width % 2 == 0 and min(height, width) // 2 >= SMALLEST:
        height, width, count = height // 2, width // 2, count + 1
    return count


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
