"""Fidelity and diversity told apart by nearest neighbours among features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gan_toolkit.options import Field
from gan_toolkit.scoring import Exam, FeatureMetric, Score
from gantk_metrics.rows import BLOCK, compared, features


class Neighbours(FeatureMetric):
    """Precision, recall, density and coverage.

    A sample's ball reaches to its k-th nearest neighbour among the samples of its own side.
    `precision`: share of fakes within a real ball; `recall`: share of reals within a fake ball
    (Kynkäänniemi et al. 2019, equations 1 and 2). `density`: real balls that hold a fake, on
    average, over k, which outliers sway less than precision and which may exceed 1; `coverage`:
    share of real balls that hold a fake (Naeem et al. 2020, equations 5 and 6). As many fakes as
    reals are compared, at most 10,000; numbers of another n or k are on another scale.
    """

    k: int = Field(3, ge=1, le=100, description="neighbour that a ball of precision reaches to")
    k_coverage: int = Field(5, ge=1, le=100, description="the same for density and coverage")

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model."""
        reasons = super().refusals(exam)
        needed = max(self.k, self.k_coverage) + 1
        if compared(exam) < needed:
            reasons.append(f"neighbours needs {needed} samples a side, not {compared(exam)}.")
        return reasons

    def scores(self, exam: Exam) -> list[Score]:
        """Return four scores; the floor of each is that of held-out real samples."""
        eye = self.eye(exam)
        n = compared(exam)
        fake, real, held_out, others = (
            features(side, eye, n, exam.seed) for side in (exam.fake, exam.real, *exam.floor)
        )
        made = self._measured(fake, real)
        floor = self._measured(held_out, others)
        notes = [f"neighbours: {n:,} samples a side, k = {self.k} and {self.k_coverage}"]
        return [
            Score(
                name=eye.title(name),
                value=value,
                unit="" if name == "density" else "share",
                better="higher",
                floor=floor._asdict()[name],
                receipt=exam.signed(eye, notes),
            )
            for name, value in made._asdict().items()
        ]

    def _measured(self, fake: Tensor, real: Tensor) -> Found:
        """Return all four, each matrix of distances gone through once."""
        real_reach = reaches(real, (self.k, self.k_coverage))
        fake_reach = reaches(fake, (self.k,))[:, 0]
        inside, held, covered, recalled = 0, 0, 0, 0
        for rows, reach in zip(real.split(BLOCK), real_reach.split(BLOCK), strict=True):
            gaps = distances(rows, fake)  # [block, n]
            covered += int((gaps < reach[:, 1:]).any(1).sum())
            held += int((gaps < reach[:, 1:]).sum())
            recalled += int((gaps <= fake_reach).any(1).sum())
        for rows in fake.split(BLOCK):
            inside += int((distances(rows, real) <= real_reach[:, 0]).any(1).sum())
        n = len(fake)
        return Found(
            inside / n, recalled / len(real), held / (self.k_coverage * n), covered / len(real)
        )


class Found(NamedTuple):
    """The four numbers by name."""

    precision: float
    recall: float
    density: float
    coverage: float


def reaches(rows: Tensor, ks: tuple[int, ...]) -> Tensor:
    """Return each row's distance to its k-th nearest other row, for each k: [n, len(ks)]."""
    found = []
    for first, block in zip(range(0, len(rows), BLOCK), rows.split(BLOCK), strict=True):
        gaps = distances(block, rows)
        gaps[torch.arange(len(block)), first + torch.arange(len(block))] = 0  # itself, exactly
        nearest = gaps.topk(max(ks) + 1, largest=False).values  # the first is itself
        found.append(nearest[:, list(ks)])
    return torch.cat(found)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distances of every pair, [n, m], float64.

    Float64, since |a|² + |b|² - 2 a·b loses half of the digits of near pairs.
    """
    return torch.cdist(a.double(), b.double(), compute_mode="use_mm_for_euclid_dist")
