"""Scores of a run over its steps, and which numbers of several runs may be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gan_toolkit.report.facts import Taken
from gan_toolkit.scoring import Score

DECIDING = {
    "data": "data",
    "split": "split",
    "fingerprint": "content of the data",
    "n": "number of samples",
    "real": "number of real samples",
    "extractor": "extractor",
    "extractor_sha256": "weights of the extractor",
    "resize": "resizing",
}
"""What must be the same on two receipts before their numbers are, and how people call it."""


class Course(NamedTuple):
    """One score of a run, every time that it was taken."""

    name: str
    taken: list[Taken]

    @property
    def last(self) -> Taken:
        """The newest."""
        return self.taken[-1]

    @property
    def best(self) -> Taken | None:
        """The best, the earliest of equals; none when no direction is better."""
        if self.last.score.better == "none":
            return None
        return min(self.taken, key=lambda each: (each.score.rank, each.step))


def courses(taken: Iterable[Taken]) -> list[Course]:
    """Return each score over the steps, in the order of their first mention."""
    found: dict[str, list[Taken]] = {}
    for each in taken:
        found.setdefault(each.score.name, []).append(each)
    return [Course(name, each) for name, each in found.items()]


def unlike(scores: Sequence[Score]) -> list[str]:
    """Return what differs on the receipts of scores and keeps them from being compared."""
    return [
        told
        for field, told in DECIDING.items()
        if len({getattr(score.receipt, field) for score in scores}) > 1
    ]
