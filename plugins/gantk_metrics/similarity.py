"""How much alike samples are: MS-SSIM of pairs (Wang et al. 2003; Odena et al. 2017)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from gan_toolkit.data import LABEL, SAMPLE
from gan_toolkit.scoring import Exam, Metric, Score, Side
from gan_toolkit.streams import stream
from gantk_metrics.rows import chosen, within

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, finest first (Wang et al. 2003, section 4)."""
WINDOW = 11
"""Side of the Gaussian window, whose standard deviation is 1.5 pixels."""
SD = 1.5
LUMINANCE, CONTRAST = (0.01 * 2) ** 2, (0.03 * 2) ** 2
"""(K L)² for images in -1 … 1 (Wang et al. 2004, section III-B)."""
PAIRS = 2000
"""Pairs that are compared; the paper takes 100 of a class."""
CHUNK = 250
"""Pairs that are compared at once."""


class Similarity(Metric):
    """Mean structural similarity of pairs of samples.

    Those of a conditional model are of one class each, where the data have classes too.

    1 when all samples are alike; well above that of real pairs, the model has collapsed. Well
    below it, samples may be noise: read it beside a score of fidelity. As many scales are taken as
    an 11×11 window fits, two for 28×28, their exponents scaled to sum to 1.
    """

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model."""
        shape = exam.spec.sample.shape
        if len(shape) != 3:
            return [f"ms-ssim compares images; samples of '{exam.spec.name}' are {list(shape)}."]
        side = min(exam.fake.size or shape[1:])
        return [f"ms-ssim needs images of {WINDOW}×{WINDOW} or more."] if side < WINDOW else []

    def scores(self, exam: Exam) -> list[Score]:
        """Return the similarity of the model's pairs; its floor is that of real pairs."""
        by_class = exam.asked and LABEL in exam.spec.fields  # else real pairs are of any two
        value, error = similarity(exam.fake, exam.seed, by_class=by_class)
        return [
            Score(
                name="ms-ssim",
                value=value,
                better="lower",
                floor=similarity(exam.floor[0], exam.seed, by_class=by_class)[0],
                error=error,
                receipt=exam.signed(notes=[f"ms-ssim: {PAIRS} pairs"]).model_copy(
                    update={"floor": exam.floor_name}
                ),
            )
        ]


def similarity(side: Side, seed: int, *, by_class: bool) -> tuple[float, float]:
    """Return the mean MS-SSIM of random pairs of a side, and its standard error."""
    images, labels = _chosen(side, by_class=by_class)
    dice = stream(seed, "pairs", side.name)
    first = torch.randint(len(images), (PAIRS,), generator=dice)
    second = torch.stack([_partner(labels, int(i), dice) for i in first])
    pairs = zip(first.split(CHUNK), second.split(CHUNK), strict=True)
    found = torch.cat([ms_ssim(images[a], images[b]) for a, b in pairs]).double()
    return float(found.mean()), float(found.std()) / math.sqrt(PAIRS)


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return the MS-SSIM of images a and b, [N, C, H, W] in -1 … 1: [N].

    Wang et al. 2003, equation 7: contrast and structure at every scale, luminance at the coarsest.
    Negative structure counts as none, so that powers of it stay real.
    """
    scales = min(len(WEIGHTS), 1 + int(math.log2(min(a.shape[-2:]) / WINDOW)))
    total = sum(WEIGHTS[:scales])
    product = torch.ones(len(a), dtype=a.dtype)
    for scale, weight in enumerate(WEIGHTS[:scales]):
        if scale:
            a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
        luminance, structure = _compared(a, b)
        last = scale == scales - 1
        seen = (luminance * structure if last else structure).mean((1, 2, 3))
        product = product * seen.clamp(min=0) ** (weight / total)
    return product


def _compared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return luminance, and contrast times structure (Wang et al. 2004, equations 6 and 13)."""
    mean_a, mean_b = _windowed(a), _windowed(b)
    var_a, var_b = _windowed(a * a) - mean_a**2, _windowed(b * b) - mean_b**2
    both = _windowed(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + LUMINANCE) / (mean_a**2 + mean_b**2 + LUMINANCE)
    return luminance, (2 * both + CONTRAST) / (var_a + var_b + CONTRAST)


def _windowed(maps: Tensor) -> Tensor:
    """Return Gaussian-weighted means over every window that lies within the maps."""
    places = torch.arange(WINDOW, dtype=maps.dtype) - WINDOW // 2
    line = torch.exp(-places.square() / (2 * SD**2))
    line = line / line.sum()
    channels = maps.shape[1]
    down = functional.conv2d(
        maps, line.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels
    )
    return functional.conv2d(
        down, line.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels
    )


def _chosen(side: Side, *, by_class: bool) -> tuple[Tensor, Tensor]:
    """Return `PAIRS` images of a side, and their classes, all 0 for one class."""
    n = min(side.n, PAIRS)
    places = chosen(side.n, n)
    images, labels, first = [], [], 0
    for batch in side.chunks():
        rows = within(places, first, len(batch[SAMPLE]))
        images.append(batch[SAMPLE][rows])
        known = batch.get(LABEL) if by_class else None
        labels.append(torch.zeros(len(rows), dtype=torch.int64) if known is None else known[rows])
        first += len(batch[SAMPLE])
    return torch.cat(images).float(), torch.cat(labels)


def _partner(labels: Tensor, i: int, dice: torch.Generator) -> Tensor:
    """Return another row of the same class as row i; row i itself when it is alone."""
    alike = (labels == labels[i]).nonzero().flatten()
    others = alike[alike != i]
    pool = others if len(others) else alike
    return pool[torch.randint(len(pool), (), generator=dice)]
