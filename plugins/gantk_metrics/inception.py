"""The Inception Score (Salimans et al. 2016, arXiv:1606.03498, section 4)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from gan_toolkit.scoring import Exam, FeatureMetric, Score, Seen

SPLITS = 10
"""Parts that are scored on their own, as the paper does with 50,000 samples."""


class InceptionScore(FeatureMetric):
    """exp E KL(p(y | x) ‖ p(y)) over the classes that an extractor names.

    From 1, when every sample is named alike, to the number of classes, when each is named surely
    and all as often. It never looks at the data, so it sees no memorising and nothing within a
    class. The mean over ten parts of the samples; `error` is the standard error of that mean. It
    grows with the size of a part, so compare numbers of one n.
    """

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model."""
        if reasons := super().refusals(exam):
            return reasons
        eye = self.eye(exam)
        if not eye.extractor.classes:
            return [f"The extractor '{eye.name}' names no classes."]
        least = SPLITS * len(eye.extractor.classes)
        fewest = min(exam.fake.n, exam.floor[0].n)
        return [f"is needs {least} samples, not {fewest}."] if fewest < least else []

    def scores(self, exam: Exam) -> list[Score]:
        """Return the score of the samples; its floor is that of held-out real samples."""
        eye = self.eye(exam)
        value, error = split(probabilities(exam.fake.seen(eye)))
        notes = [f"is: {SPLITS} parts of {exam.fake.n // SPLITS:,} samples"]
        return [
            Score(
                name=f"is-{eye.name}",
                value=value,
                better="higher",
                floor=split(probabilities(exam.floor[0].seen(eye)))[0],
                error=error,
                receipt=exam.signed(eye, notes),
            )
        ]


def probabilities(chunks: Iterable[Seen]) -> Tensor:
    """Return the probability of each class for each sample: [n, classes], float64."""
    found = []
    for seen in chunks:
        assert seen.logits is not None
        found.append(seen.logits.double().softmax(1))
    return torch.cat(found)


def split(named: Tensor) -> tuple[float, float]:
    """Return the mean score over parts, and its standard error.

    Part j takes samples j, j + 10, …: a side may be sorted by class.
    """
    size = len(named) // SPLITS
    found = torch.tensor([score(named[j::SPLITS][:size]) for j in range(SPLITS)])
    return float(found.mean()), float(found.std()) / math.sqrt(SPLITS)


def score(named: Tensor) -> float:
    """Return exp of the mean KL divergence of rows [n, classes] from their mean."""
    marginal = named.mean(0)
    divergence = torch.xlogy(named, named) - torch.xlogy(named, marginal)
    return float(divergence.sum(1).mean().exp())
