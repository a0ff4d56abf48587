"""What an extractor that names classes says of samples: sureness, balance, labels obeyed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from gan_toolkit.scoring import Exam, FeatureMetric, Score, Seen


class Classified(FeatureMetric):
    """Scores from the class probabilities of an extractor.

    `confidence`: mean of the largest probability. `class-min`, `class-max`: shares of the rarest
    and the commonest class among the samples. `class-distance`: total variation distance between
    those shares and the data's, half the sum of |difference|; 0 is even, 1 is disjoint.
    `label-accuracy`, for conditional models: share of samples named as the class that was asked
    for, classes asked in turn. The shares are left out when held-out real samples do not fall in
    every class of the extractor: a class that the data lacks is no fault of a model.
    """

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model."""
        if reasons := super().refusals(exam):
            return reasons
        eye = self.eye(exam)
        if not eye.extractor.classes:
            return [f"The extractor '{eye.name}' names no classes."]
        return []

    def scores(self, exam: Exam) -> list[Score]:
        """Return the scores that this model and this data allow."""
        eye = self.eye(exam)
        classes = eye.extractor.classes
        made, held_out, real = (
            _Votes(side.statistic("votes 1", eye, votes))
            for side in (exam.fake, exam.floor[0], exam.real)
        )
        labelled = exam.spec.classes == classes
        obeys = exam.asked and exam.fake.spec.classes == classes
        notes = [] if labelled else ["the data has no labels of these classes: no class-distance"]
        if exam.asked and not obeys:
            notes.append("the model's classes are not the extractor's: no label-accuracy")
        fallen = int(held_out.shares.count_nonzero())
        if fallen < len(classes):
            notes.append(
                f"real samples are named as {fallen} of {eye.name}'s {len(classes):,} classes: no "
                "class-min, no class-max"
            )
        receipt = exam.signed(eye, notes)

        def score(name: str, value: float, **facts: object) -> Score:
            return Score.model_validate(
                {"name": eye.title(name), "value": value, "unit": "share", "receipt": receipt}
                | facts
            )

        found = [score("confidence", made.confidence, better="higher", floor=held_out.confidence)]
        if fallen == len(classes):
            rarest, commonest = held_out.shares.aminmax()
            shares = dict(zip(classes, made.shares.tolist(), strict=True))
            found += [
                score(
                    "class-min",
                    float(made.shares.min()),
                    better="higher",
                    floor=float(rarest),
                ),
                score(
                    "class-max",
                    float(made.shares.max()),
                    better="lower",
                    floor=float(commonest),
                    parts=shares,
                ),
            ]
        if labelled:
            found.append(
                score(
                    "class-distance",
                    variation(made.shares, real.label_shares),
                    better="lower",
                    floor=variation(held_out.shares, real.label_shares),
                )
            )
        if obeys:
            right = made.accuracy
            found.append(
                score(
                    "label-accuracy",
                    right,
                    better="higher",
                    floor=held_out.accuracy if labelled else None,
                    error=math.sqrt(right * (1 - right) / exam.fake.n),
                    parts=dict(zip(classes, made.accuracies.tolist(), strict=True)),
                )
            )
        return found


class _Votes:
    """Counts of how samples were named, and what follows from them."""

    def __init__(self, counts: Mapping[str, Tensor]) -> None:
        self._counts = counts
        named = counts["named"].double()
        self.shares = named / named.sum()
        self.confidence = float(counts["sureness"] / named.sum())

    @property
    def label_shares(self) -> Tensor:
        """Shares of the labels that samples carry: [classes]."""
        labelled = self._counts["labelled"].double()
        return labelled / labelled.sum()

    @property
    def accuracy(self) -> float:
        """Share of samples that are named as labelled."""
        return float(self._counts["right"].sum().double() / self._counts["labelled"].sum())

    @property
    def accuracies(self) -> Tensor:
        """The same for each class; 0 for one that no sample carries: [classes]."""
        return self._counts["right"].double() / self._counts["labelled"].clamp(min=1)


def votes(chunks: Iterable[Seen]) -> dict[str, Tensor]:
    """Return counts [classes]: `named` so, `labelled` so, `right` in both; and summed `sureness`.

    A label beyond the extractor's classes counts for none.
    """
    totals: dict[str, Tensor] = {}
    for seen in chunks:
        assert seen.logits is not None
        classes = seen.logits.shape[1]
        sureness, named = seen.logits.double().softmax(1).max(1)
        labels = torch.full_like(named, classes) if seen.label is None else seen.label
        known = labels < classes
        counts = {
            "named": torch.bincount(named, minlength=classes),
            "labelled": torch.bincount(labels[known], minlength=classes),
            "right": torch.bincount(labels[labels == named], minlength=classes),
            "sureness": sureness.sum(),
        }
        totals = {name: totals.get(name, torch.zeros_like(c)) + c for name, c in counts.items()}
    return totals


def variation(p: Tensor, q: Tensor) -> float:
    """Return the total variation distance of two distributions [classes]."""
    return float((p - q).abs().sum() / 2)
