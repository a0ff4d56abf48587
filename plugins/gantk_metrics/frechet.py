"""The Fréchet distance between Gaussians fitted to features (Heusel et al. 2017, equation 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import torch
from torch import Tensor

from gan_toolkit.errors import DataError
from gan_toolkit.scoring import Exam, Eye, FeatureMetric, Score, Seen, Side

LEAST = 2048
"""Samples below which the distance says more about their number than about the model."""
TOLD = 10
"""Classes that a note names."""


class FrechetDistance(FeatureMetric):
    """Squared Fréchet distance between Gaussians fitted to features of samples and real data.

    Through the Inception network of 2015 this is the FID; through any other it carries that one's
    name and is on a scale of its own. It falls with the number of samples, so compare numbers of
    one n. Needs 2,048 samples. Of a model that is asked for classes, `parts` is the distance of
    each class to the real samples of that class, where both have more of them than features.
    """

    watched = True

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
        title = eye.title("fd")
        fake, real = (fitted(side, eye) for side in (exam.fake, exam.real))
        width = len(fake["mean"])
        parts, notes = of_classes(exam, eye, width)
        if exam.real.n < LEAST:
            notes.append(f"only {exam.real.n:,} real samples: {title} is larger than it should be")
        held_out, others = exam.floor
        notes += [
            f"{title}: {side.name}, {side.n:,}, are no more than the {width:,} features: their "
            "covariance is singular and the distance larger than it should be"
            for side in (exam.fake, exam.real, held_out)
            if side.n <= width
        ]
        return [
            Score(
                name=title,
                value=distance(fake, real),
                better="lower",
                floor=distance(fitted(held_out, eye), fitted(others, eye)),
                parts=parts,
                receipt=exam.signed(eye, notes),
            )
        ]


def of_classes(exam: Exam, eye: Eye, width: int) -> tuple[dict[str, float], list[str]]:
    """Return the distance of each class by its name, and what to know of them.

    None for a model that is not asked for the classes of the data, and none of a class with as many
    samples as features or fewer: its covariance is singular.
    """
    names, title = exam.spec.classes, eye.title("fd")
    if not exam.asked or not names or exam.fake.spec.classes != names:
        return {}, []
    if exam.fake.n // len(names) <= width:
        least = (width + 1) * len(names)
        return {}, [f"no {title} of each class, of which it needs {width + 1:,}: -n {least:,}"]
    made, real = (
        side.statistic(f"gaussians 1 of {len(names)}", eye, partial(gaussians, classes=len(names)))
        for side in (exam.fake, exam.real)
    )
    enough = (torch.minimum(made["count"], real["count"]) > width).tolist()
    parts = {
        name: distance(_of(made, place), _of(real, place))
        for place, name in enumerate(names)
        if enough[place]
    }
    few = [name for name in names if name not in parts]
    if not few:
        return parts, []
    told = ", ".join(few[:TOLD]) + (" …" if len(few) > TOLD else "")
    return parts, [f"no {title} of {told}: {width:,} samples or fewer of such a class"]


def fitted(side: Side, eye: Eye) -> Mapping[str, Tensor]:
    """Return the Gaussian of what an extractor sees of one side."""
    return side.statistic("gaussian 1", eye, gaussian)


def gaussian(chunks: Iterable[Seen]) -> dict[str, Tensor]:
    """Return `mean` [d] and `covariance` [d, d] of features, float64, in one pass.

    Raises `DataError` for fewer than two rows.
    """
    moments = Moments()
    for seen in chunks:
        moments.add(seen.features)
    if moments.n < 2:
        raise DataError("A Gaussian needs two samples or more.")
    return {"mean": moments.mean, "covariance": moments.covariance}


def gaussians(chunks: Iterable[Seen], *, classes: int) -> dict[str, Tensor]:
    """Return `count` [k], `mean` [k, d] and `covariance` [k, d, d] of each of k classes."""
    moments = [Moments() for _ in range(classes)]
    width = 0
    for seen in chunks:
        assert seen.label is not None
        width = seen.features.shape[1]
        for place in seen.label.unique().tolist():
            if place < classes:
                moments[place].add(seen.features[seen.label == place])
    return {
        "count": torch.tensor([each.n for each in moments]),
        "mean": torch.stack([each.mean.expand(width) for each in moments]),
        "covariance": torch.stack([each.covariance.expand(width, width) for each in moments]),
    }


class Moments:
    """Number, mean and covariance of rows that come chunk by chunk, in float64.

    Sums of squares about the mean are merged (Chan et al. 1983, equation 1.5), so nothing is lost
    to a mean that is large beside the spread.
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean = torch.zeros((), dtype=torch.float64)
        self._squares = torch.zeros((), dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Take in features [m, d], m at least 1."""
        rows = features.double()
        m, own = len(rows), rows.mean(0)
        centred, shift = rows - own, own - self.mean
        grown = torch.outer(shift, shift) * (self.n * m / (self.n + m))
        self._squares = self._squares + centred.T @ centred + grown
        self.mean = self.mean + shift * (m / (self.n + m))
        self.n += m

    @property
    def covariance(self) -> Tensor:
        """With the divisor n - 1: [d, d]; zero for fewer than two rows."""
        return self._squares / max(self.n - 1, 1)


def _of(stacked: Mapping[str, Tensor], place: int) -> dict[str, Tensor]:
    """Return the Gaussian of one class."""
    return {name: tensors[place] for name, tensors in stacked.items()}


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
