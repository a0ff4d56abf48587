"""The data set `curve`: points (x, f(x)) of a polynomial, a sine or a cosine, or of two curves."""

from __future__ import annotations

import math
from functools import cached_property
from typing import ClassVar, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from gan_toolkit.data import LABEL, SAMPLE, Batch
from gan_toolkit.options import Field, Options
from gantk_points.points import PointSet

LARGEST = 1e19
"""Larger values are refused: float32 does not hold the squares that losses take of them."""
FINEST = 1e-5
"""A range of x narrower than this, relative to x, is refused: float32 has few steps there."""
EVEN = 0.5
"""Share of each of two curves, unless said otherwise."""


class Shape(Options):
    """A function of one number."""

    kind: Literal["polynomial", "sine", "cosine"] = Field(
        "polynomial", description="which function of x"
    )
    coefficients: tuple[float, ...] = Field(
        (10.0, 0.0, 1.0), min_length=1, description="of a polynomial, by rising power: 10 + x²"
    )
    amplitude: float = Field(10.0, gt=0, description="of a sine or cosine")
    frequency: float = Field(
        0.02, gt=0, le=1e6, description="of a sine or cosine, periods per unit of x"
    )
    phase: float = Field(0.0, description="of a sine or cosine, in radians, added to the angle")

    @model_validator(mode="after")
    def _has_options_of_its_kind(self) -> Self:
        waves, powers = ("amplitude", "frequency", "phase"), ("coefficients",)
        foreign = waves if self.kind == "polynomial" else powers
        given = [name for name in foreign if getattr(self, name) != _default(name)]
        if given:
            raise ValueError(
                f"a {self.kind} has no {' and no '.join(given)}; drop it or change kind"
            )
        return self

    def f(self, x: Tensor) -> Tensor:
        """Return the function's values, one for each of `x`, in the precision of `x`."""
        if self.kind == "polynomial":
            *lower, highest = self.coefficients
            if not lower:
                return torch.full_like(x, highest)
            value = x if highest == 1 else highest * x
            for coefficient in reversed(lower[1:]):
                value = (value + coefficient if coefficient else value) * x
            return value + lower[0]
        angle = x * (2 * math.pi * self.frequency) + self.phase
        return self.amplitude * (angle.sin() if self.kind == "sine" else angle.cos())

    def bound(self, reach: float) -> float:
        """Return what |f| does not exceed on -reach … reach."""
        if self.kind == "polynomial":
            try:
                return sum(abs(c) * reach**power for power, c in enumerate(self.coefficients))
            except OverflowError:
                return math.inf
        return self.amplitude


def _default(option: str) -> object:
    return Shape.model_fields[option].default


class Curve(Shape, PointSet):
    """Points (x₁ … x₍d₋₁₎, y): each xᵢ uniform in [low, high), y the sum of f(xᵢ) and noise.

    In two dimensions these are the points (x, f(x)). With a `second` function a point lies on the
    first curve with probability `share`, else on the second, and its label says which.
    """

    NAME: ClassVar[str] = "curve"

    low: float = Field(-50.0, description="smallest x")
    high: float = Field(50.0, description="x stays below")
    dimension: int = Field(2, ge=2, le=4096, description="coordinates of a point, y the last")
    noise: float = Field(0.0, ge=0, description="sd of Gaussian noise on y")
    second: Shape | None = Field(None, description="a second curve, as a table of its own")
    share: float = Field(EVEN, gt=0, lt=1, description="probability of the first of two curves")

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must lie below high ({self.high:g})")
        if self.second is None and self.share != EVEN:
            raise ValueError("share belongs to two curves; set second too")
        reach = max(abs(self.low), abs(self.high))
        if self.high - self.low < FINEST * reach:
            raise ValueError(f"low and high must differ by {FINEST * reach:.1g} at least")
        height = max(shape.bound(reach) for shape in self.shapes) * (self.dimension - 1)
        largest = max(height, reach, self.noise)
        if largest > LARGEST:
            raise ValueError(
                f"values may reach {largest:.1g}, more than {LARGEST:g}; choose a narrower range "
                "of x, smaller coefficients or less noise"
            )
        return self

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The functions, one or two."""
        return (self,) if self.second is None else (self, self.second)

    @property
    def size(self) -> int:
        """Number of coordinates of a point."""
        return self.dimension

    @property
    def classes(self) -> tuple[str, ...]:
        """Two curves by their order; one curve has no labels."""
        return () if self.second is None else ("first", "second")

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Return `sample` [n, d], for two curves also `label` [n], 0 or 1."""
        x = torch.empty(n, self.dimension - 1).uniform_(self.low, self.high, generator=generator)
        x.clamp_(max=self._largest_x)  # rounding may have reached high
        y, *others = self.heights(x)
        rows: Batch = {}
        if others:
            rows[LABEL] = (torch.rand(n, generator=generator) >= self.share).long()
            y = torch.cat([y, *others], 1).gather(1, rows[LABEL][:, None])
        if self.noise:
            y = y + torch.randn(n, 1, generator=generator) * self.noise
        return {SAMPLE: torch.cat([x, y], 1), **rows}

    @cached_property
    def _largest_x(self) -> float:
        """The float32 next below `high`."""
        return float(torch.nextafter(torch.tensor(self.high), torch.tensor(-math.inf)))

    def heights(self, x: Tensor) -> list[Tensor]:
        """Return y without noise at `x` [n, d - 1] for each curve: [n, 1] float32.

        The sum is taken in double precision: high powers cancel.
        """
        wide = x.double()
        each = [shape.f(wide) for shape in self.shapes]
        return [(y.sum(1, keepdim=True) if self.dimension > 2 else y).float() for y in each]
