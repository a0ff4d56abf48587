"""The DCGAN-like networks of a TensorFlow tutorial on MNIST that O'Reilly published.

What TensorFlow 1 does by default is in `tensorflow.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from gan_toolkit import DataSpec, Field, TwoNetworks
from gantk_tutorials.shapes import refused
from gantk_tutorials.tensorflow import BatchStatistics, DoubledConv2d, SameConv2d


class OReilly(TwoNetworks):
    """G shrinks and enlarges maps of 56×56; images [N, C, 28, 28] in 0 … 1.

    G's batch norm always looks at its batch. A sample is then a function of the block of 64 latents
    that it is drawn in; blocks are whole, whatever is asked for, so sample i of a seed is still one
    picture.
    """

    sample_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    mixes_rows: ClassVar[tuple[str, ...]] = ("generator",)

    latent: int = Field(
        100, ge=4, le=65536, description="size of the latent z; G has latent/2, then latent/4 maps"
    )

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape cannot be made."""
        return refused("oreilly", spec)

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return G: [N, latent] → [N, C, 28, 28] in 0 … 1."""
        wide, narrow = self.latent // 2, self.latent // 4
        return _initialised(
            nn.Sequential(
                nn.Linear(self.latent, 56 * 56),
                nn.Unflatten(1, (1, 56, 56)),
                BatchStatistics(1),
                nn.ReLU(),
                SameConv2d(1, wide, 3, stride=2),  # [N, wide, 28, 28]
                BatchStatistics(wide),
                nn.ReLU(),
                DoubledConv2d(wide, narrow),  # [N, narrow, 28, 28]
                BatchStatistics(narrow),
                nn.ReLU(),
                # 1×1 at stride 2 reads every second pixel of doubled maps: the maps before doubling
                SameConv2d(narrow, spec.sample.shape[0], 1),  # [N, C, 28, 28]
                nn.Sigmoid(),
            ),
            biases=_truncated_normal,
        )

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return D: [N, C, 28, 28] → [N, 1] logits."""
        return _initialised(
            nn.Sequential(
                SameConv2d(spec.sample.shape[0], 32, 5),
                nn.ReLU(),
                nn.AvgPool2d(2),  # [N, 32, 14, 14]
                SameConv2d(32, 64, 5),
                nn.ReLU(),
                nn.AvgPool2d(2),  # [N, 64, 7, 7]
                nn.Flatten(),
                nn.Linear(7 * 7 * 64, 1024),
                nn.ReLU(),
                nn.Linear(1024, 1),
            ),
            biases=nn.init.zeros_,
        )


def _initialised(network: nn.Module, biases: Callable[[Tensor], Tensor]) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _truncated_normal(module.weight)
            assert module.bias is not None
            biases(module.bias)
    return network


def _truncated_normal(weights: Tensor) -> Tensor:
    """Draw from N(0, 0.02), what lies beyond two standard deviations drawn again."""
    return nn.init.trunc_normal_(weights, std=0.02, a=-0.04, b=0.04)
