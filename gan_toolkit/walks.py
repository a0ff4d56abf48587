"""A walk through latent space: from sample to sample of a seed, and back to the first."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gan_toolkit.data import Batch
from gan_toolkit.sampling import BLOCK, Inputs, first_rows
from gan_toolkit.streams import Draw, Mixture, Normal, Uniform


def walk_inputs(draws: Mapping[str, Draw], inputs: Inputs, stops: int, frames: int) -> Inputs:
    """Return the draws of a closed walk over rows 0 … stops - 1 of `inputs`, `frames` a leg.

    Frame k * frames stands on stop k. Between stops normal draws move along the great circle, so
    that they stay as long as normal draws are (White 2016, arXiv:1609.04468, section 2.1), uniform
    ones along the line, and what cannot be between two values, a class or the component of a
    mixture, stays as at the stop.
    """
    rows = first_rows(inputs, stops)

    def block_of(block: int) -> Batch:
        place = torch.arange(block * BLOCK, (block + 1) * BLOCK) % (stops * frames)
        at, share = place // frames, (place % frames) / frames
        return {
            name: _between(draws[name], stop[at], stop[(at + 1) % stops], share)
            for name, stop in rows.items()
        }

    return block_of


def _between(draw: Draw, start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Return rows [N, …] that lie a share [N] of the way between two draws."""
    share = share.view(-1, *[1] * (start.dim() - 1))
    if isinstance(draw, Mixture):
        of_stop, vary = start[:, : draw.components], slice(draw.components, None)
        return torch.cat([of_stop, slerp(start[:, vary], end[:, vary], share)], 1)
    if isinstance(draw, Normal):
        return slerp(start, end, share)
    return start.lerp(end, share) if isinstance(draw, Uniform) else start


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Return the rows [N, …] between two of equal place along the great circle: [N, …].

    The direction turns at an even pace and the length changes evenly (Shoemake 1985, section 3.3).
    Rows that point the same or the opposite way are joined by the line.
    """
    flat = [rows.flatten(1) for rows in (start, end)]
    lengths = [rows.norm(dim=1).view(share.shape) for rows in flat]
    units = [
        rows / length.clamp_min(1e-12) for rows, length in zip((start, end), lengths, strict=True)
    ]
    cosine = (units[0].flatten(1) * units[1].flatten(1)).sum(1).clamp(-1, 1).view(share.shape)
    angle = cosine.acos()
    sine = angle.sin()
    turned = (((1 - share) * angle).sin() * units[0] + (share * angle).sin() * units[1]) / sine
    curved = turned * lengths[0].lerp(lengths[1], share)
    return torch.where(sine > 1e-6, curved, start.lerp(end, share))
