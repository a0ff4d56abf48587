"""The layers of progressive growing (Karras et al. 2018, sections 3 and 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv_transpose2d, interpolate, linear

from gan_toolkit.layers import conv2d

EPSILON = 1e-8
"""Added to what a root is taken of, as in the paper's section 4.2."""


class Convolution(nn.Module):
    """A k×k convolution with the learning rate equalised; the map keeps its size.

    Weights start from N(0, 1), biases from 0, and each use scales the weights by gain/√fan-in, He's
    constant for a gain of √2, so that Adam's steps are as large for every layer (section 4.1).
    """

    def __init__(self, inner: int, outer: int, kernel: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outer))
        self.scale = gain / math.sqrt(inner * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, outer, H, W] of [N, inner, H, W]."""
        rim = self.weight.shape[-1] // 2
        return conv2d(x, self.weight * self.scale, self.bias, padding=(rim, rim))


class Projection(nn.Module):
    """The first layer of G: z as a 1×1 map, convolved by 4×4 with as much padding as gives 4×4.

    The learning rate is equalised as in `Convolution`, which it would be but for its padding.
    """

    def __init__(self, inner: int, outer: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inner, outer, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outer))
        self.scale = math.sqrt(2 / (inner * kernel**2))

    def forward(self, z: Tensor) -> Tensor:
        """Return [N, outer, kernel, kernel] of [N, inner]."""
        return conv_transpose2d(z[:, :, None, None], self.weight * self.scale, self.bias)


class Dense(nn.Module):
    """A dense layer with the learning rate equalised, as `Convolution`."""

    def __init__(self, inner: int, outer: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner))
        self.bias = nn.Parameter(torch.zeros(outer))
        self.scale = gain / math.sqrt(inner)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, outer] of [N, inner]."""
        return linear(x, self.weight * self.scale, self.bias)


class PixelNorm(nn.Module):
    """Divides each pixel's feature vector by its root mean square (section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, …] with a mean square of 1 over C."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


class MinibatchDeviation(nn.Module):
    """Appends a map that says how much the batch varies (section 3).

    Row i belongs to group i modulo the number of groups. The standard deviation over a group of
    each feature at each place, averaged over features and places, is one number a group. Groups are
    as large as `group` at most, and a divisor of the batch.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C + 1, H, W] of [N, C, H, W]."""
        n, _, height, width = x.shape
        size = next(size for size in range(min(self.group, n), 0, -1) if n % size == 0)
        groups = x.unflatten(0, (size, n // size))  # [size, groups, C, H, W]
        variance = (groups - groups.mean(0)).square().mean(0)
        deviation = (variance + EPSILON).sqrt().mean((1, 2, 3))  # [groups]
        shown = deviation.repeat(size).view(n, 1, 1, 1).expand(n, 1, height, width)
        return torch.cat([x, shown], 1)


def enlarged(x: Tensor, factor: int = 2) -> Tensor:
    """Return [N, C, H, W] with each pixel repeated along both sides."""
    return x if factor == 1 else interpolate(x, scale_factor=factor, mode="nearest")


def shrunk(x: Tensor, factor: int = 2) -> Tensor:
    """Return [N, C, H, W] with squares of pixels averaged."""
    return x if factor == 1 else avg_pool2d(x, factor)
