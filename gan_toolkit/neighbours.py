"""Against memorisation: samples, and to each the real sample nearest to it."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from PIL.Image import Image
from torch import Tensor

from gan_toolkit.data import SAMPLE, DataSet, Progress, Source
from gan_toolkit.generator import Generator
from gan_toolkit.pictures import is_picture, picture

COUNT = 12
CHUNK = 2048


class Pairs(NamedTuple):
    """Samples and their nearest real ones, each [n, C, H, W] in the generator's range."""

    fakes: Tensor
    reals: Tensor


def strip(generator: Generator, data: DataSet, progress: Progress) -> Image | None:
    """Return the `pairs` as one picture, real samples in the lower row; None where they are."""
    found = pairs(generator, data, progress)
    if found is None:
        return None
    in_turn = torch.stack(found, dim=1).flatten(0, 1)  # for a row each
    return picture(in_turn, generator.spec.sample, rows=2)


def pairs(generator: Generator, data: DataSet, progress: Progress) -> Pairs | None:
    """Return `COUNT` samples of seed 0 and their nearest real images by squared distance.

    None when samples are no images, the data have no end and so nothing to memorise, or theirs are
    of another shape. Raises `DataError` when the data cannot be opened.
    """
    spec = generator.spec.sample
    if not is_picture(spec):
        return None
    source = data.open(progress)
    if source.spec.length is None or source.spec.sample.shape != spec.shape:
        return None
    fakes = generator.sample(COUNT, seed=0)  # [n, C, H, W]
    return Pairs(fakes, nearest(fakes, cast(Source, source), generator, progress))


def nearest(fakes: Tensor, source: Source, generator: Generator, progress: Progress) -> Tensor:
    """Return the real image nearest to each fake, [n, C, H, W], in the generator's range."""
    field, total = source.spec.ranged(-1, 1).sample, source.spec.length or 0
    low, high = generator.spec.sample.low, generator.spec.sample.high
    bounded = low is not None and high is not None
    wide = fakes.flatten(1).double()
    best = torch.full((len(fakes),), torch.inf, dtype=torch.float64)
    found = torch.zeros_like(fakes)
    for first in range(0, total, CHUNK):
        rows = torch.arange(first, min(first + CHUNK, total))
        real = field.normalise(source.gather(rows)[SAMPLE])
        if bounded:
            real = (real + 1) * ((high - low) / 2) + low  # type: ignore[operator]  # both are floats here
        distance = torch.cdist(wide, real.flatten(1).double())  # [n, chunk]
        closest, where = distance.min(dim=1)
        nearer = closest < best
        best = torch.where(nearer, closest, best)
        found[nearer] = real[where[nearer]]
        progress("Looking for nearest neighbours", min(first + CHUNK, total), total)
    return found
