"""The generator and the discriminator (Zhang et al. 2019, arXiv:1805.08318)."""

from __future__ import annotations

import itertools

from gan_toolkit import DataSpec, Field, TwoNetworks
from gan_toolkit.architecture import image_refusals
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gantk_sagan_lite.attention import SelfAttention

SMALLEST = 4
"""Side of the smallest map."""
WIDEST = 8
"""A map has at most this many times the channels of the one next to the image."""


class SAGANLite(TwoNetworks):
    """SAGAN (Zhang et al. 2019, arXiv:1805.08318), small.

    Of the paper: self-attention in both players at one size of map, spectral norm on all of D's
    weights (section 4), and the hinge loss and two rates of the recipe. Not of the paper: plain 3×3
    and strided 4×4 convolutions in place of residual blocks, no spectral norm in G, and no classes:
    labels are not looked at. G doubles its maps by repeating pixels.

    Images [N, C, R, R] in -1 … 1, C from 1 to 4, R = 4 · 2^k from 8 up.
    """

    latent: int = Field(64, ge=1, le=65536, description="size of the latent z")
    width: int = Field(16, ge=1, le=1024, description="channels of the layers next to the image")
    attention: int = Field(8, ge=4, description="side of the map that looks at itself")

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape cannot be made."""
        reasons = image_refusals("sagan-lite", spec, instead="try `--arch mlp`", smallest=8)
        if reasons:
            return reasons
        _, height, side = spec.sample.shape
        sides = _sides(side)
        if height != side or side not in sides:
            reasons.append(
                f"sagan-lite makes square images of side 8, 16, 32, …, not {height}×{side}; "
                "try `--set data.resolution=32`."
            )
        elif self.attention not in sides:
            reasons.append(
                f"attention = {self.attention}, but images of side {side} have maps of side "
                f"{', '.join(map(str, sides))}; try `--set arch.attention=8`."
            )
        return reasons

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return G: [N, latent] → [N, C, R, R] in -1 … 1."""
        colours, side, _ = spec.sample.shape
        sides = _sides(side)
        widths = [_width(self.width, side, at) for at in sides]
        layers: list[nn.Module] = [
            nn.Linear(self.latent, widths[0] * SMALLEST**2, bias=False),
            nn.Unflatten(1, (widths[0], SMALLEST, SMALLEST)),
            *_normed(widths[0]),
            *self._attention_at(SMALLEST, widths[0]),
        ]
        for at, (inner, outer) in zip(sides[1:], itertools.pairwise(widths), strict=True):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(inner, outer, 3, padding=1, bias=False),
                *_normed(outer),
                *self._attention_at(at, outer),
            ]
        return nn.Sequential(*layers, nn.Conv2d(widths[-1], colours, 3, padding=1), nn.Tanh())

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return D: [N, C, R, R] → [N, 1] logits."""
        colours, side, _ = spec.sample.shape
        sides = _sides(side)[::-1]
        widths = [_width(self.width, side, at) for at in sides]
        layers: list[nn.Module] = []
        for at, (inner, outer) in zip(sides, itertools.pairwise([colours, *widths]), strict=True):
            first = at == side
            convolution = nn.Conv2d(inner, outer, 3 if first else 4, 1 if first else 2, 1)
            after = [nn.LeakyReLU(0.1, inplace=True), *self._attention_at(at, outer)]
            layers += [convolution, *after]
        network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * SMALLEST**2, 1))
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                spectral_norm(module)
        return network

    def _attention_at(self, side: int, channels: int) -> list[nn.Module]:
        """Return what follows the map of a side: attention, at the one that was chosen."""
        return [SelfAttention(channels)] if side == self.attention else []


def _sides(side: int) -> list[int]:
    """Return the sides of maps from the smallest up to an image's, or to the largest below it."""
    doubled = (SMALLEST << level for level in itertools.count())
    return list(itertools.takewhile(lambda at: at <= side, doubled))


def _width(width: int, side: int, at: int) -> int:
    """Return the channels of the map of side `at`: doubled with each halving, within bounds."""
    return width * min(side // at, WIDEST)


def _normed(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
