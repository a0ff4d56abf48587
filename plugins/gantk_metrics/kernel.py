"""The kernel Inception distance (Bińkowski et al. 2018, arXiv:1801.01401, section 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gan_toolkit.scoring import Exam, FeatureMetric, Score
from gantk_metrics.rows import compared, features

SUBSET = 1000
"""Samples of a block, as in the paper's experiments."""


class KernelDistance(FeatureMetric):
    """Squared maximum mean discrepancy of features under the kernel (x·y / d + 1)³.

    It is unbiased: its mean does not depend on the number of samples, and that of real data against
    real data is 0, so single values may be negative. It is the mean over disjoint blocks of 1,000
    samples, and `error` is the standard error of that mean. Needs 2,000 samples.
    """

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model."""
        reasons = super().refusals(exam)
        if compared(exam) < 2 * SUBSET:
            reasons.append(
                f"kid needs {2 * SUBSET:,} samples of the model and of the data, not "
                f"{compared(exam):,}: its error comes from blocks of {SUBSET:,}."
            )
        return reasons

    def scores(self, exam: Exam) -> list[Score]:
        """Return the distance to the real data; its floor is that of held-out real samples."""
        eye = self.eye(exam)
        n = compared(exam)
        fake, real, held_out, others = (
            features(side, eye, n, exam.seed) for side in (exam.fake, exam.real, *exam.floor)
        )
        value, error = blocked(fake, real)
        return [
            Score(
                name=eye.title("kid"),
                value=value,
                better="lower",
                floor=blocked(held_out, others)[0],
                error=error,
                receipt=exam.signed(eye, [f"kid: {n // SUBSET} blocks of {SUBSET:,} samples"]),
            )
        ]


def blocked(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Return the mean of `discrepancy` over disjoint blocks of x and y, and its standard error."""
    whole = len(x) // SUBSET * SUBSET
    blocks = zip(x[:whole].split(SUBSET), y[:whole].split(SUBSET), strict=True)
    found = torch.tensor([discrepancy(a, b) for a, b in blocks], dtype=torch.float64)
    return float(found.mean()), float(found.std() / math.sqrt(len(found)))


def discrepancy(x: Tensor, y: Tensor) -> float:
    """Return the unbiased squared MMD of x [n, d], y [m, d] (Gretton et al. 2012, equation 3)."""
    x, y = x.double(), y.double()
    n, m = len(x), len(y)
    inside = [
        (kernel(rows, rows).sum() - kernel_with_itself(rows).sum()) / (count * (count - 1))
        for rows, count in ((x, n), (y, m))
    ]
    return float(inside[0] + inside[1] - 2 * kernel(x, y).mean())


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """Return (x·y / d + 1)³ of every pair: [n, m]."""
    return (x @ y.T / x.shape[1] + 1).pow(3)


def kernel_with_itself(x: Tensor) -> Tensor:
    """Return (x·x / d + 1)³ of every row: [n]."""
    return (x.square().sum(1) / x.shape[1] + 1).pow(3)
