"""The Inception Score (Salimans et al. 2016, arXiv:1606.03498, section 4)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from gan_toolkit.scoring import Exam, FeatureMetric, Score, Seen
from gan_toolkit.streams import stream

SPLITS = 10
"""Parts that are scored on their own, as the paper does with 50,000 samples."""
PART = 100
"""Samples of a part that will do however many classes there are."""


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
        least = SPLITS * min(len(eye.extractor.classes), PART)
        fewest = min(exam.fake.n, exam.floor[0].n)
        return [f"is needs {least} samples, not {fewest}."] if fewest < least else []

    def scores(self, exam: Exam) -> list[Score]:
        """Return the score of the samples; its floor is that of held-out real samples."""
        eye = self.eye(exam)
        value, error = split(probabilities(exam.fake.seen(eye)), exam.seed)
        size, classes = exam.fake.n // SPLITS, len(eye.extractor.classes)
        few = f" for {classes:,} classes, so that more would score higher" * (size < classes)
        notes = [f"is: {SPLITS} parts of {size:,} samples{few}"]
        return [
            Score(
                name=eye.title("is"),
                value=value,
                better="higher",
                floor=split(probabilities(exam.floor[0].seen(eye)), exam.seed)[0],
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


def split(named: Tensor, seed: int) -> tuple[float, float]:
    """Return the mean score over parts of [n, classes], and its standard error."""
    found = torch.tensor(
        [score(named[rows]) for rows in parts(len(named), seed)], dtype=torch.float64
    )
    return float(found.mean()), float(found.std()) / math.sqrt(SPLITS)


def parts(n: int, seed: int) -> Tensor:
    """Return the rows of each part, [10, n // 10], drawn at random.

    A side may be sorted by class or have its classes in turn: either way a part holds them all.
    """
    drawn = torch.randperm(n, generator=stream(seed, "parts"))
    return drawn[: n // SPLITS * SPLITS].view(SPLITS, -1)


def score(named: Tensor) -> float:
    """Return exp of the mean KL divergence of rows [n, classes] from their mean."""
    marginal = named.mean(0)
    divergence = torch.xlogy(named, named) - torch.xlogy(named, marginal)
    return float(divergence.sum(1).mean().exp())
