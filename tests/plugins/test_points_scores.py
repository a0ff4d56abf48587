"""Scores of points equal closed forms on true data, on broken data, and a plain second route."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gan_toolkit.errors import UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.scoring import Score
from gantk_points.curves import Curve, Shape
from gantk_points.metrics import Modes, OnCurve
from gantk_points.mixtures import Grid, Mixture, Ring
from gantk_points.points import PointSet
from gantk_points.roll import SwissRoll
from gantk_points.scores import KEPT_SD, ModeScores, curve_scores, mode_scores, y_range

INSIDE = 1 - math.exp(-4.5)


def drawn(points: PointSet, n: int, seed: int = 0) -> Tensor:
    return points.draw(n, torch.Generator().manual_seed(seed))["sample"]


def scored(points: Mixture, samples: Tensor) -> ModeScores:
    return mode_scores(samples, points.means, points.sd)


@pytest.mark.parametrize("points", [Ring(), Grid()])
def test_of_true_data_98_89_percent_are_of_high_quality_and_the_spread_is_one(
    points: Mixture,
) -> None:
    n = 200_000
    seen = scored(points, drawn(points, n))
    assert (seen.modes, seen.n) == (len(points.means), n)
    assert seen.quality == pytest.approx(INSIDE, abs=5 * math.sqrt(INSIDE * (1 - INSIDE) / n))
    error = 1 / math.sqrt(4 * n / seen.modes)  # of a standard deviation over two coordinates
    assert seen.spread_low == pytest.approx(1, abs=5 * error)
    assert seen.spread_median == pytest.approx(1, abs=2 * error)
    assert seen.spread_high == pytest.approx(1, abs=5 * error)


@pytest.mark.parametrize(("points", "modes"), [(Ring(), 8), (Grid(), 25)])
def test_at_2500_samples_true_data_averages_the_values_that_theory_gives(
    points: Mixture, modes: int
) -> None:
    runs = [scored(points, drawn(points, 2500, seed)) for seed in range(200)]
    assert {run.modes for run in runs} == {modes}
    # 2 n KL is chi-squared with k - 1 degrees of freedom, n counting high-quality samples.
    n = 2500 * INSIDE
    expected, error = (modes - 1) / (2 * n), math.sqrt(2 * (modes - 1) / 200) / (2 * n)
    assert np.mean([run.reverse_kl for run in runs]) == pytest.approx(expected, abs=5 * error)
    assert np.mean([run.spread_median for run in runs]) == pytest.approx(1, abs=0.01)


def test_the_spread_of_a_cut_off_gaussian_agrees_with_numerical_integration() -> None:
    r = (np.arange(300_000) + 0.5) / 100_000
    density = r * np.exp(-(r**2) / 2)
    assert pytest.approx(math.sqrt((r**2 * density).sum() / density.sum() / 2)) == KEPT_SD


@given(st.integers(0, 2**32), st.integers(0, 60), st.floats(0.05, 3))
def test_mode_scores_agree_with_a_plain_count(seed: int, n: int, width: float) -> None:
    grid = Grid(side=2, sd=0.3)
    rng = np.random.default_rng(seed)
    means = grid.means.numpy().astype(float)
    samples = means[rng.integers(4, size=n + 1)] + rng.normal(size=(n + 1, 2)) * grid.sd * width
    seen = scored(grid, torch.from_numpy(samples))

    own: list[list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = [[], [], [], []]
    for sample in samples:
        distances = [math.dist(sample, mean) / grid.sd for mean in means]
        if min(distances) < 3:
            own[distances.index(min(distances))].append(sample)
    counts = np.array([len(mode) for mode in own])
    assert seen.counts == tuple(counts)
    assert seen.modes == (counts > 0).sum()
    assert seen.quality == pytest.approx(counts.sum() / (n + 1))
    q = counts[counts > 0] / counts.sum()
    expected = (q * np.log(q * 4)).sum() if counts.sum() else math.nan
    assert seen.reverse_kl == pytest.approx(expected, abs=1e-12, nan_ok=True)
    spreads = [
        math.sqrt(np.var(mode, axis=0, ddof=1).mean()) / (grid.sd * KEPT_SD)
        for mode in own
        if len(mode) > 1
    ] or [math.nan]
    found = (seen.spread_low, seen.spread_median, seen.spread_high)
    expected_spreads = (min(spreads), float(np.median(spreads)), max(spreads))
    assert found == pytest.approx(expected_spreads, abs=1e-9, nan_ok=True)


def test_one_mode_of_eight_costs_the_logarithm_of_eight() -> None:
    seen = scored(Ring(), drawn(Ring(count=1), 2500))
    assert seen.modes == 1
    assert seen.reverse_kl == pytest.approx(math.log(8))


def test_half_of_the_modes_cost_the_logarithm_of_two() -> None:
    samples = Ring().means[::2].repeat(10, 1)
    seen = scored(Ring(), samples)
    assert (seen.modes, seen.quality) == (4, 1.0)
    assert seen.reverse_kl == pytest.approx(math.log(2))
    assert seen.spread_low == seen.spread_high == 0


def test_nothing_near_a_mode_has_no_modes_no_divergence_and_no_spread() -> None:
    seen = scored(Ring(), torch.zeros(10, 2))
    assert (seen.modes, seen.quality) == (0, 0.0)
    assert math.isnan(seen.reverse_kl)
    assert math.isnan(seen.spread_median)


def test_a_single_sample_covers_a_mode_but_has_no_spread() -> None:
    seen = scored(Ring(), Ring().means)
    assert (seen.modes, seen.quality, seen.reverse_kl) == (8, 1.0, 0.0)
    assert math.isnan(seen.spread_low)


def test_samples_too_wide_lose_quality_by_the_closed_form() -> None:
    seen = scored(Grid(), drawn(Grid(sd=0.1), 100_000))
    assert seen.quality == pytest.approx(1 - math.exp(-9 / 8), abs=0.01)
    cut = math.exp(-9 / 8)  # the radius is 1.5 of the samples' own sd
    expected = 2 * math.sqrt(1 - 9 / 8 * cut / (1 - cut)) / KEPT_SD
    assert seen.spread_median == pytest.approx(expected, abs=0.02)


def test_samples_too_narrow_gain_quality_and_show_in_the_spread() -> None:
    seen = scored(Grid(), drawn(Grid(sd=0.025), 100_000))
    assert seen.quality == 1.0
    assert seen.spread_median == pytest.approx(0.5 / KEPT_SD, abs=0.01)


def test_a_mode_off_its_place_is_not_wider_for_it() -> None:
    ring = Ring()
    shifted = drawn(Ring(sd=0.001), 5000) + torch.tensor([2 * ring.sd, 0])
    assert scored(ring, shifted).spread_high < 0.12


def test_true_points_lie_on_their_curve_and_reach_all_of_it() -> None:
    for curve in (Curve(), Curve(dimension=4), Curve(second=Shape(kind="sine"), share=0.4)):
        seen = curve_scores(drawn(curve, 2500), curve)
        assert seen.error < 1e-6
        assert (seen.coverage, seen.inside, seen.n) == (1.0, 1.0, 2500)


def test_the_error_is_a_share_of_the_range_of_y() -> None:
    samples = drawn(Curve(), 1000) + torch.tensor([0, 25.0])
    assert curve_scores(samples, Curve()).error == pytest.approx(25 / 2500, rel=1e-4)


def test_noise_shows_as_the_median_of_a_half_normal() -> None:
    seen = curve_scores(drawn(Curve(noise=50), 100_000), Curve())
    assert seen.error == pytest.approx(0.67449 * 50 / 2500, rel=0.02)


def test_half_of_the_range_is_half_of_the_coverage() -> None:
    left = curve_scores(drawn(Curve(high=0), 2500), Curve())
    assert (left.coverage, left.inside) == (0.5, 1.0)
    beyond = curve_scores(drawn(Curve(low=0, high=100), 100_000), Curve())
    assert beyond.coverage == 0.5
    assert beyond.inside == pytest.approx(0.5, abs=0.01)
    assert beyond.error < 1e-6


def test_coverage_is_what_a_histogram_of_50_parts_shows() -> None:
    samples = drawn(Curve(), 60)
    parts, _ = np.histogram(samples[:, 0], bins=50, range=(-50, 50))
    assert curve_scores(samples, Curve()).coverage == pytest.approx((parts > 0).mean())


def test_each_curve_and_each_coordinate_has_its_own_coverage() -> None:
    both = Curve(second=Shape(coefficients=(-10.0, 0.0, -1.0)))
    assert curve_scores(drawn(Curve(), 2500), both).coverage == 0.5
    space = Curve(dimension=3)
    samples = drawn(space, 2500)
    samples[:, 1] = 0
    assert curve_scores(samples, space).coverage == pytest.approx((1 + 1 / 50) / 2)


def test_the_range_of_y_is_that_of_the_formula() -> None:
    assert y_range(Curve()) == 2500
    cubic = Curve(coefficients=(0.0, -3.0, 0.0, 1.0), low=-2, high=2, dimension=3)
    assert y_range(cubic) == pytest.approx(2 * 4, rel=1e-6)
    assert y_range(Curve(kind="sine", amplitude=3)) == pytest.approx(6, rel=1e-6)
    assert y_range(Curve(second=Shape(coefficients=(-90.0,)))) == 2600


def by_name(scores: list[Score]) -> dict[str, Score]:
    return {score.name: score for score in scores}


def test_the_metric_modes_looks_at_the_first_2500_samples_and_says_so() -> None:
    samples = drawn(Ring(), 3000, seed=7)
    found = by_name(evaluate(samples, Ring(), metrics=["modes"], n=3000, seed=3))
    seen = scored(Ring(), samples[:2500])
    assert {name: score.value for name, score in found.items()} == {
        "modes": 8.0,
        "modes-quality": seen.quality,
        "modes-reverse-kl": seen.reverse_kl,
        "modes-spread-low": seen.spread_low,
        "modes-spread-median": seen.spread_median,
        "modes-spread-high": seen.spread_high,
    }
    assert found["modes"].parts == {str(mode): float(c) for mode, c in enumerate(seen.counts)}
    floor = found["modes-quality"].floor
    assert floor is not None
    assert floor != seen.quality
    assert floor == pytest.approx(INSIDE, abs=0.011)
    receipt = found["modes"].receipt
    assert (receipt.n, receipt.real, receipt.seed, receipt.data) == (2500, 2500, 3, "ring")
    assert receipt.fingerprint == Ring().open().spec.fingerprint
    assert receipt.floor == "2500 points drawn afresh from the formula"


def test_a_metric_looks_at_as_many_samples_as_asked_or_given() -> None:
    (score, *_) = evaluate(drawn(Grid(), 500), Grid(), metrics=[Modes(samples=300)], n=500)
    assert score.receipt.n == 300
    (score, *_) = evaluate(drawn(Grid(), 500), Grid(), metrics=["modes"], n=500)
    assert score.receipt.n == 500


def test_scores_that_do_not_exist_are_left_out() -> None:
    found = evaluate(torch.zeros(100, 2), Ring(), metrics=["modes"], n=100)
    assert [(score.name, score.value) for score in found] == [("modes", 0.0), ("modes-quality", 0)]


def test_the_same_seed_gives_the_same_floor_whether_data_is_stored_or_endless() -> None:
    samples = drawn(Grid(), 400)
    floors = [
        [score.floor for score in evaluate(samples, points, metrics=["modes"], n=400)]
        for points in (Grid(), Grid(points=50), Grid())
    ]
    assert floors[0] == floors[1] == floors[2]
    other = evaluate(samples, Grid(), metrics=["modes"], n=400, seed=1)
    assert floors[0] != [score.floor for score in other]


def test_the_metric_curve_tells_error_coverage_and_inside() -> None:
    curve = Curve(noise=100.0)
    samples = drawn(curve, 2500)
    found = by_name(evaluate(samples, curve, metrics=["curve"], n=2500))
    seen = curve_scores(samples, curve)
    assert {name: score.value for name, score in found.items()} == {
        "curve-error": seen.error,
        "curve-coverage": seen.coverage,
        "curve-inside": seen.inside,
    }
    floor = found["curve-error"].floor
    assert floor == pytest.approx(0.67449 * 100 / 2500, rel=0.1)


@pytest.mark.parametrize(
    ("metric", "data", "message"),
    [
        ("modes", Curve(), "modes judges samples of `ring` and `grid`; the data is 'curve'"),
        ("modes", SwissRoll(), "the data is 'swiss-roll'"),
        ("curve", Ring(), "curve judges samples of `curve`; the data is 'ring'"),
        (OnCurve(), Curve(coefficients=(1.0,)), "this curve is flat"),
    ],
)
def test_metrics_refuse_data_they_are_not_for(
    metric: str | OnCurve, data: PointSet, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate(torch.zeros(10, 2), data, metrics=[metric], n=10)
