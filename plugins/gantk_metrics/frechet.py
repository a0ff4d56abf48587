"""The Fréchet distance between Gaussians fitted to features (Heusel et al. 2017, equation 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from gan_toolkit.errors import DataError
from gan_toolkit.scoring import Exam, Eye, FeatureMetric, Score, Seen, Side

LEAST = 2048
"""Samples below which the distance says more about their number than about the model."""


class FrechetDistance(FeatureMetric):
    """Squared Fréchet distance between Gaussians fitted to features of samples and real data.

    With the standard Inception network this is the FID; with any other it carries that one's name
    and is on a scale of its own. It falls with the number of samples, so compare numbers of one n.
    Needs 2,048 samples.
    """

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model."""
        reasons = super().refusals(exam)
        if exam.fake.n < LEAST:
            reasons.append(
                f"fd needs {LEAST:,} samples or more, not {exam.fake.n:,}: with fewer it measures "
                f"their number. Set -n to at least {LEAST}."
            )
        return reasons

    def scores(self, exam: Exam) -> list[Score]:
        """Return the distance of the samples to the real data; its floor is that of real data."""
        eye = self.eye(exam)
        notes = []
        if exam.real.n < LEAST:
            notes.append(f"only {exam.real.n:,} real samples: fd is larger than it should be")
        held_out, others = exam.floor
        return [
            Score(
                name=f"fd-{eye.name}",
                value=distance(fitted(exam.fake, eye), fitted(exam.real, eye)),
                better="lower",
                floor=distance(fitted(held_out, eye), fitted(others, eye)),
                receipt=exam.signed(eye, notes),
            )
        ]


def fitted(side: Side, eye: Eye) -> Mapping[str, Tensor]:
    """Return the Gaussian of what an extractor sees of one side."""
    return side.statistic("gaussian 1", eye, gaussian)


def gaussian(chunks: Iterable[Seen]) -> dict[str, Tensor]:
    """Return `mean` [d] and `covariance` [d, d] of features, float64, in one pass.

    Sums of squares about the mean are merged chunk by chunk (Chan et al. 1983, equation 1.5), so
    nothing is lost to a mean that is large beside the spread. The divisor is n - 1. Raises
    `DataError` for fewer than two rows.
    """
    n, mean, squares = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for seen in chunks:
        rows = seen.features.double()  # [m, d]
        m, own = len(rows), rows.mean(0)
        centred, shift = rows - own, own - mean
        squares = squares + centred.T @ centred + torch.outer(shift, shift) * (n * m / (n + m))
        mean = mean + shift * (m / (n + m))
        n += m
    if n < 2:
        raise DataError("A Gaussian needs two samples or more.")
    return {"mean": mean, "covariance": squares / (n - 1)}


def distance(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Return |m_a - m_b|² + tr(A + B - 2 (A B)^½) (Heusel et al. 2017, equation 6).

    tr (A B)^½ is taken as tr (A^½ B A^½)^½, which has the same eigenvalues and is symmetric and
    positive semi-definite: no complex roots, and singular covariances do no harm.
    """
    values, vectors = torch.linalg.eigh(a["covariance"])
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    inner = root @ b["covariance"] @ root
    cross = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp(min=0).sqrt().sum()
    shift = (a["mean"] - b["mean"]).square().sum()
    return float(shift + a["covariance"].trace() + b["covariance"].trace() - 2 * cross)
