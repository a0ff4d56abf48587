"""The energy distance between vectors (Székely & Rizzo 2013)."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_toolkit.data import SAMPLE
from gan_toolkit.scoring import Exam, Metric, Score, Side
from gantk_metrics.neighbours import distances
from gantk_metrics.rows import BLOCK, chosen, compared


class EnergyDistance(Metric):
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of samples X and data Y that are vectors.

    0 only for equal distributions, and as sensitive to a lost mode as to a shifted one. It is
    unbiased, so real data against real data is 0 on average and single values may be negative. At
    most 10,000 samples a side.
    """

    watched = True

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model."""
        shape = exam.spec.sample.shape
        if len(shape) != 1:
            return [f"energy compares vectors; samples of '{exam.spec.name}' are {list(shape)}."]
        if compared(exam) < 2:
            return ["energy needs two samples a side."]
        return []

    def scores(self, exam: Exam) -> list[Score]:
        """Return the distance to the real data; its floor is that of held-out real samples."""
        n = compared(exam)
        fake, real, held_out, others = (
            _some(side, n) for side in (exam.fake, exam.real, *exam.floor)
        )
        return [
            Score(
                name="energy",
                value=energy(fake, real),
                better="lower",
                floor=energy(held_out, others),
                receipt=exam.signed(notes=[f"energy: {n:,} samples a side"]).model_copy(
                    update={"floor": exam.floor_name}
                ),
            )
        ]


def energy(x: Tensor, y: Tensor) -> float:
    """Return the unbiased energy distance of x [n, d] and y [m, d]."""
    n, m = len(x), len(y)
    between = _total(x, y) / (n * m)
    return 2 * between - _total(x, x) / (n * (n - 1)) - _total(y, y) / (m * (m - 1))


def _total(x: Tensor, y: Tensor) -> float:
    return sum(float(distances(rows, y).sum()) for rows in x.split(BLOCK))


def _some(side: Side, n: int) -> Tensor:
    """Return `n` vectors of a side: [n, d]."""
    return torch.cat([chunk[SAMPLE] for chunk in side.chunks()])[chosen(side.n, n)]
