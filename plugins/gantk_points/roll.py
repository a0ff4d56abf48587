"""The data set `swiss-roll`."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch

from gan_toolkit.data import SAMPLE, Batch
from gan_toolkit.options import Field
from gantk_points.points import PointSet

START = 1.5 * math.pi
"""Angle at which the roll begins, so that its middle is empty."""


class SwissRoll(PointSet):
    """Points (t cos t, t sin t) of a spiral; in 3-D with a height, uniform in [0, height).

    The angle t is uniform in [1.5 π, 1.5 π + 2 π turns). The defaults are those of Marsland's roll
    as in scikit-learn's `make_swiss_roll`, whose second coordinate is our third.
    """

    NAME: ClassVar[str] = "swiss-roll"

    dimension: Literal[2, 3] = Field(2, description="2: the spiral; 3: the rolled-up sheet")
    turns: float = Field(1.5, gt=0, le=100, description="how often the roll goes round")
    height: float = Field(21.0, gt=0, le=1e6, description="height of the sheet in 3-D")
    noise: float = Field(0.0, ge=0, le=1e6, description="sd of Gaussian noise on each coordinate")

    @property
    def size(self) -> int:
        """Number of coordinates of a point."""
        return self.dimension

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Return `sample` [n, 2] or [n, 3]."""
        place = torch.rand(n, generator=generator)
        angle = place.mul_(2 * math.pi * self.turns).add_(START)
        coordinates = [angle * angle.cos(), angle * angle.sin()]
        if self.dimension == 3:
            coordinates.append(torch.rand(n, generator=generator).mul_(self.height))
        sample = torch.stack(coordinates, 1)
        if self.noise:
            sample += torch.randn(sample.shape, generator=generator) * self.noise
        return {SAMPLE: sample}
