"""The small convolutional networks of a Keras tutorial on MNIST.

Padding and initialisation are the framework's defaults wherever the tutorial names none.
"""

from __future__ import annotations

import itertools
from typing import Annotated, ClassVar, Literal

from torch import nn

from gan_toolkit import DataSpec, Field, TwoNetworks
from gantk_tutorials.shapes import SIDE, refused
from gantk_tutorials.tensorflow import SameConv2d

MAP = 6
"""Side of G's first map: 6 → 14 → 30 by unpadded 4×4 strides, 28 after the last 3×3."""


class Keras(TwoNetworks):
    """Two convolutions each, no batch norm, leaky ReLU 0.2; images [N, C, 28, 28] in 0 … 1."""

    sample_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    filters: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(
        (64, 64),
        min_length=1,
        max_length=3,
        description="channels of D's layers: also [128, 128] or [64, 128, 256]",
    )
    padding: Literal["valid", "same"] = Field("valid", description="padding of D's convolutions")

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape cannot be made."""
        return refused("keras", spec)

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return G: [N, latent] → [N, C, 28, 28] in 0 … 1."""
        return nn.Sequential(
            nn.Linear(self.latent, 128 * MAP * MAP),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (128, MAP, MAP)),
            nn.ConvTranspose2d(128, 128, 4, stride=2),  # [N, 128, 14, 14]
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(128, 128, 4, stride=2),  # [N, 128, 30, 30]
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, spec.sample.shape[0], 3),  # [N, C, 28, 28]
            nn.Sigmoid(),
        ).apply(_initialise)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return D: [N, C, 28, 28] → [N, 1] logits."""
        side = SIDE
        layers: list[nn.Module] = []
        for inner, outer in itertools.pairwise([spec.sample.shape[0], *self.filters]):
            if self.padding == "same":
                layers.append(SameConv2d(inner, outer, 3, stride=2))
                side = (side + 1) // 2
            else:
                layers.append(nn.Conv2d(inner, outer, 3, stride=2))
                side = (side - 1) // 2
            layers.append(nn.LeakyReLU(0.2))
        flat = self.filters[-1] * side * side
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 1)).apply(_initialise)


def _initialise(module: nn.Module) -> None:
    """Draw weights from Glorot's uniform distribution; biases start at zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
