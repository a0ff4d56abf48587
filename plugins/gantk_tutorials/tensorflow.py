"""What TensorFlow 1 does by default and torch does not: padding, resizing, batch norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, pad

from gan_toolkit.layers import Conv2d, conv2d


class SameConv2d(Conv2d):
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
        scale = torch.ones_like(self.shift)  # without one, torch on CUDA loses the shift's gradient
        return batch_norm(maps, None, None, scale, self.shift, training=True, eps=self.eps)


class DoubledConv2d(nn.Conv2d):
    """Bilinear resizing to twice the size, then 3×3 convolution at stride 2 with 'same' padding.

    [N, C, H, W] → [N, C', H, W]. Resizing is that of `tf.image.resize_images` of TensorFlow 1:
    corners are not aligned and pixels have no half-pixel centres, so even pixels are the input's
    own, odd ones the mean of two neighbours, and the last repeats the one before it.

    The enlarged maps are never made. Along an axis output i reads x_i, (x_i + x_i+1)/2 and x_i+1,
    so kernel (a, b, c) acts as (a + b/2, b/2 + c) on (x_i, x_i+1); the last output reads x, x and
    padding, so that b/2 is missing there with x_i+1 = 0 and is added.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3, stride=2)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's own name for it
        """Return the convolution of the enlarged maps."""
        height, width = input.shape[2:]
        inner, last_column = _folded(self.weight, 3)
        (inner, last_row), (last_column, corner) = _folded(inner, 2), _folded(last_column, 2)
        below, right = input[:, :, -1:], input[:, :, :, -1:]
        out = conv2d(pad(input, (0, 1, 0, 1)), inner, self.bias)
        row = conv2d(pad(below, (0, 1)), last_row)
        column = conv2d(pad(right, (0, 0, 0, 1)), last_column)
        column = column + pad(conv2d(below[..., -1:], corner), (0, 0, height - 1, 0))
        return out + pad(row, (0, 0, height - 1, 0)) + pad(column, (width - 1, 0))


def _folded(kernel: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return what a kernel over doubled maps is over the maps, and what the last output lacks."""
    a, b, c = kernel.split(1, dim)
    return torch.cat([a + b / 2, b / 2 + c], dim), b / 2
