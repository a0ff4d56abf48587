"""The three transforms of images [N, C, H, W]; u, one number a sample in [0, 1): [N, 1, 1, 1].

Made of arithmetic, padding, rolling and choosing between two tensors: nothing that torch counts as
nondeterministic on any device, no shape that depends on a draw, differentiable twice.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def coloured(x: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Return x brighter by -0.5 … 0.5, then saturated by 0 … 2, then contrasted by 0.5 … 1.5.

    Saturation is the distance from the pixel's mean over channels, contrast that from the image's
    mean over pixels and channels. Nothing is clamped. One channel has no saturation to change.
    """
    x = x + (brightness - 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * saturation)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (0.5 + contrast)


def translated(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Return x shifted by whole pixels, up to ⅛ of each side, zeros moving in."""
    return _shifted(_shifted(x, down, 2), right, 3)


def cut_out(x: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """Return x with zeros in a square of half of each side, its centre anywhere in the image."""
    inside = _within(x, top, 2) & _within(x, left, 3)
    return x.masked_fill(inside, 0)


def _shifted(x: Tensor, u: Tensor, dim: int) -> Tensor:
    """Return x shifted along a side: padded, then rolled by each bit of the shift in turn."""
    length = x.shape[dim]
    most = int(length / 8 + 0.5)
    padding = (most, most) if dim == 3 else (0, 0, most, most)
    shift = (u * (2 * most + 1)).long()  # 0 … 2 most
    x = pad(x, padding)
    for bit in range((2 * most).bit_length()):
        x = torch.where((shift >> bit) % 2 == 1, x.roll(-(1 << bit), dim), x)
    return x.narrow(dim, 0, length)  # no shift rolls the far end into these


def _within(x: Tensor, u: Tensor, dim: int) -> Tensor:
    """Return where half a side lies around a centre chosen by u: [N, 1, H, 1] or [N, 1, 1, W]."""
    length = x.shape[dim]
    size = int(length / 2 + 0.5)
    start = (u * (length + 1 - size % 2)).long() - size // 2
    shape = (1, 1, -1, 1) if dim == 2 else (1, 1, 1, -1)
    place = torch.arange(length, device=x.device).view(shape)
    return (place >= start) & (place < start + size)
