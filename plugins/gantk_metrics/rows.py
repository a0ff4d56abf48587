"""Some of a side's samples, for metrics that compare every sample with every other."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from gan_toolkit.scoring import Exam, Eye, Seen, Side
from gan_toolkit.streams import stream

MOST = 10_000
"""Samples of a side that are compared with each other: time and memory grow with the square."""
BLOCK = 1024
"""Rows of a matrix of distances that are held at once."""


def compared(exam: Exam) -> int:
    """Return how many samples of each side are compared: as many of all, `MOST` at most."""
    return min(MOST, *(side.n for side in (exam.fake, exam.real, *exam.floor)))


def chosen(of: int, n: int) -> Tensor:
    """Return which `n` of `of` samples to take: drawn at random, ascending, none twice.

    A side may be sorted by class, so that the first will not do; or have its classes in turn, as a
    conditional model's, or two sources, as MNIST's training images, so that every other will not.
    """
    return torch.randperm(of, generator=stream(0, "chosen", of))[:n].sort().values


def within(places: Tensor, first: int, count: int) -> Tensor:
    """Return which of the `count` rows of a chunk that begins at row `first` are in `places`."""
    return places[(places >= first) & (places < first + count)] - first


def features(side: Side, eye: Eye, n: int, seed: int) -> Tensor:
    """Return the features of `n` samples of a side, [n, d], in the random order of `seed`."""
    places = chosen(side.n, n)

    def picked(chunks: Iterable[Seen]) -> dict[str, Tensor]:
        found, first = [], 0
        for seen in chunks:
            found.append(seen.features[within(places, first, len(seen.features))])
            first += len(seen.features)
        return {"rows": torch.cat(found).float()}

    shuffled = torch.randperm(n, generator=stream(seed, "rows", side.name))
    return side.statistic(f"rows 2 of {n}", eye, picked)["rows"][shuffled]
