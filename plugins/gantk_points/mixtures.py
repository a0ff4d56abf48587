"""The data sets `ring` and `grid`: equally likely round Gaussians, labelled by their number.

The defaults are those of PacGAN's synthetic experiments (Lin et al. 2018, arXiv:1712.04086), whose
training set of fixed size is had by `points = 100000`.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from gan_toolkit.data import LABEL, SAMPLE, Batch
from gan_toolkit.options import Field
from gantk_points.points import PointSet


class Mixture(PointSet):
    """Equally likely Gaussians in the plane with one standard deviation."""

    sd: float = Field(
        gt=0, le=1e6, description="standard deviation of a Gaussian along each coordinate"
    )

    @cached_property
    def means(self) -> Tensor:
        """Where the modes are: [modes, 2] float32, in the order of the labels."""
        raise NotImplementedError

    @property
    def classes(self) -> tuple[str, ...]:
        """The modes by number."""
        return tuple(map(str, range(len(self.means))))

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Return `sample` [n, 2], and `label` [n], the number of the mode it was drawn from."""
        label = torch.randint(len(self.means), (n,), generator=generator)
        noise = torch.randn(n, 2, generator=generator)
        return {SAMPLE: noise.mul_(self.sd).add_(self.means[label]), LABEL: label}


class Ring(Mixture):
    """Gaussians evenly on a circle round the origin; mode 0 lies on the positive x-axis."""

    NAME: ClassVar[str] = "ring"

    count: int = Field(8, ge=1, le=10_000, description="Gaussians on the circle")
    radius: float = Field(1.0, gt=0, le=1e6, description="radius of the circle")
    sd: float = Field(0.01, gt=0, le=1e6, description="standard deviation along each coordinate")

    @cached_property
    def means(self) -> Tensor:
        """Anticlockwise round the circle: [count, 2]."""
        angles = torch.arange(self.count, dtype=torch.float64) * (2 * math.pi / self.count)
        return (self.radius * torch.stack([angles.cos(), angles.sin()], 1)).float()


class Grid(Mixture):
    """Gaussians on a square grid round the origin, numbered row by row from the least x and y."""

    NAME: ClassVar[str] = "grid"

    side: int = Field(5, ge=1, le=100, description="Gaussians along a side")
    spacing: float = Field(2.0, gt=0, le=1e6, description="distance of neighbouring means")
    sd: float = Field(0.05, gt=0, le=1e6, description="standard deviation along each coordinate")

    @cached_property
    def means(self) -> Tensor:
        """Mode `side · i + j` lies at x number i, y number j: [side², 2]."""
        places = (torch.arange(self.side) - (self.side - 1) / 2) * self.spacing
        return torch.cartesian_prod(places, places).view(-1, 2)
