"""What TensorFlow 1 does by default and torch does not: padding, resizing, batch norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, pad


class SameConv2d(nn.Conv2d):
    """Convolution with 'same' padding: [N, C, H, W] → [N, C', ⌈H / stride⌉, ⌈W / stride⌉].

    An odd number of padded pixels puts the larger half below and on the right.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's own name for it
        """Return the convolution of the padded maps."""
        rims: list[int] = []
        for axis in (1, 0):  # torch pads the last dimension first
            side, kernel, stride = input.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            rim = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            rims += [rim // 2, rim - rim // 2]
        return super().forward(pad(input, rims))


class BatchStatistics(nn.Module):
    """Batch norm by the batch's own mean and variance, in sampling too; a shift, no scale.

    [N, C, H, W] → the same shape. Keeps no running statistics.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps with mean `shift` and variance 1 in each channel."""
        return batch_norm(maps, None, None, None, self.shift, training=True, eps=self.eps)


class Doubled(nn.Module):
    """Bilinear resizing to twice the size as `tf.image.resize_images` of TensorFlow 1 does it.

    [N, C, H, W] → [N, C, 2H, 2W]. Output pixel i lies at i/2 of the input: corners are not aligned
    and pixels have no half-pixel centres, so even pixels are the input's own, odd ones the mean of
    two neighbours, and the last repeats the one before it.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return the enlarged maps."""
        return _doubled(_doubled(maps, 2), 3)


def _doubled(maps: Tensor, dim: int) -> Tensor:
    side = maps.shape[dim]
    following = torch.cat([maps.narrow(dim, 1, side - 1), maps.narrow(dim, side - 1, 1)], dim)
    return torch.stack([maps, (maps + following) / 2], dim + 1).flatten(dim, dim + 1)
