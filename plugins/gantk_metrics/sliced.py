"""The sliced Wasserstein distance between patches of images (Karras et al. 2018, section 5)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gan_toolkit.data import SAMPLE
from gan_toolkit.scoring import Exam, Metric, Score, Side
from gan_toolkit.streams import stream
from gantk_metrics.rows import chosen, within

PATCH = 7
"""Side of a patch in pixels."""
PATCHES = 32
"""Patches of an image and level; the paper takes 128 of 16,384 images."""
MOST_IMAGES = 4096
"""Images of a side that patches are taken from."""
DIRECTIONS = 128
"""Random directions that patches are projected to; the paper takes 4 times 128."""
SMALLEST = 16
"""The pyramid ends at this side, as in the paper."""
BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


class SlicedWasserstein(Metric):
    """Distance between local structure of samples and of real images, level by level of detail.

    Images are split into a Laplacian pyramid (Burt & Adelson 1983) that ends at 16 pixels. 7×7
    patches of a level, each colour channel brought to mean 0 and variance 1, are projected to
    random directions; along each the Wasserstein-1 distance is that of sorted numbers (Rabin et al.
    2011). The score is the mean over levels. Needs no extractor and knows nothing of what is shown.
    """

    watched = True

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model."""
        shape = exam.spec.sample.shape
        if len(shape) != 3:
            return [
                f"swd judges images; samples of '{exam.spec.name}' have the shape {list(shape)}."
            ]
        side = min(exam.fake.size or shape[1:])
        return [f"swd needs images of {PATCH}×{PATCH} or more."] if side < PATCH else []

    def scores(self, exam: Exam) -> list[Score]:
        """Return the distance to the real data; its floor is that of held-out real samples."""
        sides = (exam.fake, exam.real, *exam.floor)
        n = min(MOST_IMAGES, *(side.n for side in sides))
        made, real, held_out, others = (patches(side, n, exam.seed) for side in sides)
        found = {level: distance(rows, real[level], exam.seed) for level, rows in made.items()}
        floor = [distance(rows, others[level], exam.seed) for level, rows in held_out.items()]
        notes = [f"swd: {PATCHES} patches of each of {n} images a side"]
        return [
            Score(
                name="swd",
                value=sum(found.values()) / len(found),
                better="lower",
                floor=sum(floor) / len(floor),
                parts={str(level): value for level, value in found.items()},
                receipt=exam.signed(notes=notes).model_copy(update={"floor": exam.floor_name}),
            )
        ]


def patches(side: Side, n: int, seed: int) -> dict[int, Tensor]:
    """Return the patches of `n` images, [n · PATCHES, C · 49], by side of their level."""
    taken: dict[int, list[Tensor]] = {}
    places = chosen(side.n, n)
    first = 0
    for batch in side.chunks():
        rows = within(places, first, len(batch[SAMPLE]))
        for level, maps in pyramid(batch[SAMPLE][rows]).items():
            dice = stream(seed, "swd patches", side.name, level, first)
            taken.setdefault(level, []).append(cut(maps, dice))
        first += len(batch[SAMPLE])
    return {level: normalised(torch.cat(rows)) for level, rows in taken.items()}


def pyramid(images: Tensor) -> dict[int, Tensor]:
    """Return the levels of the Laplacian pyramid of images [N, C, H, W], by their height."""
    levels = {}
    while min(images.shape[-2:]) >= 2 * SMALLEST:
        smaller = blurred(images)[:, :, ::2, ::2]
        spread = torch.zeros_like(images)
        spread[:, :, ::2, ::2] = smaller
        levels[images.shape[-2]] = images - 4 * blurred(spread)
        images = smaller
    return {**levels, images.shape[-2]: images}


def blurred(images: Tensor) -> Tensor:
    """Return images [N, C, H, W] after a binomial 5×5 filter, mirrored at the rim."""
    channels = images.shape[1]
    kernel = torch.outer(BINOMIAL, BINOMIAL).to(images).expand(channels, 1, 5, 5)
    padded = functional.pad(images, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(padded, kernel, groups=channels)


def cut(maps: Tensor, dice: torch.Generator) -> Tensor:
    """Return patches at random places of maps [N, C, H, W]: [N · PATCHES, C, 7, 7]."""
    n, _, height, width = maps.shape
    windows = maps.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # [N, C, H - 6, W - 6, 7, 7]
    down = torch.randint(height - PATCH + 1, (n, PATCHES), generator=dice)
    right = torch.randint(width - PATCH + 1, (n, PATCHES), generator=dice)
    found = windows[torch.arange(n)[:, None], :, down, right]  # [N, PATCHES, C, 7, 7]
    return found.flatten(0, 1)


def normalised(rows: Tensor) -> Tensor:
    """Return patches [N, C, 7, 7] as [N, C · 49], each channel at mean 0 and variance 1."""
    mean = rows.mean((0, 2, 3), keepdim=True)
    spread = rows.std((0, 2, 3), keepdim=True).clamp(min=1e-8)
    return ((rows - mean) / spread).flatten(1)


def distance(a: Tensor, b: Tensor, seed: int) -> float:
    """Return the sliced Wasserstein-1 distance of two sets of as many rows [N, d]."""
    dice = stream(seed, "swd directions")
    directions = torch.randn(a.shape[1], DIRECTIONS, generator=dice)
    directions = directions / directions.norm(dim=0)
    gaps = [
        (torch.sort(a @ one).values - torch.sort(b @ one).values).abs().mean()
        for one in directions.T  # one at a time: memory stays that of the patches
    ]
    return float(torch.stack(gaps).double().mean())
