"""Pure functions that score points: how well modes are covered, how near a curve they lie.

What true data scores is stated beside each. A quality higher than that means modes too narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk_points.curves import Curve

RADIUS = 3.0
"""Mahalanobis distance to the nearest mean below which a sample is of high quality."""
TAIL = math.exp(-(RADIUS**2) / 2)
"""Share of a plane Gaussian that lies beyond it."""
KEPT_SD = math.sqrt(1 - RADIUS**2 / 2 * TAIL / (1 - TAIL))
"""Standard deviation along a coordinate of what lies within, in units of the Gaussian's own.

The squared radius within has mean 2 - 9 e^-4.5 / (1 - e^-4.5), by parts, half of it each way.
"""
BINS = 50
"""Equal parts into which a curve's range of x is cut."""
GRID = 10_001
"""Places along x where a curve is looked at to find its range of y."""


@dataclass(frozen=True)
class ModeScores:
    """How `n` samples match equally likely plane Gaussians."""

    modes: int
    """Modes with at least one high-quality sample nearest to them."""
    counts: tuple[int, ...]
    """High-quality samples of each mode."""
    quality: float
    """Share of all samples that are of high quality; true data: 1 - e^-4.5 = 0.9889."""
    reverse_kl: float
    """KL divergence of the histogram of modes from the uniform one, in nats; NaN without any.

    It counts high-quality samples only, as PacGAN's code does, each for its nearest mode. The mean
    for true data is about (modes - 1) / (2 n); the largest value is the logarithm of the modes.
    """
    spread_low: float
    """Smallest spread of a mode."""
    spread_median: float
    """Median spread of the modes; true data: 1."""
    spread_high: float
    """Largest spread of a mode."""
    n: int
    """Number of samples."""


def mode_scores(samples: Tensor, means: Tensor, sd: float) -> ModeScores:
    """Return how `samples` [n, 2] match Gaussians at `means` [k, 2] (Lin et al. 2018).

    The spread of a mode is the standard deviation of its high-quality samples about their own mean,
    pooled over both coordinates, with n - 1, over that of a true mode cut off at the same radius
    (0.974 sd). Modes with fewer than two such samples have none; without any it is NaN.
    """
    samples, means = samples.double(), means.double()
    distances = torch.cdist(samples, means, compute_mode="donot_use_mm_for_euclid_dist")
    distance, nearest = distances.min(1)  # [n]
    good = distance < RADIUS * sd
    samples, nearest = samples[good], nearest[good]
    counts = nearest.bincount(minlength=len(means))
    centres = torch.zeros_like(means).index_add_(0, nearest, samples) / counts[:, None]
    squares = (samples - centres[nearest]).square().sum(1)
    sums = squares.new_zeros(len(means)).index_add_(0, nearest, squares)
    many = counts > 1
    spreads = (sums[many] / (2 * (counts[many] - 1))).sqrt() / (sd * KEPT_SD)
    low, median, high = (
        torch.quantile(spreads, torch.tensor([0, 0.5, 1], dtype=torch.float64)).tolist()
        if len(spreads)
        else [math.nan] * 3
    )
    shares = counts.double() / counts.sum()  # NaN without a high-quality sample
    return ModeScores(
        modes=int(counts.count_nonzero()),
        counts=tuple(counts.tolist()),
        quality=float(good.double().mean()),
        reverse_kl=float(torch.xlogy(shares, shares * len(means)).sum()),
        spread_low=low,
        spread_median=median,
        spread_high=high,
        n=len(good),
    )


@dataclass(frozen=True)
class CurveScores:
    """How `n` samples match one curve or two."""

    error: float
    """Median of |y - f(x)| over the range of y; true data: 0, with noise 0.674 sd over it."""
    coverage: float
    """Share of the range of x that is reached, in 50 parts, of every coordinate and curve.

    True data of one curve: 1 - 0.98^n.
    """
    inside: float
    """Share of samples whose x lies in the range; true data: 1."""
    n: int
    """Number of samples."""


def curve_scores(samples: Tensor, curve: Curve) -> CurveScores:
    """Return how `samples` [n, d] match a curve.

    With two curves a sample counts for the one whose y is nearer at its x. The error of a flat
    curve, which has no range of y, is infinite or NaN.
    """
    samples = samples.double()
    x, y = samples[:, :-1], samples[:, -1]
    heights = torch.stack([shape.f(x).sum(1) for shape in curve.shapes])  # [curves, n]
    distance, nearest = (heights - y).abs().min(0)
    bins = ((x - curve.low) / (curve.high - curve.low) * BINS).floor()
    within = (bins >= 0) & (bins < BINS)
    reached = x.new_zeros(len(heights), x.shape[1], BINS)
    row, coordinate = within.nonzero(as_tuple=True)
    reached[nearest[row], coordinate, bins[row, coordinate].long()] = 1
    return CurveScores(
        error=float(distance.quantile(0.5) / y_range(curve)),
        coverage=float(reached.mean()),
        inside=float(within.all(1).double().mean()),
        n=len(samples),
    )


def y_range(curve: Curve) -> float:
    """Return the largest y less the smallest over low … high, without noise, on 10,001 places."""
    places = torch.linspace(curve.low, curve.high, GRID, dtype=torch.float64)
    heights = torch.stack([shape.f(places) for shape in curve.shapes])
    return float(heights.max() - heights.min()) * (curve.dimension - 1)
