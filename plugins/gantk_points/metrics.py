"""The metrics `modes` and `curve`: `scores.py` on a model's samples, with receipts.

They compare with the formula of the data, not with its rows. The floor beside each score is that of
as many points drawn afresh from the formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gan_toolkit.data import SAMPLE
from gan_toolkit.options import Field
from gan_toolkit.scoring import Better, Exam, Metric, Score
from gan_toolkit.streams import stream
from gantk_points.curves import Curve
from gantk_points.mixtures import Mixture
from gantk_points.points import PointSet
from gantk_points.scores import curve_scores, mode_scores, y_range


class PointMetric(Metric):
    """A metric of the model's first samples."""

    samples: int = Field(
        2500,
        ge=1,
        description="samples that are looked at, or all there are; PacGAN's protocol: 2500",
    )


class Modes(PointMetric):
    """Modes covered, high-quality share, reverse KL and spread (Lin et al. 2018)."""

    def refusals(self, exam: Exam) -> list[str]:
        """Return that the data is no mixture of Gaussians, if so."""
        if isinstance(exam.data, Mixture):
            return []
        return [f"modes judges samples of `ring` and `grid`; the data is '{exam.spec.name}'."]

    def scores(self, exam: Exam) -> list[Score]:
        """Return six scores; without high-quality samples those that do not exist are left out."""
        data = exam.data
        assert isinstance(data, Mixture)

        def measure(samples: Tensor) -> list[_Measured]:
            seen = mode_scores(samples, data.means, data.sd)
            counts = dict(zip(data.classes, map(float, seen.counts), strict=True))
            return [
                _Measured("modes", seen.modes, f"of {len(data.means)}", "higher", counts),
                _Measured("modes-quality", seen.quality, "share", "higher"),
                _Measured("modes-reverse-kl", seen.reverse_kl, "nats", "lower"),
                _Measured("modes-spread-low", seen.spread_low, "of the true sd", "none"),
                _Measured("modes-spread-median", seen.spread_median, "of the true sd", "none"),
                _Measured("modes-spread-high", seen.spread_high, "of the true sd", "none"),
            ]

        return _scored(exam, data, self.samples, measure)


class OnCurve(PointMetric):
    """How near samples lie to a curve or two, and how much of its range of x they reach."""

    def refusals(self, exam: Exam) -> list[str]:
        """Return that the data is no curve, or a flat one, if so."""
        if not isinstance(exam.data, Curve):
            return [f"curve judges samples of `curve`; the data is '{exam.spec.name}'."]
        if y_range(exam.data) == 0:
            return ["curve measures errors against the range of y, and this curve is flat."]
        return []

    def scores(self, exam: Exam) -> list[Score]:
        """Return three scores."""
        data = exam.data
        assert isinstance(data, Curve)

        def measure(samples: Tensor) -> list[_Measured]:
            seen = curve_scores(samples, data)
            return [
                _Measured("curve-error", seen.error, "of the range of y", "lower"),
                _Measured("curve-coverage", seen.coverage, "share", "higher"),
                _Measured("curve-inside", seen.inside, "share", "higher"),
            ]

        return _scored(exam, data, self.samples, measure)


class _Measured(NamedTuple):
    """One number before it has a receipt."""

    name: str
    value: float
    unit: str
    better: Better
    parts: dict[str, float] = {}  # noqa: RUF012  # never changed


def _scored(
    exam: Exam, data: PointSet, n: int, measure: Callable[[Tensor], list[_Measured]]
) -> list[Score]:
    """Return what is measured of the model's first `n` samples, all of them if they are fewer."""
    samples = _first(exam, n)
    true = data.draw(len(samples), stream(exam.seed, "floor"))[SAMPLE]
    floors = {m.name: m.value for m in measure(true) if math.isfinite(m.value)}
    receipt = exam.signed().model_copy(
        update={
            "n": len(samples),
            "real": len(true),
            "floor": f"{len(true)} points drawn afresh from the formula",
        }
    )
    return [
        Score(
            name=measured.name,
            value=measured.value,
            unit=measured.unit,
            better=measured.better,
            floor=floors.get(measured.name),
            parts=measured.parts,
            receipt=receipt,
        )
        for measured in measure(samples)
        if math.isfinite(measured.value)
    ]


def _first(exam: Exam, n: int) -> Tensor:
    """Return the model's first `n` samples: [n, d]."""
    rows: list[Tensor] = []
    for chunk in exam.fake.chunks():
        rows.append(chunk[SAMPLE])
        if sum(map(len, rows)) >= n:
            break
    return torch.cat(rows)[:n]
