"""The architecture `progressive`: when it grows, and how real images grow with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from gan_toolkit import DataSpec, Field, Judged, TwoNetworks
from gan_toolkit.architecture import Networks, Scalars, image_refusals
from gan_toolkit.data import SAMPLE, Batch
from gantk_progressive.layers import enlarged, shrunk
from gantk_progressive.networks import SMALLEST, Discriminator, Generator

LARGEST = 1024
TOP = 8
"""The level of the largest, 4·2^8, where growth ends whatever the data."""


class Progressive(TwoNetworks):
    """Progressive growing (Karras et al. 2018, arXiv:1710.10196).

    Both networks begin at 4×4 and double up to the size of the images: `stage_kimg` at a size, then
    `fade_kimg` in which the next one is faded in, and so on. Samples have the data's shape all the
    while, small ones are enlarged; D looks at them averaged down to its own size.

    Square images [N, C, S, S] in -1 … 1, C from 1 to 4, S a power of two from 8 to 1024. The
    generator's output is linear, so it may leave that range a little.
    """

    mixes_rows: ClassVar[tuple[str, ...]] = ("discriminator",)

    stage_kimg: float = Field(
        30.0, gt=0, description="kimg at each size before the next is begun; the paper: 800"
    )
    fade_kimg: float = Field(
        30.0, gt=0, description="kimg in which a new size is faded in; the paper: 800"
    )
    width: int = Field(64, ge=1, le=1024, description="most channels of a layer; the paper: 512")
    taper: int = Field(
        256,
        ge=1,
        le=65536,
        description="maps of side s have at most taper / s channels; the paper: 16384",
    )
    group: int = Field(
        4, ge=1, le=65536, description="images that a minibatch standard deviation is taken over"
    )
    whole_batch_to: int = Field(
        128,
        ge=4,
        le=LARGEST,
        description="largest side trained on whole batches; beyond, each doubling halves them",
    )

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape cannot be made."""
        reasons = image_refusals("progressive", spec, instead="try `--arch mlp`")
        if len(spec.sample.shape) != 3:
            return reasons
        _, height, width = spec.sample.shape
        sides = [SMALLEST << level for level in range(1, TOP + 1)]
        if height != width or height not in sides:
            nearest = min(sides, key=lambda side: abs(side - max(height, width)))
            reasons.append(
                f"progressive makes square images whose side is a power of two from 8 to {LARGEST},"
                f" not {height}×{width}; try `--set data.resolution={nearest}`."
            )
        return reasons

    def level_at(self, nimg: int) -> float:
        """Return how far the run has grown: 0 at 4×4, 1 at 8×8, between them while fading."""
        past = nimg - 1000 * self.stage_kimg
        if past < 0:
            return 0.0
        fade = 1000 * self.fade_kimg
        whole, rest = divmod(past, fade + 1000 * self.stage_kimg)
        return min(whole + min(rest / fade, 1.0), float(TOP))

    def stage_at(self, nimg: int) -> int:
        """Return 2k while the networks stand at level k, 2k - 1 while it is faded in."""
        level = self.level_at(nimg)
        return math.floor(level) + math.ceil(level)

    def scalars(self, nimg: int) -> dict[str, float]:
        """Return `level`."""
        return {"level": self.level_at(nimg)}

    def minibatches(self, spec: DataSpec, nimg: int) -> int:
        """Return 1 up to `whole_batch_to`, twice as many with each doubling beyond."""
        side = min(SMALLEST << math.ceil(self.level_at(nimg)), spec.sample.shape[-1])
        return max(1, side // self.whole_batch_to)

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        """Return both networks at the stage's level, or at the data's own where that is less."""
        channels, side, _ = spec.sample.shape
        due, top = (stage + 1) // 2, _level_of(side)
        level, fading = min(due, top), stage % 2 == 1 and due <= top
        widths = [self._channels(SMALLEST << number) for number in range(level + 1)]
        return {
            "generator": Generator(self.latent, widths, channels, side, fading=fading),
            "discriminator": Discriminator(widths, channels, self.group, fading=fading),
        }

    def seen(self, batch: Batch, s: Scalars) -> Batch:
        """Return real images as detailed as the run has grown, at full size.

        Between levels they are mixed by the same share as the generator's (figure 2).
        """
        image = batch[SAMPLE]
        top = _level_of(image.shape[-1])
        level = s["level"].clamp(max=top)
        shares = [(1 - (level - number).abs()).clamp(min=0) for number in range(top + 1)]
        mixed = image * shares[top]
        for number in range(top):
            factor = 1 << (top - number)
            mixed = mixed + enlarged(shrunk(image, factor), factor) * shares[number]
        return {**batch, SAMPLE: mixed}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        """Return generator(z), enlarged to the size of the data."""
        del batch
        return {SAMPLE: nets["generator"](draws["z"], s["level"])}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        """Return discriminator(x) as [N] logits."""
        return Judged(nets["discriminator"](batch[SAMPLE], s["level"]).flatten())

    def _channels(self, side: int) -> int:
        return max(1, min(self.width, self.taper // side))


def _level_of(side: int) -> int:
    return side.bit_length() - SMALLEST.bit_length()
