"""The DCGAN generator and discriminator (Radford et al. 2016, arXiv:1511.06434, section 3)."""

from __future__ import annotations

import itertools
from typing import Literal

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_toolkit import DataSpec, Field, TwoNetworks
from gan_toolkit.architecture import image_refusals
from gan_toolkit.layers import Conv2d, ConvTranspose2d, LeakyReLU

SMALLEST = 4
"""Sides are halved until the shorter is no more than this: 64×64 starts at the paper's 4×4."""

Size = tuple[int, int]
Norm = Literal["batch", "layer", "spectral", "none"]


class DCGAN(TwoNetworks):
    """DCGAN (Radford et al. 2016, arXiv:1511.06434).

    Strided convolutions instead of pooling, batch norm everywhere but in G's output and D's input,
    ReLU in G, leaky ReLU 0.2 in D, tanh output, all weights from N(0, 0.02). Kernels are 4×4, the
    size of the authors' torch release, and 3×3 along a side that doubles to an odd number (4 to 7);
    batch-norm scales start at N(1, 0.02), as there.

    D's batch norm can be exchanged for layer norm over each sample (Gulrajani et al. 2017, section
    4), for weights divided by their largest singular value, all of D's, which one power iteration a
    pass estimates (Miyato et al. 2018, arXiv:1802.05957, equation 8 and algorithm 1), or for none.
    Without one, weights from N(0, 0.02) would shrink every map to next to nothing, so D's start
    from He's normal for its leak (He et al. 2015, arXiv:1502.01852, equation 15).

    Images [N, C, H, W] in -1 … 1, C from 1 to 4, H and W from 8 up: 28×28 and 48×64 too.
    """

    width: int = Field(64, ge=1, le=1024, description="channels of the layers next to the image")
    norm: Norm = Field("batch", description="normalisation in D")

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape cannot be made."""
        who = type(self).__name__.lower()
        return image_refusals(who, spec, instead="try `--arch mlp`", smallest=8)

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return G: [N, latent] → [N, C, H, W] in -1 … 1."""
        return Generator(spec.sample.shape, self.latent, self.width)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return D: [N, C, H, W] → [N, 1] logits."""
        return Discriminator(spec.sample.shape, self.width, self.norm)


class Generator(nn.Sequential):
    """z → project to the smallest map → double until the image is reached."""

    def __init__(self, shape: tuple[int, ...], latent: int, width: int) -> None:
        sizes = _sizes(shape)[::-1]
        widths = [width << place for place in reversed(range(len(sizes) - 1))]
        layers: list[nn.Module] = [
            nn.Linear(latent, widths[0] * sizes[0][0] * sizes[0][1], bias=False),
            nn.Unflatten(1, (widths[0], *sizes[0])),
        ]
        for (inner, outer), size in zip(
            itertools.pairwise([*widths, shape[0]]), sizes[1:], strict=True
        ):
            last = size == sizes[-1]
            layers += [
                nn.BatchNorm2d(inner),
                nn.ReLU(inplace=True),
                ConvTranspose2d(inner, outer, _kernel(size), stride=2, padding=1, bias=last),
            ]
        super().__init__(*layers, nn.Tanh())
        self.apply(_initialise)


class Discriminator(nn.Sequential):
    """Halve until the smallest map is reached → one logit."""

    def __init__(self, shape: tuple[int, ...], width: int, norm: Norm = "batch") -> None:
        sizes = _sizes(shape)
        widths = [width << place for place in range(len(sizes) - 1)]
        layers: list[nn.Module] = []
        for (inner, outer), size in zip(
            itertools.pairwise([shape[0], *widths]), sizes[:-1], strict=True
        ):
            first = size == sizes[0]
            shifted = not first and norm in {"batch", "layer"}  # these bring a bias of their own
            layers.append(
                Conv2d(inner, outer, _kernel(size), stride=2, padding=1, bias=not shifted)
            )
            if shifted:
                layers.append(nn.BatchNorm2d(outer) if norm == "batch" else nn.GroupNorm(1, outer))
            layers.append(LeakyReLU(0.2, inplace=True))
        flat = widths[-1] * sizes[-1][0] * sizes[-1][1]
        super().__init__(*layers, nn.Flatten(), nn.Linear(flat, 1))
        self.apply(_keep_scale if norm == "none" else _initialise)
        if norm == "spectral":
            for module in self:
                if isinstance(module, nn.Conv2d | nn.Linear):
                    spectral_norm(module)


def _sizes(shape: tuple[int, ...]) -> list[Size]:
    """Return the map sizes from the image down, each half of the one before, rounded up."""
    sizes = [(shape[1], shape[2])]
    while min(sizes[-1]) > SMALLEST:
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


def _kernel(size: Size) -> Size:
    """Return the kernel whose stride of 2 leads between `size` and its half, with padding 1."""
    return (4 - size[0] % 2, 4 - size[1] % 2)


def _keep_scale(module: nn.Module) -> None:
    """Start from He's normal, so that a map leaves a layer as large as it came."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, 0.2)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # every layer without a norm has one


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
