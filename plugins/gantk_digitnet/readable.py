"""The metric `readable`: how many samples a reader of digits that knows better is sure of."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from gan_toolkit.scoring import Exam, Metric, Score, Seen
from gantk_digitnet.network import CLASSES

READER = "strict-digits"
SURE = 0.9
"""The class probability from which on a sample counts as read."""


class Readable(Metric):
    """Share of samples that `strict-digits` reads as one digit with a probability of 0.9 or more.

    Noise and averages of two digits are not read so (see the README of `gantk_digitnet`), which
    cannot be said of `confidence`.
    """

    def refusals(self, exam: Exam) -> list[str]:
        """Return why samples of this data are no digits to read."""
        if exam.spec.classes != CLASSES:
            return [
                f"readable reads the ten digits; those are not the classes of '{exam.spec.name}'."
            ]
        return []

    def scores(self, exam: Exam) -> list[Score]:
        """Return the share."""
        eye = exam.eye(READER)
        made, real = (
            side.statistic("readable 2", eye, read) for side in (exam.fake, exam.floor[0])
        )
        value = float(made["read"] / made["all"])
        return [
            Score(
                name=eye.title("readable"),
                value=value,
                unit="share",
                better="higher",
                floor=float(real["read"] / real["all"]),
                error=math.sqrt(value * (1 - value) / exam.fake.n),
                receipt=exam.signed(eye),
            )
        ]


def read(chunks: Iterable[Seen]) -> dict[str, Tensor]:
    """Return how many samples there are, `all`, and how many of them are `read`."""
    counts = {name: torch.zeros((), dtype=torch.float64) for name in ("all", "read")}
    for seen in chunks:
        assert seen.logits is not None
        sureness = seen.logits.double().softmax(1).amax(1)
        counts["all"] += len(sureness)
        counts["read"] += (sureness >= SURE).sum()
    return counts
