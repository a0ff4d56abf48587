"""Features of some of a side's samples, for metrics that compare every sample with every other."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_toolkit.scoring import Exam, Eye, Side
from gan_toolkit.streams import stream

MOST = 10_000
"""Samples of a side that are compared with each other: time and memory grow with the square."""
BLOCK = 1024
"""Rows of a matrix of distances that are held at once."""


def compared(exam: Exam) -> int:
    """Return how many samples of each side are compared: as many of all, `MOST` at most."""
    return min(MOST, *(side.n for side in (exam.fake, exam.real, *exam.floor)))


def features(side: Side, eye: Eye, n: int, seed: int) -> Tensor:
    """Return the features of `n` samples spread evenly over a side, [n, d], in random order.

    A side may be sorted by class; the order is that of `seed`.
    """
    chosen = torch.arange(n) * side.n // n  # ascending, none twice
    found, first = [], 0
    for seen in side.seen(eye):
        inside = (chosen >= first) & (chosen < first + len(seen.features))
        found.append(seen.features[chosen[inside] - first])
        first += len(seen.features)
    shuffled = torch.randperm(n, generator=stream(seed, "rows", side.name))
    return torch.cat(found)[shuffled].float()
